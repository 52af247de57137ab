"""Who may import what, and what trusted code may never do: read from the source, file by file.

``service/`` is trusted and runs, parses and unpickles nothing foreign. ``sandbox_runtime/`` is what foreign
code shares a process with, so it knows nothing of the service. Every exception stands in a table here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Imports:
    """What one package may import besides the standard library and itself."""

    modules: frozenset[str]
    forbidden_stdlib: frozenset[str] = frozenset()


# Each turns bytes or text into running code, or into objects whose making runs code.
RUNS_CODE = frozenset(("ast", "code", "codeop", "dis", "marshal", "pickle", "runpy", "shelve"))

IMPORTS: Mapping[str, Imports] = {
    "service": Imports(
        modules=frozenset(
            (
                "alembic",
                "anyio",
                "httptools",
                "limits",
                "orjson",
                "prometheus_client",
                "redis",
                "sandbox_runtime",  # the package itself: only to find its directory
                "sandbox_runtime.call",
                "sandbox_runtime.domain",
                "sandbox_runtime.foreign_keys",
                "sandbox_runtime.function",
                "sandbox_runtime.job",
                "sandbox_runtime.layers",
                "sandbox_runtime.planning",
                "sandbox_runtime.shares",
                "sandbox_runtime.wire",
                "seccomp",
                "sqlalchemy",
                "starlette",
                "structlog",
                "uvicorn",
                "uvloop",
            )
        ),
        forbidden_stdlib=RUNS_CODE,
    ),
    "sandbox_runtime": Imports(
        modules=frozenset(("orjson",)), forbidden_stdlib=frozenset(("marshal", "pickle", "shelve"))
    ),
    "seccomp": Imports(modules=frozenset(("pyseccomp",)), forbidden_stdlib=RUNS_CODE),
}

# What the files below one folder may import besides.
WITHIN: Mapping[str, frozenset[str]] = {
    "sandbox_runtime/planner/": frozenset(
        ("anthropic", "certifi", "httpx", "httpx2", "openai", "opentelemetry", "together")
    ),
    "service/control/": frozenset(("asyncpg",)),
    "service/telemetry/": frozenset(("opentelemetry",)),
}

FORBIDDEN_CALLS = frozenset(("__import__", "breakpoint", "compile", "eval", "exec"))
FORBIDDEN_METHODS = frozenset(
    (
        "importlib.import_module",
        "importlib.util",
        "os.popen",
        "os.system",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
    )
)

# Everything is caught only where a process has no frame further out, and where our code calls the program's.
# File and function -> why.
BROAD_HANDLERS: Mapping[tuple[str, str], str] = {
    ("sandbox_runtime/boot.py", "<module>"): "whatever the program raised is its outcome",
    ("sandbox_runtime/program.py", "_account"): "the exception's attributes are the program's",
    ("sandbox_runtime/program.py", "_describe"): "the exception's __str__ is the program's",
    ("sandbox_runtime/ending.py", "_call_hook"): "sys.excepthook may be the program's",
    ("sandbox_runtime/ending.py", "_complain"): "sys.stderr may be the program's",
    ("sandbox_runtime/ending.py", "_flush"): "sys.stdout may be the program's",
    ("sandbox_runtime/ending.py", "_is_closed"): "sys.stdout may be the program's",
    ("sandbox_runtime/ending.py", "_leave"): "the exit status's __str__ is the program's",
    ("sandbox_runtime/ending.py", "flush_after_main"): "sys.stdout may be the program's",
    (
        "sandbox_runtime/ending.py",
        "end_threads_and_call_atexit",
    ): "CPython reports what ending threads raises",
    ("sandbox_runtime/contract.py", "inspection"): "annotations and defaults are of the module's classes",
    ("sandbox_runtime/functions/calling.py", "invoke"): "arguments are made of the module's classes",
    ("sandbox_runtime/functions/calling.py", "_call"): "the function may raise anything",
    ("sandbox_runtime/functions/calling.py", "is_sound"): "what the module has broken may raise anything",
    ("sandbox_runtime/functions/failure.py", "fault_of"): "the exception's attributes are the module's",
    ("sandbox_runtime/planner/__main__.py", "main"): "whatever failed at the start, the supervisor is told",
    ("sandbox_runtime/telling.py", "message_of"): "the exception's __str__ is the program's",
    ("sandbox_runtime/result.py", "encode_result"): "a dict subclass's methods are the program's",
    ("sandbox_runtime/result.py", "safe_repr"): "__repr__ is the program's",
    (
        "service/http/edge.py",
        "Edge._answer",
    ): "the front's outermost frame: a bug becomes a 500",
}


def sources(package: str) -> list[str]:
    """The package's files, relative to the checkout."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py"))


def tree_of(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(), file)


