"""Runs the prober and whole programs in children of the tests, under filters given as bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyseccomp

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
_PATIENCE = 50  # s, below pytest's own timeout


@dataclass(frozen=True, slots=True)
class Filters:
    """The two filters in the order they are installed; empty for none."""

    zygote: bytes = b""
    worker: bytes = b""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left: its exit status (128 + signal) and its output."""

    status: int
    stdout: str
    stderr: str


Call = tuple[int | str, ...]


def number_of(name: str) -> int:
    """The system call's number on this machine; negative when this machine has none of that name."""
    number: int = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    return number


def name_of(number: int) -> str | None:
    """The system call's name on this machine; None when libseccomp knows none."""
    try:
        name: bytes = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, number)
    except ValueError:
        return None
    return name.decode()


def probe(filters: Filters, calls: Sequence[Call], directory: Path) -> list[int | None]:
    """The errno of each call (see syscall_prober.py), None when it ended the child."""
    finished = _run("syscall_prober.py", _files(filters, directory), json.dumps(calls))
    if finished.status:
        raise RuntimeError(finished.stderr)
    outcomes: list[int | None] = json.loads(finished.stdout)
    return outcomes


def run_program(filters: Filters, program: str, directory: Path) -> Finished:
    """Run the dedented source under the filters."""
    file = directory / "main.py"
    file.write_text(textwrap.dedent(program))
    return _run("filtered_program.py", [*_files(filters, directory), str(file)], "")


def _files(filters: Filters, directory: Path) -> list[str]:
    paths = []
    for name, program in (("zygote", filters.zygote), ("worker", filters.worker)):
        path = directory / f"{name}.bpf"
        path.write_bytes(program)
        paths.append(str(path) if program else "-")
    return paths


def _run(script: str, arguments: list[str], stdin: str) -> Finished:
    finished = subprocess.run(
        [sys.executable, str(HERE / script), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
        check=False,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr)
