"""What a key may be, and what state it is in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from service.access.principal import Key, KeySpec
from service.control.key_rules import MAX_OVERLAP, State, check_overlap, check_spec, state_of
from service.errors import ValidationFailed
from tests.service.control.made import MISSING_ID, SPEC

NOW = 1000.0
KEY = Key(MISSING_ID, SPEC, b"", NOW, 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda spec: replace(spec, name=""), "name"),
        (lambda spec: replace(spec, name=" "), "name"),
        (lambda spec: replace(spec, name="x" * 101), "name"),
        (lambda spec: replace(spec, name="a\nb"), "name"),
        (lambda spec: replace(spec, name="\ud800"), "name"),
        (lambda spec: replace(spec, description="x" * 1001), "description"),
        (lambda spec: replace(spec, description="\0"), "description"),
        (lambda spec: replace(spec, scopes=frozenset()), "scopes"),
        (lambda spec: replace(spec, expires=NOW), "expires"),
        (lambda spec: replace(spec, expires=math.nan), "expires"),
        (lambda spec: replace(spec, expires=math.inf), "expires"),
    ],
)
def test_a_key_that_cannot_be(change: Callable[[KeySpec], KeySpec], field: str) -> None:
    """The field is named, and no other."""
    with pytest.raises(ValidationFailed) as caught:
        check_spec(change(SPEC), NOW)
    assert [error.field for error in caught.value.errors] == [field]


def test_every_fault_is_told() -> None:
    """At once."""
    with pytest.raises(ValidationFailed) as caught:
        check_spec(KeySpec("", "prod", frozenset(), "\0", expires=0), NOW)
    assert [error.field for error in caught.value.errors] == ["name", "description", "scopes", "expires"]


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, name="x"),
        replace(SPEC, name="x" * 100),
        replace(SPEC, name="Ünïcode 名前"),
        replace(SPEC, description="x" * 998 + "\n\t"),
        replace(SPEC, expires=NOW + 1),
    ],
)
def test_a_key_that_can_be(spec: KeySpec) -> None:
    """Each at a limit."""
    check_spec(spec, NOW)


@pytest.mark.parametrize("overlap", [-1, MAX_OVERLAP + 1, math.nan, math.inf])
def test_an_overlap_that_cannot_be(overlap: float) -> None:
    """The limit is named; 0 and the limit itself can be."""
    with pytest.raises(ValidationFailed, match=str(MAX_OVERLAP)):
        check_overlap(overlap)
    check_overlap(0)
    check_overlap(MAX_OVERLAP)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (KEY, "active"),
        (replace(KEY, previous_until=NOW + 1), "rotating"),
        (replace(KEY, previous_until=NOW), "active"),
        (replace(KEY, spec=replace(SPEC, expires=NOW + 1)), "active"),
        (replace(KEY, spec=replace(SPEC, expires=NOW), previous_until=NOW + 1), "expired"),
        (replace(KEY, spec=replace(SPEC, expires=NOW), revoked=NOW), "revoked"),
    ],
)
def test_state(key: Key, state: State) -> None:
    """What ends a key wins over what changes it."""
    assert state_of(key, NOW) == state
