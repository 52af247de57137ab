"""If-None-Match, as RFC 9110 section 13.1.2 has it."""

from __future__ import annotations

import pytest

from service.http.entity_tag import is_known


@pytest.mark.parametrize(
    ("given", "known"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ('"a', False),
    ],
)
def test_what_the_caller_has(given: str | None, known: bool) -> None:
    assert is_known(given, '"a"') is known
