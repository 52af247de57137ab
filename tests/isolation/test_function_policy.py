"""The policy ``function`` in the jail: a worker judges, and what is admitted runs with its builtins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Sandboxes


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    with Sandboxes() as started:
        yield started


ORDINARY = """
from __future__ import annotations
import datetime, json, re
from dataclasses import asdict, dataclass, field
from enum import Enum

class Kind(Enum):
    A = "a"

@dataclass(order=True)
class Row:
    day: datetime.date
    tags: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.__class__.__name__} {self.day:%d.%m.}"

row = Row(datetime.datetime.strptime("2024-05-01", "%Y-%m-%d").date(), re.findall("[a-z]", "a1b"))
print(row, json.dumps(asdict(row)["tags"]), Kind("a").name)
"""


def test_ordinary_module_runs(sandboxes: Sandboxes) -> None:
    outcome = sandboxes.run(ORDINARY, policy="function")
    assert (outcome.verdict, outcome.stdout.text) == ("ok", 'Row 01.05. ["a", "b"] A\n')


def test_hostile_module_is_refused_where_it_stands(sandboxes: Sandboxes) -> None:
    outcome = sandboxes.run("import math\nimport os\n", policy="function", only_judge=True)
    assert outcome.report is not None
    assert outcome.report.refusal is not None
    refusal = outcome.report.refusal
    assert (outcome.verdict, refusal.rule, refusal.line, refusal.column) == ("rejected", "import", 2, 8)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        pytest.param("getattr(print, '__se' + 'lf__')", "TypeError", id="attribute"),
        pytest.param("type(type(1))", "TypeError", id="class of a class"),
        pytest.param("import uuid\nfor m in [uuid]: m.os", "AttributeError", id="module"),
        pytest.param("for open in []: pass\nopen('/etc/passwd')", "NameError", id="builtin"),
    ],
)
def test_what_the_judge_cannot_see_fails_in_the_run(sandboxes: Sandboxes, source: str, error: str) -> None:
    outcome = sandboxes.run(source, policy="function")
    assert outcome.report is not None
    assert outcome.report.exception is not None
    assert (outcome.verdict, outcome.report.exception.type) == ("exception", error)
    assert sandboxes.run(source).verdict == "ok"  # the control
