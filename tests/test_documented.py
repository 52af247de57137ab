"""The documents say what is there: every route, field, member, verdict, error code, limit and command."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from service import cli
from service.app import ROUTES
from service.errors import KINDS
from service.execution.request import FIELDS
from service.pool.job import Timing, Usage, Verdict
from service.settings import Settings
from service.settings_table import OF_SCRIPTS, SETTINGS
from service.system.openapi import document

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
API = (DOCS / "api.md").read_text("utf-8")
EXECUTION = (DOCS / "execution.md").read_text("utf-8")


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    section = text.partition(f"\n{heading}\n")[2]
    assert section, f"no heading {heading}"
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows
    lines = rows[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(rows: list[list[str]]) -> list[str]:
    """What stands between backticks in each first cell."""
    return [row[0].strip("`") for row in rows]


def test_every_route() -> None:
    """In docs/api.md, with its method."""
    routes = [
        f"{method} {route.path}"
        for route in ROUTES
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]
    documented = re.findall(r"^\| `([A-Z]+ /\S*)` \|", API, re.MULTILINE)
    assert documented == routes


def field_rows() -> Iterator[str]:
    """The table of fields as docs/api.md has it."""
    for name, field in FIELDS.items():
        kinds: Any = field.schema.get("type", "any JSON" if not field.schema else "")
        if "enum" in field.schema:
            kinds = [f"`{value}`" for value in field.schema["enum"] if value]  # type: ignore[attr-defined]
        shown = kinds if isinstance(kinds, str) else " or ".join(kind for kind in kinds if kind != "null")
        yield f"| `{name}` | {shown} | {field.help} |"


def test_every_field() -> None:
    """The table is the one that the parser's own table makes."""
    section = API.partition("\n### Fields\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `.*$", section, re.MULTILINE) == list(field_rows())


def test_every_member_of_the_reply() -> None:
    """In docs/api.md as in the OpenAPI document."""
    schema = document(Settings.from_env({}))["components"]["schemas"]["Outcome"]
    rows = table(API, "### Reply")
    assert names(rows) == list(schema["properties"])
    meaning = {name: row[1] for name, row in zip(names(rows), rows, strict=True)}
    for member, cls in (("usage", Usage), ("timing", Timing)):
        assert set(re.findall(r"`(\w+)`", meaning[member])) == set(cls.__slots__)
        assert set(schema["properties"][member]["properties"]) == set(cls.__slots__)


def test_every_verdict() -> None:
    """In docs/api.md; those of a limit in docs/execution.md too."""
    assert names(table(API, "### Verdicts")) == list(get_args(Verdict))
    limits = {"timeout", "cpu", "memory", "output", "disk", "syscall"}
    assert set(names(table(EXECUTION, "## Limits"))) == limits


def test_every_error_code() -> None:
    """With its status; docs/errors.md, which is generated, has the rest."""
    rows = {int(row[0]): re.findall(r"`(\w+)`", row[1]) for row in table(API, "### Errors")}
    kinds = [(kind.status, kind.code) for kind in KINDS.values()]
    assert [(status, code) for status, codes in rows.items() for code in codes] == kinds


@pytest.mark.parametrize("path", sorted([*DOCS.glob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    """No document names a setting that is none."""
    known = {setting.name for setting in SETTINGS}
    assert set(re.findall(r"\bLARS_[A-Z_]+[A-Z]\b", path.read_text("utf-8"))) <= known | set(OF_SCRIPTS)


@pytest.mark.parametrize("path", sorted([*DOCS.glob("*.md"), ROOT / "README.md"]), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link names a file."""
    for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_command_has_help() -> None:
    """Each subcommand and each option says what it does."""
    parser = cli._parser()
    (commands,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    assert {"serve", "run", "doctor"} <= set(commands.choices)
    assert len(commands._choices_actions) == len(commands.choices)
    for command in commands.choices.values():
        assert all(action.help for action in command._actions)
