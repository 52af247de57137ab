"""docs/planner.md says what is there."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox_runtime.planner.decisions import asks_another, is_trouble
from sandbox_runtime.planner.model import CallFailed
from sandbox_runtime.planner.prompting import RULES
from sandbox_runtime.planner.providers.seat import MODELS
from sandbox_runtime.planning import FAILURES, PROMPT_VERSIONS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "planner.md").read_text("utf-8")


def _rows(heading: str) -> list[list[str]]:
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_models() -> None:
    """The usual one of each provider."""
    assert {row[0].strip("`"): row[-1].strip("`") for row in _rows("Providers")} == MODELS


def test_prompts() -> None:
    """Their files."""
    files = {task: f"`{task}.{version}.txt`" for task, version in PROMPT_VERSIONS.items()}
    assert {row[0]: row[1] for row in _rows("What is sent")} == files
    assert set(files) == set(RULES)


def test_beginnings_of_prompts() -> None:
    """By which a handler in the place of a model tells them apart."""
    told = re.findall(r"`(You [\w ]+)`", TEXT)
    assert (
        len(told) == len(RULES) == len({rules for rules in RULES.values() if rules.startswith(tuple(told))})
    )


def test_failures() -> None:
    """Every code, whether another provider is asked, and what the breaker minds."""
    rows = {row[0].strip("`"): row for row in _rows("When a call fails")}
    assert set(rows) == FAILURES
    for code in FAILURES - {"planner_not_configured", "llm_spend_limit"}:
        failed = CallFailed(code, "")
        assert (rows[code][3], rows[code][4]) == (_word(asks_another(failed)), _word(is_trouble(failed)))


def _word(yes: bool) -> str:
    return "yes" if yes else "no"


def test_attributes_of_spans() -> None:
    """In the text as in the code."""
    code = (Path(__file__).resolve().parents[2] / "sandbox_runtime/planner/tracing.py").read_text("utf-8")
    assert set(re.findall(r'"(gen_ai\.[a-z_.]+)"', code)) == set(re.findall(r"`(gen_ai\.[a-z_.]+)`", TEXT))
