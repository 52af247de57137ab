"""Programs print, fail and exit in the sandbox as under ``python3 main.py``, or the docs say why not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.pool.job import Outcome
from tests.execution.interpreter import End, base_interpreter, comparable
from tests.execution.programs import DIFFERENCES, DIFFERENT, PROGRAMS, Case
from tests.support import Sandboxes

DOCS = Path(__file__).resolve().parents[2] / "docs" / "execution.md"


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """One sandbox for all programs: each gets a fresh worker anyway."""
    with Sandboxes() as running:
        yield running


def _in_sandbox(sandboxes: Sandboxes, case: Case) -> End:
    outcome: Outcome = sandboxes.run(case.source, stdin=case.stdin, argv=case.argv, output=1 << 22)
    return comparable(outcome.stdout.text, outcome.stderr.text, outcome.exit_code)


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.name)
def test_same_as_main_script(sandboxes: Sandboxes, tmp_path: Path, case: Case) -> None:
    """stdout, stderr and exit status, byte for byte."""
    assert _in_sandbox(sandboxes, case) == base_interpreter(case, tmp_path)


@pytest.mark.parametrize("case", DIFFERENT, ids=lambda case: case.name)
def test_documented_difference(sandboxes: Sandboxes, tmp_path: Path, case: Case) -> None:
    """Differs in just the versions it is said to differ in: a mended difference is an ordinary case."""
    difference = DIFFERENCES[case.name]
    differs = _in_sandbox(sandboxes, case) != base_interpreter(case, tmp_path)
    assert differs == (difference.since <= sys.version_info[:2] < difference.before)


def test_every_difference_is_documented() -> None:
    """Each reason heads a paragraph of docs/execution.md, and a program shows each paragraph."""
    _, _, section = DOCS.read_text("utf-8").partition("## Differences from `python3 main.py`\n")
    headings = {line[4:].partition(".**")[0] for line in section.splitlines() if line.startswith("- **")}
    assert headings == {difference.reason for difference in DIFFERENCES.values()}
    assert {case.name for case in DIFFERENT} == set(DIFFERENCES)


def test_names_are_unique() -> None:
    """A name finds one program, and the corpus is not lost by a mistake in reading it."""
    names = [case.name for case in (*PROGRAMS, *DIFFERENT)]
    assert len(names) == len(set(names))
    assert len(PROGRAMS) > 300
