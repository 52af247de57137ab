"""What another signature has that the one before had not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from service.improvement.trial.comparing import same

_SHOWN = 200


def signature_change(before: str, after: str) -> str:
    """The first difference of two signatures, as JSON of ``sandbox_runtime.function.Signature``; "" where
    callers see none. Docstring and line are free."""
    old, new = orjson.loads(before), orjson.loads(after)
    found = _of_parameters(old["parameters"], new["parameters"])
    for member in ("returns", "is_async"):
        found = found or _of_member(member, old.get(member), new.get(member))
    return found


def _of_parameters(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> str:
    names, others = [each["name"] for each in old], [each["name"] for each in new]
    if names != others:
        return f"the parameters are ({', '.join(others)[:_SHOWN]}), expected ({', '.join(names)[:_SHOWN]})"
    for one, other in zip(old, new, strict=True):
        for member in one:
            found = _of_member(f"{member} of parameter {one['name']}", one[member], other.get(member))
            if found:
                return found
    return ""


def _of_member(what: str, old: object, new: object) -> str:
    one, other = orjson.dumps(old), orjson.dumps(new)
    return "" if same(one, other) else f"{what} is {_cut(other)}, expected {_cut(one)}"


def _cut(text: bytes) -> str:
    return text[:_SHOWN].decode(errors="replace")
