"""Static findings: each rule where it stands, and silence on plain programs."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from textwrap import dedent

import pytest

from sandbox_runtime.policy import Finding, describe, findings
from tests.sandbox_runtime.policy.policy_cases import unmark

SAFE = "Code is safe to execute."


def found_in(source: str) -> list[tuple[str, int, int]]:
    return [(each.rule, each.line, each.column) for each in findings(ast.parse(dedent(source)))]


@pytest.mark.parametrize(
    ("marked", "rule"),
    [
        pytest.param("x = 1\n$import socket", "network", id="socket"),
        pytest.param("$import requests, json", "network", id="requests"),
        pytest.param("$import urllib.request", "network", id="urllib.request"),
        pytest.param("$from urllib import request, parse", "network", id="request from urllib"),
        pytest.param("$from urllib.request import urlopen", "network", id="urlopen"),
        pytest.param("$import http.client as c", "network", id="http.client"),
        pytest.param("$from socket import socket, AF_INET", "network", id="two names, one finding"),
        pytest.param("def f():\n  $import smtplib", "network", id="in a function"),
        pytest.param("import asyncio\n$asyncio.open_connection('a', 1)", "network", id="asyncio connection"),
        pytest.param("$import subprocess", "process", id="subprocess"),
        pytest.param("$from subprocess import run", "process", id="run"),
        pytest.param("$import multiprocessing as mp\nmp.Pool(4)", "process", id="multiprocessing"),
        pytest.param("$from multiprocessing.pool import Pool", "process", id="process pool"),
        pytest.param("import os\n$os.system('ls')", "process", id="os.system"),
        pytest.param("import os as o\nif $o.fork() == 0: pass", "process", id="fork under an alias"),
        pytest.param("from os import execv as e\n$e('/bin/sh', [])", "process", id="exec by name"),
        pytest.param("import os\nf = $os.popen", "process", id="kept for later"),
        pytest.param(
            "from concurrent.futures import ProcessPoolExecutor\n$ProcessPoolExecutor()",
            "process",
            id="executor",
        ),
        pytest.param("$import tkinter as tk", "display", id="tkinter"),
        pytest.param("$import ctypes", "native", id="ctypes"),
        pytest.param("$from ctypes.util import find_library", "native", id="part of ctypes"),
        pytest.param("$eval(input())", "dynamic-code", id="eval"),
        pytest.param("code = 'x'\n$exec(code)", "dynamic-code", id="exec"),
        pytest.param("$__import__('o' + 's')", "dynamic-code", id="import of made-up text"),
        pytest.param("import importlib\n$importlib.import_module(x)", "dynamic-code", id="import_module"),
        pytest.param("import builtins\n$builtins.exec(x)", "dynamic-code", id="exec of builtins"),
        pytest.param("$open('/etc/passwd')", "path", id="open"),
        pytest.param("with $open('/tmp/../etc/passwd') as f: pass", "path", id="path that climbs"),
        pytest.param("import os\n$os.listdir('/')", "path", id="listing of the root"),
        pytest.param("from pathlib import Path\n$Path('/etc/passwd').read_text()", "path", id="pathlib"),
        pytest.param("import shutil\n$shutil.rmtree('/home')", "path", id="rmtree"),
        pytest.param("$open('/tmpfile')", "path", id="not below /tmp"),
        pytest.param("import os\nfor n in os.listdir(d):\n  $os.remove(n)", "deletion", id="listdir"),
        pytest.param(
            "import os\nfor r, d, f in os.walk('.'):\n  for n in f:\n    $os.unlink(n)", "deletion", id="walk"
        ),
        pytest.param("for p in sorted(d.glob('*')):\n  if p: $p.unlink()", "deletion", id="glob, sorted"),
        pytest.param("$while True:\n  x = 1", "endless-loop", id="endless"),
        pytest.param("$while 1: pass", "endless-loop", id="endless by number"),
        pytest.param("$while True:\n  for x in y: break", "endless-loop", id="break of an inner loop"),
        pytest.param("$while True:\n  def f(): return 1", "endless-loop", id="return of an inner function"),
        pytest.param("while x:\n  $while True: pass\n  break", "endless-loop", id="break of an outer loop"),
        pytest.param(
            "def f():\n  $while True: x = 1\nf()", "endless-loop", id="in a function that is called"
        ),
        pytest.param(
            "try:\n  $while True: x()\nexcept KeyboardInterrupt: pass", "endless-loop", id="until Ctrl-C"
        ),
        pytest.param(
            "$while True:\n  for x in y: pass\n  else: z = 1", "endless-loop", id="else without break"
        ),
        pytest.param("$().__class__.__base__.__subclasses__()", "introspection", id="subclasses of all"),
        pytest.param("$x.__class__.__mro__[-1].__subclasses__()", "introspection", id="through the mro"),
        pytest.param("$object.__subclasses__()", "introspection", id="subclasses of object"),
        pytest.param("$f.__globals__['os']", "introspection", id="globals"),
        pytest.param("import sys\n$sys._getframe().f_back.f_globals", "introspection", id="frames"),
        pytest.param("$(x for x in y).gi_frame", "introspection", id="generator frame"),
    ],
)
def test_found_exactly_once_and_there(marked: str, rule: str) -> None:
    source, line, column = unmark(marked)
    assert found_in(source) == [(rule, line, column)]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("print('hello')", id="hello"),
        pytest.param(
            "import math, json, re, random, datetime, sqlite3, threading, asyncio, http, urllib", id="imports"
        ),
        pytest.param("from urllib.parse import quote\nfrom http import HTTPStatus", id="parsing"),
        pytest.param("from multiprocessing.pool import ThreadPool", id="thread pool"),
        pytest.param("import multiprocessing.dummy", id="threads in disguise"),
        pytest.param("import multiprocessing\nn = multiprocessing.cpu_count()", id="cpu count only"),
        pytest.param(
            "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(4)", id="threads"
        ),
        pytest.param("import os\nos.getcwd(); os.environ.get('X'); os.path.exists('/etc')", id="plain os"),
        pytest.param("class C:\n  def system(self): pass\nos = C()\nos.system('x')", id="own os"),
        pytest.param("def eval(x): return x\neval(x)", id="own eval"),
        pytest.param(
            "import re\np = re.compile(x)\nclass A:\n  def exec(self, q): self.exec(q)", id="compile and exec"
        ),
        pytest.param("eval('1 + 1')\n__import__('json')", id="literal text"),
        pytest.param("open('out.txt', 'w')\nopen('/tmp/x')\nopen('/dev/null')\nopen(name)", id="own files"),
        pytest.param("from pathlib import Path\nPath('/a/b').name\nPath('x').read_text()", id="pure paths"),
        pytest.param("import os\nfor n in names: os.remove(n)\nos.remove('x')", id="own files deleted"),
        pytest.param(
            "import shutil, tempfile\nshutil.rmtree(tempfile.mkdtemp())", id="own directory deleted"
        ),
        pytest.param("while True:\n  if x: break", id="break"),
        pytest.param("while True:\n  for x in y: pass\n  else: break", id="break in an else of a loop"),
        pytest.param("def f():\n  while True:\n    if x: return\nf()", id="return"),
        pytest.param("while True:\n  x = x.next\n  if not x: raise ValueError", id="raise"),
        pytest.param("def f():\n  while True: yield 1\nf()", id="generator"),
        pytest.param("async def f():\n  while True: await g()", id="await"),
        pytest.param("import sys\nwhile True:\n  if x: sys.exit()", id="exit"),
        pytest.param("try:\n  while True: print(q.pop())\nexcept IndexError: pass", id="until it is empty"),
        pytest.param("import contextlib\nwith contextlib.suppress(E):\n  while True: f()", id="suppress"),
        pytest.param(
            "import threading\ndef f():\n  while True: q.get()\n"
            "threading.Thread(target=f, daemon=True).start()",
            id="thread",
        ),
        pytest.param("def f():\n  while True: pass", id="never called"),
        pytest.param("class S:\n  def run(self):\n    while True: pass\nS().run", id="method"),
        pytest.param(
            "class S:\n  def f(self):\n    while True: pass\ndef f(): pass\nf()", id="method of that name"
        ),
        pytest.param("@task\ndef f():\n  while True: pass\nf()", id="decorated"),
        pytest.param("while x: pass\nwhile not done(): pass", id="conditional loop"),
        pytest.param(
            "class A: pass\nprint(type(A()).__name__, A.__doc__, A().__class__.__name__)", id="dunder"
        ),
        pytest.param("for s in Shape.__subclasses__(): s()", id="own subclasses"),
        pytest.param("import inspect\ninspect.currentframe().f_back.f_lineno", id="line of the caller"),
        pytest.param("import pickle\npickle.loads(pickle.dumps(x))", id="pickle"),
        pytest.param("import time\ntime.sleep(1)\nx = input()", id="sleep and input"),
    ],
)
def test_plain_program_is_silent(source: str) -> None:
    assert found_in(source) == []


# Modules of the standard library that need none of what the jail withholds; none of their code is a finding.
PLAIN_MODULES = (
    "abc base64 bisect calendar colorsys contextlib copy csv datetime difflib fnmatch fractions graphlib "
    "heapq html json keyword numbers operator pprint queue random reprlib sched shlex statistics string "
    "textwrap"
)


@pytest.mark.parametrize("name", PLAIN_MODULES.split())
def test_real_code_is_silent(name: str) -> None:
    source = inspect.getsource(pkgutil.resolve_name(name))
    noticed = [each for each in found_in(source) if each[0] != "dynamic-code"]
    assert noticed == []


def test_source_order_and_one_of_a_kind_per_line() -> None:
    source = "import os\nos.system('a'); os.system('b'); eval(x)\nimport socket\n"
    assert found_in(source) == [("process", 2, 1), ("dynamic-code", 2, 33), ("network", 3, 1)]


def test_a_module_is_excused_only_if_all_that_is_used_of_it_works() -> None:
    assert found_in("import multiprocessing as m\nm.cpu_count()\nm.Pool()") == [("process", 1, 1)]
    assert found_in("import multiprocessing") == [("process", 1, 1)]


def test_findings_survive_a_deep_tree() -> None:
    deep = "x" + ".y" * 800 + "\n" + "[" * 90 + "]" * 90 + "\n" + "f(" * 90 + ")" * 90
    assert found_in(deep) == []


def test_describe_nothing() -> None:
    assert describe(findings(ast.parse("print(1)"))) == SAFE


def test_describe_says_a_sentence_per_finding() -> None:
    text = describe(findings(ast.parse("import socket\n\nwhile True: pass\nopen('/etc/\\u202epasswd')")))
    assert text == (
        "Line 1: imports socket: the sandbox has no network, so its connections fail. "
        "Line 3: loops with no break, return or raise in it: only the timeout ends it. "
        "Line 4: uses the path '/etc/\\u202epasswd': the sandbox keeps its files in /tmp."
    )


def test_describe_is_bounded() -> None:
    many = tuple(Finding("network", "imports socket", line, 1) for line in range(1, 101))
    text = describe(many)
    assert text.count("imports socket") == 20
    assert text.endswith("Line 20: imports socket. There are 80 more findings.")


def test_a_long_path_is_cut() -> None:
    (finding,) = findings(ast.parse(f"open('/{'a' * 100_000}')"))
    assert len(finding.message) < 200
