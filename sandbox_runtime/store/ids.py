"""Ids: what may be one, and which one the text of a URL means.

An id is an integer or a text that is not empty. In a URL both are text, so two ids of one collection never
have the same text: beside the id 1 there is no id "1".
"""

from __future__ import annotations

import re

from sandbox_runtime.store.errors import BadRecord, shown
from sandbox_runtime.store.limits import MAX_ID_CHARS, MAX_INTEGER_ID

Id = int | str

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)


def check_id(value: object) -> Id:
    """The id that a client chose. BadRecord when it can be none."""
    if isinstance(value, int) and not isinstance(value, bool):
        if -MAX_INTEGER_ID <= value <= MAX_INTEGER_ID:
            return value
        raise BadRecord(f"the id {shown(value)} is beyond {MAX_INTEGER_ID}; use a text as the id")
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and "\0" not in value:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRecord(f"the id {shown(value)} is not Unicode: {error.reason}") from error
        return value
    raise BadRecord(
        f"the id {shown(value)} is neither an integer nor a text of 1 to {MAX_ID_CHARS} characters"
    )


def as_integer(text: str) -> int | None:
    """The integer whose text this is, when it is one that could be an id."""
    if _INTEGER.fullmatch(text) and -MAX_INTEGER_ID <= int(text) <= MAX_INTEGER_ID:
        return int(text)
    return None


def meant(value: object) -> tuple[Id, ...]:
    """The ids that a URL's text (or a program's value) may mean, the likelier first; none for a value that
    is no id."""
    if isinstance(value, str):
        integer = as_integer(value)
        if integer is not None:
            return (integer, value)
        return (value,) if value and _sayable(value) else ()
    if isinstance(value, int) and not isinstance(value, bool) and -MAX_INTEGER_ID <= value <= MAX_INTEGER_ID:
        return (value, str(value))
    return ()


def _sayable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
