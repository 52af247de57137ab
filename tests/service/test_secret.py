"""A secret shows itself only to ``reveal``."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from service.secret import Secret

TEXT = "sk-hush-hush"


@dataclass(frozen=True, slots=True)
class _Holder:
    key: Secret


def test_hidden_wherever_it_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    """repr, str, format, a dataclass's repr and a log line hold no part of it."""
    secret = Secret(TEXT)
    logging.getLogger("test").warning("%s %r", secret, _Holder(secret))
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>30}",
        repr(_Holder(secret)),
        caplog.text,
    ):
        assert "Secret(hidden)" in shown
        assert "hush" not in shown


def test_value() -> None:
    """It compares, hashes and is true or false by its text."""
    assert Secret(TEXT).reveal() == TEXT
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret(TEXT + "x")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1
    assert Secret("x")
    assert not Secret("")
    assert Secret("\u00e9") == Secret("\u00e9")
