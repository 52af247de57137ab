"""What a run may be asked for, and what a person may say of one."""

from __future__ import annotations

from typing import Any

import pytest

from service.errors import ValidationFailed
from service.improvement.runs.request import Usual, Verdict, parse_order, parse_verdict
from service.improvement.runs.values import Order

USUAL = Usual(3, 50_000)
HASH = "AB" * 20
NAME = ("ab" * 20, "f")


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({}, Order(3, 50_000)),
        ({"target": None, "max_candidates": None}, Order(3, 50_000)),
        ({"target": f"{HASH}/f"}, Order(3, 50_000, NAME)),
        ({"target": {"visible_pixel_hash": HASH, "function_name": "f"}}, Order(3, 50_000, NAME)),
        ({"max_candidates": 10, "budget_tokens": 16}, Order(10, 16)),
        ({"goal": "errors"}, Order(3, 50_000, None, "errors")),
    ],
)
def test_order(body: dict[str, Any], order: Order) -> None:
    """Nothing has to be said."""
    assert parse_order(body, USUAL) == order


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"target": "f"}, ["target"]),
        ({"target": f"{HASH}/"}, ["target"]),
        ({"target": f"{HASH}/f/g"}, ["target"]),
        ({"target": f"{HASH}/_private"}, ["target"]),
        ({"target": {"visible_pixel_hash": HASH}}, ["target"]),
        ({"target": {"visible_pixel_hash": 7, "function_name": "f"}}, ["target"]),
        ({"target": {"visible_pixel_hash": HASH, "function_name": ["f"]}}, ["target"]),
        ({"target": [HASH, "f"]}, ["target"]),
        ({"max_candidates": 0, "budget_tokens": 50_001}, ["max_candidates", "budget_tokens"]),
        ({"max_candidates": 11}, ["max_candidates"]),
        ({"max_candidates": True}, ["max_candidates"]),
        ({"budget_tokens": 15}, ["budget_tokens"]),
        ({"budget_tokens": "many"}, ["budget_tokens"]),
        ({"goal": "beauty"}, ["goal"]),
        ({"goal": ["errors"]}, ["goal"]),
        ({"what": 1}, ["what"]),
    ],
)
def test_bad_order(body: dict[str, Any], fields: list[str]) -> None:
    """Every member that is wrong is named."""
    with pytest.raises(ValidationFailed) as raised:
        parse_order(body, USUAL)
    assert [error.field for error in raised.value.errors] == fields


def test_verdict() -> None:
    """An approval, unless it is a refusal."""
    assert parse_verdict({}) == Verdict(approved=True, note="")
    assert parse_verdict({"approved": False, "note": "no"}) == Verdict(approved=False, note="no")


@pytest.mark.parametrize(
    "body", [{"approved": "yes"}, {"approved": 0}, {"note": 1}, {"note": "x" * 1001}, {"a": 1}]
)
def test_bad_verdict(body: dict[str, Any]) -> None:
    """Nothing that could be meant otherwise is taken for an approval."""
    with pytest.raises(ValidationFailed):
        parse_verdict(body)
