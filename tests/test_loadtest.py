"""scripts/loadtest.sh: what it is told, and the table that it makes of locust's figures. The load itself is a
command of its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.loadtest import KINDS, Line, Load, _line, main, summary

ROOT = Path(__file__).resolve().parent.parent
ECHO = [Line("Aggregated", 1000, 0, 50.0, 2.0, 3.0, 4.0)]


def test_summary() -> None:
    """A row for each name, the failures beside, and how it compares with bare echo."""
    lines = [
        Line("POST /execute", 10, 1, 5.0, 5.0, 9.0, 12.5),
        Line("Aggregated", 10, 1, 5.0, 5.0, 9.0, 12.5),
    ]
    text = summary(Load(40, 2.0, 15), lines, ECHO)
    assert "40 users, 2 requests per second" in text
    assert "| POST /execute | 10 | 1 | 5.0 | 5 | 9 | 12.5 | 2.5 |\n" in text
    assert "| all | 10 | 1 |" in text
    assert text.endswith("| bare echo | 1000 | 0 | 50.0 | 2 | 3 | 4 | 1.0 |\n")


def test_a_row_of_locust() -> None:
    """Its names for percentiles, and what it has when nothing was answered."""
    row = {"Type": "POST", "Name": "POST /x", "Request Count": "7", "Failure Count": "2", "Requests/s": "3.5"}
    times = {"50%": "4", "95%": "9", "99%": "N/A"}
    assert _line({**row, **times}) == Line("POST /x", 7, 2, 3.5, 4.0, 9.0, 0.0)
    assert _line({**row, **times, "Type": "WRONG"}).name == "WRONG POST /x"


@pytest.mark.parametrize(
    "options",
    [
        ["--users", "0"],
        ["--users", "many"],
        ["--seconds", "4"],
        ["--rate", "nan"],
        ["--rate", "-1"],
        ["Nobody"],
    ],
)
def test_wrong_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Are named, and nothing is started."""
    with pytest.raises(SystemExit) as raised:
        main(options)
    assert raised.value.code == 2
    assert options[-1] in capsys.readouterr().err


def test_every_kind_of_user_is_there() -> None:
    """Those that the script offers are classes of the locustfile, which says nothing else of itself."""
    tree = ast.parse((ROOT / "infra" / "locust" / "locustfile.py").read_text())
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {*KINDS, "Echo"} == {name for name in classes if not name.startswith("_")}
