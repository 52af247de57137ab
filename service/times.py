"""Times and durations as people write them and as answers show them. Pure.

A duration is a whole number and s, m, h, d or w: ``30m``, ``24h``, ``90d``. A moment is an ISO 8601 date or
time, in UTC unless it says otherwise (RFC 3339 is a part of that).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FACTORS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])", re.ASCII)
_SHOWN = 40


def parse_duration(text: str) -> int:
    """Seconds; ``0`` needs no unit. ValueError names the text and the form."""
    if text.strip() == "0":
        return 0
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"{text[:_SHOWN]!r} is not a duration; write 30m, 24h, 90d or 4w, or 0")
    return int(match[1]) * _FACTORS[match[2]]


def parse_moment(text: str, now: float) -> float:
    """Seconds since the epoch of a moment, or of ``now`` and a duration. ValueError names the text and the
    forms."""
    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text[:_SHOWN]!r} is not a time; write 2027-01-01, 2027-01-01T12:00:00Z or a duration (90d)"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def shown_time(seconds: float) -> str:
    """In UTC, to the second: ``2027-01-01T12:00:00Z`` (RFC 3339)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
