"""Sizes as people write them: ``100m``, ``1g``, ``512k``, ``100MB``, ``100MiB``, ``4096``.

One parser for settings and for request fields, so that "100m" means the same bytes everywhere. Pure.
"""

from __future__ import annotations

import re

# Docker's meaning: k, m and g are powers of 1024, and a trailing "b" or "ib" in either case changes nothing.
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_SIZE = re.compile(r"([0-9]{1,18}) ?(?:([kmg])i?b?|b)?", re.ASCII | re.IGNORECASE)
MAX_SIZE = 2**63 - 1


class UnitError(ValueError):
    """The text is not a size. The message names the text and the accepted forms."""


def parse_size(text: str) -> int:
    """Bytes meant by ``text``; never negative, at most 2**63 - 1. UnitError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UnitError(f"{text[:40]!r} is not a size; write whole bytes, or a number and k, m or g (100m)")
    size = int(match[1]) * _FACTORS[(match[2] or "").lower()]
    if size > MAX_SIZE:
        raise UnitError(f"{text[:40]!r} is more than {MAX_SIZE} bytes; write a smaller size")
    return size


def format_size(size: int) -> str:
    """The shortest text that ``parse_size`` reads back as exactly ``size`` bytes: 268435456 is ``256m``."""
    for unit in ("g", "m", "k"):
        if size and size % _FACTORS[unit] == 0:
            return f"{size // _FACTORS[unit]}{unit}"
    return str(size)
