"""The arguments of one call, from the members of a JSON object and the texts of a query string."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sandbox_runtime.function import BODY, MAX_WRONG, WrongArgument
from sandbox_runtime.functions.containers import Wrongs
from sandbox_runtime.functions.form import Form, Mismatch, Mismatches, read_json, shown
from sandbox_runtime.functions.records import MISSING, UNKNOWN, near_name
from sandbox_runtime.functions.signature import Function, Slot

Query = Mapping[str, str | list[str]]
_Given = tuple[bool, Any]  # whether it came as text, and what came
_LONGEST = 500  # characters of a text about an argument; there may be fifty
_OBJECT = "a JSON object whose members are the arguments"


class WrongArguments(Exception):
    """All that is wrong with them."""

    def __init__(self, found: list[WrongArgument]) -> None:
        super().__init__(f"{len(found)} arguments cannot be accepted")
        self.found = tuple(found[:MAX_WRONG])


def members_of(text: bytes | None) -> dict[str, Any]:
    """Of a JSON object, with integers of any size. WrongArguments when it is none, or too deep to be read."""
    if text is None:
        return {}
    try:
        members = read_json(text.decode())
    except RecursionError as error:
        wrong = WrongArgument(BODY, "is nested too deeply", _OBJECT)
        raise WrongArguments([wrong]) from error
    except ValueError as error:
        raise WrongArguments([WrongArgument(BODY, f"is not read: {error}"[:200], _OBJECT)]) from error
    if type(members) is not dict:
        raise WrongArguments([WrongArgument(BODY, "is no object", _OBJECT, shown(members))])
    return members


def bind(function: Function, members: Mapping[str, Any], query: Query) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of a call. WrongArguments names every one that is wrong, missing or
    unknown."""
    given: dict[str, _Given] = {name: (True, value) for name, value in query.items()}
    wrong = [_twice(name) for name in query if name in members]
    for name, value in members.items():
        given[name] = (False, value)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for slot in function.slots:
        try:
            _fill(slot, given, positional, named)
        except Mismatch as error:
            wrong.append(_wrong(slot.name, error))
        except Mismatches as errors:
            wrong += [_wrong(slot.name, error) for error in errors.found]
        except RecursionError:
            wrong.append(WrongArgument(slot.name, "is nested too deeply", slot.form.expected))
    known = [slot.name for slot in function.slots if slot.kind != "varkwargs"]
    wrong += [_wrong(name, Mismatch(near_name(name, known), UNKNOWN)) for name in given]
    if wrong:
        raise WrongArguments(wrong)
    return positional, named


def _fill(slot: Slot, given: dict[str, _Given], positional: list[Any], named: dict[str, Any]) -> None:
    """Take out of ``given`` what is this parameter's."""
    if slot.kind == "varkwargs":
        wrongs = Wrongs()
        for name, (is_text, value) in given.items():
            convert = partial(_converted, slot.form, is_text)
            named[name] = wrongs.convert(f".{name[:40]}", convert, value)
        given.clear()
        wrongs.settle()
    elif slot.name in given:
        is_text, value = given.pop(slot.name)
        found = _converted(slot.form, is_text, value)
        if slot.kind == "varargs":
            positional += found
        elif slot.kind == "keyword":
            named[slot.name] = found
        else:
            positional.append(found)
    elif slot.required:
        raise Mismatch(slot.form.expected, MISSING)
    elif slot.kind in ("positional", "either"):
        positional.append(slot.default)


def _converted(form: Form, is_text: bool, value: Any) -> Any:
    if not is_text:
        return form.from_json(value)
    return form.from_texts(value) if isinstance(value, list) else form.from_text(value)


def _wrong(name: str, error: Mismatch) -> WrongArgument:
    where, expected = _told(f"{name[:100]}{error.where}"), _told(error.expected)
    if error.value is MISSING:
        return WrongArgument(where, "is missing", expected)
    if error.value is UNKNOWN:
        return WrongArgument(where, "is no parameter" if not error.where else "is no member", expected)
    return WrongArgument(where, _told(error.why) or "does not fit", expected, shown(error.value))


def _told(text: str) -> str:
    """As an answer has room for it; JSON may hold half of a surrogate pair, and UTF-8 may not."""
    return text[:_LONGEST].encode("utf-8", "backslashreplace").decode()


def _twice(name: str) -> WrongArgument:
    return WrongArgument(_told(name[:100]), "comes twice", "one value: in the query string or in the body")
