"""The bodies of POST /self-improve/auto-enhance and of an approval: JSON objects in, values out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from service.errors import FieldError, ValidationFailed
from service.functions.names import is_function, read_hash
from service.http.members import read_members, text, whole_number
from service.improvement.runs.values import MAX_CANDIDATES, Name, Order
from service.improvement.trial.values import Goal

_Reader = Callable[[Any, None], Any]
MAX_NOTE: Final = 1000
MIN_TOKENS: Final = 16
_TARGET: Final = '"HASH/NAME", or {"visible_pixel_hash": …, "function_name": …}'


@dataclass(frozen=True, slots=True)
class Usual:
    """What a run gets that does not say. ``tokens`` is also the most that it may ask for."""

    candidates: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's. ``note``: why, "" where nothing is said."""

    approved: bool
    note: str


def parse_order(body: Mapping[str, Any], usual: Usual) -> Order:
    """ValidationFailed."""
    values = read_members(body, _ORDER, None)
    candidates = values.get("max_candidates", usual.candidates)
    tokens = values.get("budget_tokens", usual.tokens)
    errors = [
        *_out_of_range("max_candidates", candidates, 1, MAX_CANDIDATES),
        *_out_of_range("budget_tokens", tokens, MIN_TOKENS, usual.tokens, "LARS_IMPROVE_TOKENS"),
    ]
    if errors:
        raise ValidationFailed(errors)
    return Order(candidates, tokens, values.get("target"), values.get("goal"))


def parse_verdict(body: Mapping[str, Any]) -> Verdict:
    """An approval unless it says otherwise. ValidationFailed."""
    values = read_members(body, _VERDICT, None)
    return Verdict(values.get("approved", True), values.get("note", ""))


def _out_of_range(name: str, value: int, low: int, high: int, setting: str = "") -> list[FieldError]:
    if low <= value <= high:
        return []
    remedy = f"send {low} to {high}" + (f"; {setting} raises the limit" if setting else "")
    return [FieldError(name, "is out of range", remedy, value, high)]


def _target(value: Any, _: None) -> Name:
    if isinstance(value, dict) and value.keys() == {"visible_pixel_hash", "function_name"}:
        contract, name = value["visible_pixel_hash"], value["function_name"]
    elif isinstance(value, str):
        contract, name = (*value.split("/", 1), None)[:2]
    else:
        raise ValueError(f"send {_TARGET}")
    found = read_hash(contract) if isinstance(contract, str) else None
    if found is None or not isinstance(name, str) or not is_function(name):
        raise ValueError(f"send {_TARGET}: 40 to 64 hexadecimal digits, and the name of a function")
    return found, name


def _goal(value: Any, _: None) -> str:
    if value not in get_args(Goal):
        raise ValueError(f"send {' or '.join(get_args(Goal))}")
    return str(value)


def _flag(value: Any, _: None) -> bool:
    if not isinstance(value, bool):
        raise ValueError("send true or false")
    return value


def _note(value: Any, _: None) -> str:
    if len(text(value, _)) > MAX_NOTE:
        raise ValueError(f"send at most {MAX_NOTE} characters")
    return str(value)


_ORDER: Final[Mapping[str, _Reader]] = {
    "target": _target,
    "goal": _goal,
    "max_candidates": whole_number,
    "budget_tokens": whole_number,
}
_VERDICT: Final[Mapping[str, _Reader]] = {"approved": _flag, "note": _note}
