"""Durations as ISO 8601 writes them (RFC 3339 appendix A): ``P3DT4H5M6.5S``, ``P2W``; a minus before all."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(
    r"([+-]?)P(?=.)(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=.)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:\.([0-9]{1,6}))?S)?)?"
)
_MICROSECOND = timedelta(microseconds=1)


def duration_from_text(text: str) -> timedelta:
    """ValueError when it is none (years and months are not: they have no fixed length); OverflowError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    sign, *numbers, fraction = match.groups()
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    found = timedelta(
        weeks=weeks,
        days=days,
        hours=hours,
        minutes=minutes,
        seconds=seconds,
        microseconds=int((fraction or "").ljust(6, "0")),
    )
    return -found if sign == "-" else found


def duration_as_text(value: timedelta) -> str:
    """Days, then seconds: ``P1DT3600S``, ``PT0S``."""
    whole = abs(value) // _MICROSECOND if value != timedelta.min else -(timedelta.min // _MICROSECOND)
    seconds, fraction = divmod(whole, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    part = f".{fraction:06}".rstrip("0") if fraction else ""
    time = f"T{seconds}{part}S" if seconds or fraction or not days else ""
    return f"{'-' if value < timedelta(0) else ''}P{f'{days}D' if days else ''}{time}"