def imported(tree: ast.Module, file: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, under TYPE_CHECKING or in a function too.

    ``from a import b`` gives ``a.b``: b may be a module.
    """
    package = file.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def may_import(file: str, name: str) -> bool:
    """The decision; what no line allows is refused."""
    top, package = name.partition(".")[0], file.partition("/")[0]
    rule = IMPORTS[package]
    if top == package or any(file.startswith(folder) and top in WITHIN[folder] for folder in WITHIN):
        return True
    if top in sys.stdlib_module_names:
        return top not in rule.forbidden_stdlib
    if top in IMPORTS and top != "seccomp":  # a neighbour: only the modules listed, or names in them
        return name in rule.modules or (name.rpartition(".")[0] in rule.modules - {top})
    return top in rule.modules


def wrong_imports(tree: ast.Module, file: str) -> list[str]:
    """Imports that the table does not allow."""
    return [f"{file}:{line}: {name}" for line, name in imported(tree, file) if not may_import(file, name)]


def wrong_uses(tree: ast.Module, file: str) -> list[tuple[str, str]]:
    """Uses of names that run text as code, and calls that hand a line to a shell."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in FORBIDDEN_CALLS:
            found.append((file, node.id))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in FORBIDDEN_METHODS:
            found.append((file, ast.unparse(node)))
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            found.append((file, "shell="))
    names = [name for _, name in imported(tree, file) if name in FORBIDDEN_METHODS]
    return found + [(file, name) for name in names]


def functions(tree: ast.AST, inside: str = "<module>") -> Iterator[tuple[str, ast.ExceptHandler]]:
    """Every exception handler with the dotted name of the class and function it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ExceptHandler):
            yield inside, node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(node, node.name if inside == "<module>" else f"{inside}.{node.name}")
        else:
            yield from functions(node, inside)


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether it swallows everything. One that ends by raising again hides nothing."""
    caught = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    everything = any(kind is None or ast.unparse(kind) in {"BaseException", "Exception"} for kind in caught)
    return everything and not isinstance(handler.body[-1], ast.Raise)


def broad_handlers(tree: ast.Module, file: str) -> set[tuple[str, str]]:
    """Where everything is caught."""
    return {(file, name) for name, handler in functions(tree) if is_broad(handler)}


@pytest.mark.parametrize("package", IMPORTS)
def test_imports_follow_the_table(package: str) -> None:
    """Front and supervisor know the shared types only; the sandbox knows the standard library and orjson."""
    files = sources(package)
    assert files
    assert [fault for file in files for fault in wrong_imports(tree_of(file), file)] == []


def test_trusted_code_runs_no_text() -> None:
    """Not even text of its own."""
    files = sources("service") + sources("seccomp")
    assert [use for file in files for use in wrong_uses(tree_of(file), file)] == []


def test_everything_is_caught_only_where_the_table_says() -> None:
    """The table is exact: a handler more or less is a failure."""
    found: set[tuple[str, str]] = set()
    for file in (file for package in IMPORTS for file in sources(package)):
        found |= broad_handlers(tree_of(file), file)
    assert found == set(BROAD_HANDLERS)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("service/x.py", "import sandbox_runtime.zygote"),
        ("service/x.py", "from sandbox_runtime import zygote"),
        ("service/x.py", "from sandbox_runtime.worker import serve"),
        ("service/x.py", "from sandbox_runtime.policy.judge import judge"),
        ("service/x.py", "def f():\n    import pickle"),
        ("service/x.py", "from ast import literal_eval"),
        ("service/x.py", "import pyseccomp"),
        ("service/x.py", "import requests"),
        ("sandbox_runtime/x.py", "from service import settings"),
        ("sandbox_runtime/x.py", "import starlette"),
        ("sandbox_runtime/policy/x.py", "from ...service import settings"),
        ("sandbox_runtime/x.py", "import pickle"),
        ("sandbox_runtime/x.py", "import openai"),
        ("sandbox_runtime/planner.py", "import openai"),
        ("sandbox_runtime/planner/x.py", "import starlette"),
        ("service/planning/x.py", "import httpx"),
        ("sandbox_runtime/x.py", "import seccomp.compiler"),
        ("seccomp/x.py", "from sandbox_runtime import linux"),
    ],
)
def test_import_rule_refuses(file: str, source: str) -> None:
    """One row for each way around the table."""
    assert len(wrong_imports(ast.parse(source), file)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        (
            "service/x.py",
            "import os, service.app, orjson, starlette.routing, seccomp.compiler, sandbox_runtime",
        ),
        ("service/pool/x.py", "from ..errors import LarsError\nfrom . import verdict"),
        ("service/x.py", "from sandbox_runtime import domain, job, layers, wire"),
        ("service/x.py", "from sandbox_runtime.wire import WireError\nimport sandbox_runtime.layers"),
        ("sandbox_runtime/x.py", "import ast, orjson\nfrom sandbox_runtime.policy.judge import judge"),
        ("sandbox_runtime/planner/providers/x.py", "def f():\n    import openai, httpx2.types, orjson"),
        ("seccomp/x.py", "import json, pyseccomp"),
    ],
)
def test_import_rule_allows(file: str, source: str) -> None:
    """What the table is there to allow."""
    assert wrong_imports(ast.parse(source), file) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "run = exec",
        "compile('1', '', 'exec')",
        "__import__('os')",
        "os.system('ls')",
        "import importlib.util",
        "from importlib import import_module as load",
        "importlib.import_module('os')",
        "subprocess.run('ls', shell=True)",
    ],
)
def test_use_rule_refuses(source: str) -> None:
    """One row for each entry of the tables."""
    assert len(wrong_uses(ast.parse(source), "service/x.py")) == 1


def test_use_rule_allows_namesakes() -> None:
    """A method that is only called like a builtin."""
    assert wrong_uses(ast.parse("re.compile('a')\nos.execv(a, b)"), "service/x.py") == []


@pytest.mark.parametrize(
    ("handler", "broad"),
    [
        ("except Exception: pass", True),
        ("except: pass", True),
        ("except (OSError, BaseException) as error: log(error)", True),
        ("except BaseException:\n        close()\n        raise", False),
        ("except (OSError, ValueError): pass", False),
    ],
)
def test_broad_handlers_are_found(handler: str, broad: bool) -> None:
    """The name is that of the function, inside its class."""
    source = f"class A:\n  async def f(self):\n    try: pass\n    {handler}\n"
    assert broad_handlers(ast.parse(source), "x.py") == ({("x.py", "A.f")} if broad else set())
