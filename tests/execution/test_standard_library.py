"""Every module of the standard library that the base interpreter can import, a program can import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.support import BASE_PYTHON, Sandboxes

# What may fail in the jail alone, and why. Nothing so far.
ALLOWED: Mapping[str, str] = {}
# Importing these does something other than giving a module.
NOT_IMPORTED = frozenset(("antigravity", "idlelib", "this", "turtledemo", "__main__"))

_PROGRAM = """
import contextlib, importlib, io, json, sys, warnings
warnings.simplefilter("ignore")
failed = {}
for name in sorted(NAMES):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(name)
    except Exception as error:
        failed[name] = type(error).__name__
print(json.dumps([sorted(set(NAMES) - set(failed)), failed]))
"""


def _program() -> str:
    names = [name for name in sorted(sys.stdlib_module_names) if name not in NOT_IMPORTED]
    return f"NAMES = {names!r}\n{_PROGRAM}"


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """One sandbox for the module."""
    with Sandboxes() as running:
        yield running


def test_every_module(sandboxes: Sandboxes) -> None:
    """The same modules import, and the same fail for the same reason, but for the table."""
    python = BASE_PYTHON
    command = [python, "-X", "utf8", "-c", _program()]
    base = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
    outcome = sandboxes.run(_program(), memory=1 << 30)
    assert (outcome.verdict, outcome.stderr.text) == ("ok", "")
    wanted, base_failed = json.loads(base.stdout)
    got, failed = json.loads(outcome.stdout.text)
    assert {name: why for name, why in failed.items() if name not in base_failed} == dict(ALLOWED)
    assert set(got) == set(wanted) - set(ALLOWED)
    assert len(got) > 200


@pytest.mark.parametrize(
    "module", ["asyncio", "ssl", "sqlite3", "multiprocessing", "ctypes", "curses", "zoneinfo"]
)
def test_first_import(sandboxes: Sandboxes, module: str) -> None:
    """Also alone, as a program's first statement."""
    outcome = sandboxes.run(f"import {module}\nresult = {module}.__name__")
    assert (outcome.verdict, outcome.result, outcome.stderr.text) == ("ok", f'"{module}"'.encode(), "")


def test_random_state_is_fresh(sandboxes: Sandboxes) -> None:
    """Every source of randomness differs from program to program."""
    imports = "import random, os, uuid, secrets"
    source = (
        f"{imports}\nresult = [random.random(), list(os.urandom(8)), uuid.uuid4().hex, secrets.token_hex()]"
    )
    runs = [json.loads(sandboxes.run(source).result or b"[]") for _ in range(5)]
    assert [len({str(run[place]) for run in runs}) for place in range(4)] == [5] * 4
