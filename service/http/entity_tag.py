"""Whether a caller has already what would be answered. Pure."""

from __future__ import annotations

from typing import Final

_ANY: Final = "*"


def is_known(if_none_match: str | None, tag: str) -> bool:
    """``tag`` with its quotes. Compared weakly (RFC 9110 section 13.1.2): no tag of ours has a comma."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == _ANY:
        return True
    return tag in {given.strip().removeprefix("W/") for given in if_none_match.split(",")}
