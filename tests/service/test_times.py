"""Times and durations: what each spelling means, and that nothing else is read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.times import parse_duration, parse_moment, shown_time

NEW_YEAR = 1_798_761_600.0  # 2027-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("15s", 15),
        ("30m", 1800),
        ("24h", 86_400),
        ("90d", 7_776_000),
        ("2w", 1_209_600),
        (" 1H ", 3600),
    ],
)
def test_duration(text: str, seconds: int) -> None:
    """A number and its unit."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "1", "-1h", "1.5h", "1 h", "1y", "h1", "1h2m", "9999999999s", "\u0661h"]
)
def test_no_duration(text: str) -> None:
    """The error has the text and the form."""
    with pytest.raises(ValueError, match="write 30m, 24h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90d", 7_777_000.0),
        ("2027-01-01", NEW_YEAR),
        ("2027-01-01T00:00:00Z", NEW_YEAR),
        ("2027-01-01 00:00", NEW_YEAR),
        ("2027-01-01T01:30:00+01:30", NEW_YEAR),
        ("1969-12-31", -86_400.0),
    ],
)
def test_moment(text: str, moment: float) -> None:
    """In UTC, unless it says otherwise; a duration counts from now."""
    assert parse_moment(text, 1000.0) == moment


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "2027-02-29", "1798761600", "01.02.2027"])
def test_no_moment(text: str) -> None:
    """The error has the text and the forms."""
    with pytest.raises(ValueError, match="is not a time; write 2027-01-01"):
        parse_moment(text, 0.0)


@given(st.integers(0, 253_402_300_799))
def test_what_is_shown_is_read(seconds: int) -> None:
    """Every second of the years that RFC 3339 can write."""
    assert parse_moment(shown_time(seconds), 0.0) == seconds


@given(st.text(max_size=20))
def test_any_text(text: str) -> None:
    """Is a time or a ValueError."""
    with contextlib.suppress(ValueError):
        assert isinstance(parse_moment(text, 0.0), float | int)
