"""Whether two plans do the same: the first difference between their replies and their data, in words. Pure.

Of an error, status and code count, for its words are free. Of headers only Location does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.rest.links import uri
from service.rest.proof.observed import Observed
from service.rest.proof.samples import Sample

_SHOWN = 100


def reply_difference(samples: Sequence[Sample], mine: Sequence[Observed], due: Sequence[Observed]) -> str:
    """``mine`` against ``due``, sample by sample; "" where they agree."""
    for sample, one, other in zip(samples, mine, due, strict=True):
        if one.status != other.status:
            return f"{sample}: the status is {one.status}, expected {other.status}"
        if other.status < 400:
            found = difference("the body", one.body, other.body)
            found = found or difference("Location", _location(one), _location(other))
        else:
            found = difference("the code", one.code or other.code, other.code)
        if found:
            return f"{sample}: {found}"
    return ""


def difference(where: str, mine: Any, due: Any) -> str:
    """The first place where two JSON values differ; "" where they are equal. 1, 1.0 and true are not."""
    if isinstance(mine, dict) and isinstance(due, dict):
        return _of_members(where, mine, due)
    if isinstance(mine, list) and isinstance(due, list):
        for at, (one, other) in enumerate(zip(mine, due, strict=False)):
            found = difference(f"{where}[{at}]", one, other)
            if found:
                return found
        if len(mine) != len(due):
            return f"{where} has {len(mine)} items, expected {len(due)}"
        return ""
    same = type(mine) is type(due) and mine == due
    return "" if same else f"{where} is {_shown(mine)}, expected {_shown(due)}"


def _location(seen: Observed) -> str | None:
    given = next((value for name, value in seen.headers.items() if name.lower() == "location"), None)
    return None if given is None else uri(given)


def _of_members(where: str, mine: dict[str, Any], due: dict[str, Any]) -> str:
    for name, expected in due.items():
        if name not in mine:
            return f"{where} lacks the member {_shown(name)}"
        found = difference(f"{where}[{_shown(name)}]", mine[name], expected)
        if found:
            return found
    more = [name for name in mine if name not in due]
    return f"{where} has the member {_shown(more[0])}, which is not expected" if more else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
