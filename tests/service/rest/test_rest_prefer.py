"""The Prefer header: what is understood, and the one form it has afterwards."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rest.prefer import NO_PREFERENCES, Preferences, parse_prefer


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", NO_PREFERENCES),
        ("return=minimal", Preferences(returns="minimal")),
        ('RETURN = "Representation"; foo=bar', Preferences(returns="representation")),
        ("return=minimal, return=representation", Preferences(returns="minimal")),
        ("return=other", NO_PREFERENCES),
        ("handling=strict,tx=rollback", Preferences(handling="strict", transaction="rollback")),
        ("max-affected=10 , x", Preferences(max_affected=10)),
        ("max-affected=0", Preferences(max_affected=0)),
        ("max-affected=-1", NO_PREFERENCES),
        ("max-affected=1e3", NO_PREFERENCES),
        ("max-affected=9999999999", NO_PREFERENCES),
        ("max-affected", NO_PREFERENCES),
        ('x="max-affected=5, return=minimal"', NO_PREFERENCES),
        ("((( , tx=commit", Preferences(transaction="commit")),
        ("dialect=json-server", Preferences(dialect="json-server")),
        ("dialect=sql", NO_PREFERENCES),
    ],
)
def test_preferences(header: str, expected: Preferences) -> None:
    """Unknown and malformed ones are as if absent; of several the first counts."""
    assert parse_prefer(header) == expected


def test_tokens_hold_no_number() -> None:
    """The number is a value: requests that differ in it share a plan."""
    tokens = parse_prefer("max-affected=3, tx=rollback").tokens()
    assert tokens == ("max-affected", "tx=rollback")
    assert parse_prefer("tx=rollback, max-affected=4").tokens() == tokens


@given(st.text(max_size=200))
def test_the_canonical_form_means_the_same(header: str) -> None:
    """And is its own canonical form."""
    parsed = parse_prefer(header)
    assert parse_prefer(parsed.canonical()) == parsed


@pytest.mark.parametrize(
    "header", ["," * 100_000, '"' * 100_000, "a=" * 50_000, 'a="' + "\\" * 99_999, " " * 100_000]
)
def test_hostile_headers_take_no_time(header: str) -> None:
    """A parser that tried every split would need minutes."""
    begin = time.process_time()
    assert parse_prefer(header) == NO_PREFERENCES
    assert time.process_time() - begin < 1
