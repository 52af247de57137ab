"""Reads a seccomp profile and refuses what it does not know.

The format is the ``linux.seccomp`` object of the OCI runtime specification (config-linux.md) with Docker's
``comment``. No input or output happens here, and no libseccomp: whether a syscall exists is the compiler's
question.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator

from seccomp.conflicts import refuse_conflicts
from seccomp.model import (
    Action,
    ActionKind,
    Architecture,
    Comparison,
    Operator,
    Profile,
    ProfileError,
    Rule,
)

EPERM = 1
_MAX_ERRNO = 4095  # the kernel cuts SECCOMP_RET_ERRNO down to this: MAX_ERRNO of include/linux/err.h
_MAX_WORD = (1 << 64) - 1
_MAX_INDEX = 5
_SYSCALL = re.compile(r"[a-z0-9_]+")


def parse_profile(text: str, origin: str) -> Profile:
    """The profile that ``text`` says. ProfileError names ``origin``, the entry and what is wrong with it."""
    top = _object(
        _load(text, origin), origin, known=("defaultAction", "defaultErrnoRet", "architectures", "syscalls")
    )
    default = _action(top, origin, "defaultAction", "defaultErrnoRet")
    rules: list[Rule] = []
    for number, entry in enumerate(_list(top.get("syscalls", []), f"{origin}: syscalls")):
        rules += _rules(entry, number, f"{origin}: syscalls[{number}]", default)
    profile = Profile(origin, default, _architectures(top, origin), tuple(rules))
    refuse_conflicts(profile)
    return profile


def _load(text: str, origin: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{origin}: not a JSON document: {error}") from error


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key!r} is given twice in one object")
        result[key] = value
    return result


def _rules(value: object, number: int, where: str, default: Action) -> Iterator[Rule]:
    entry = _object(value, where, known=("names", "action", "errnoRet", "args", "comment"))
    _string(entry.get("comment", ""), f"{where}.comment")
    action = _action(entry, where, "action", "errnoRet")
    names = _distinct(entry.get("names", []), f"{where}.names")
    if not names:
        raise ProfileError(f"{where}.names: expected at least one syscall")
    for place, name in enumerate(names):
        # What follows a NUL would be lost on the way to libseccomp.
        if not _SYSCALL.fullmatch(name):
            raise ProfileError(f"{where}.names[{place}]: {name!r} cannot be the name of a syscall")
    if action == default:
        raise ProfileError(
            f"{where} ({', '.join(names)}): {action} is what the default does already; remove it"
        )
    comparisons = _comparisons(entry.get("args", []), f"{where}.args")
    for name in names:
        yield Rule(name, action, comparisons, number)


def _action(holder: dict[str, object], where: str, key: str, errno_key: str) -> Action:
    if key not in holder:
        raise ProfileError(f"{where}: {key} is missing")
    kind = ActionKind(_word(holder[key], f"{where}.{key}", "action", tuple(ActionKind)))
    if kind is ActionKind.ERRNO:
        return Action(kind, _integer(holder.get(errno_key, EPERM), f"{where}.{errno_key}", 1, _MAX_ERRNO))
    if errno_key in holder:
        raise ProfileError(f"{where}.{errno_key}: {kind} returns no errno; only {ActionKind.ERRNO} does")
    return Action(kind)


def _comparisons(value: object, where: str) -> tuple[Comparison, ...]:
    comparisons: list[Comparison] = []
    for number, item in enumerate(_list(value, where)):
        comparison = _comparison(item, f"{where}[{number}]")
        if any(other.index == comparison.index for other in comparisons):
            # libseccomp cannot say it, and other readers turn the AND into an OR.
            raise ProfileError(f"{where}[{number}].index: argument {comparison.index} is compared twice")
        comparisons.append(comparison)
    return tuple(comparisons)


def _comparison(item: object, where: str) -> Comparison:
    entry = _object(item, where, known=("index", "value", "valueTwo", "op"))
    for key in ("index", "value", "op"):
        if key not in entry:
            raise ProfileError(f"{where}: {key} is missing")
    operator = Operator(_word(entry["op"], f"{where}.op", "operator", tuple(Operator)))
    index = _integer(entry["index"], f"{where}.index", 0, _MAX_INDEX)
    value = _integer(entry["value"], f"{where}.value", 0, _MAX_WORD)
    value_two = _integer(entry.get("valueTwo", 0), f"{where}.valueTwo", 0, _MAX_WORD)
    if operator is not Operator.MASKED_EQ and value_two:
        raise ProfileError(
            f"{where}.valueTwo: {operator} takes one value; only {Operator.MASKED_EQ} takes two"
        )
    if operator is Operator.MASKED_EQ and value_two & ~value:
        raise ProfileError(
            f"{where}.valueTwo: {value_two} has bits outside the mask {value}, so it never matches"
        )
    return Comparison(index, operator, value, value_two)


def _architectures(top: dict[str, object], origin: str) -> tuple[Architecture, ...]:
    where = f"{origin}: architectures"
    words = _distinct(top.get("architectures", []), where)
    return tuple(Architecture(_word(word, where, "architecture", tuple(Architecture))) for word in words)


def _object(value: object, where: str, known: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ProfileError(f"{where}: expected an object, not {_kind(value)}")
    for key in value:
        if key not in known:
            raise ProfileError(f"{where}: unknown key {key!r}{nearest(key, known)}")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ProfileError(f"{where}: expected a list, not {_kind(value)}")
    return value


def _distinct(value: object, where: str) -> tuple[str, ...]:
    seen: list[str] = []
    for number, item in enumerate(_list(value, where)):
        word = _string(item, f"{where}[{number}]")
        if word in seen:
            raise ProfileError(f"{where}[{number}]: {word!r} is named twice")
        seen.append(word)
    return tuple(seen)


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ProfileError(f"{where}: expected a string, not {_kind(value)}")
    return value


def _word(value: object, where: str, what: str, known: Collection[str]) -> str:
    word = _string(value, where)
    if word not in known:
        raise ProfileError(f"{where}: unknown {what} {word!r}; known are {', '.join(known)}")
    return word


def _integer(value: object, where: str, low: int, high: int) -> int:
    # JSON's true is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        shown = _kind(value) if not isinstance(value, int) else value
        raise ProfileError(f"{where}: expected an integer from {low} to {high}, not {shown}")
    return value


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def nearest(word: str, known: Collection[str]) -> str:
    """``; did you mean 'x'?`` when something known is near, else nothing."""
    matches = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
