"""Forms of single values. Strict: nothing is rounded, truncated, or taken for what it resembles."""

from __future__ import annotations

import base64
import binascii
import datetime
import math
import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox_runtime.functions.durations import duration_from_text
from sandbox_runtime.functions.form import Form, Mismatch, Schema

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORDS = {"true": True, "1": True, "false": False, "0": False}
_URL_SAFE = str.maketrans("-_", "+/")


class Integer(Form):
    """int. true is none, nor is 1.0."""

    expected = "an integer"

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {"type": "integer"}

    def from_json(self, value: Any) -> int:
        if type(value) is not int:
            raise Mismatch(self.expected, value)
        return value

    def from_text(self, text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise Mismatch(self.expected, text)
        try:
            return int(text)
        except ValueError as error:  # sys.get_int_max_str_digits()
            raise Mismatch("an integer of fewer digits", text) from error


class Float(Form):
    """float: a finite number. An integer is one."""

    expected = "a number"

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {"type": "number"}

    def from_json(self, value: Any) -> float:
        if type(value) not in (int, float):
            raise Mismatch(self.expected, value)
        try:
            number = float(value)
        except OverflowError as error:
            raise Mismatch("a number that a float can hold", value) from error
        if not math.isfinite(number):
            raise Mismatch("a finite number", value)
        return number

    def from_text(self, text: str) -> float:
        if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
            raise Mismatch("a finite number", text)
        return float(text)


class Boolean(Form):
    """bool. As text: true, false, 1, 0."""

    expected = "true or false"

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}

    def from_json(self, value: Any) -> bool:
        if type(value) is not bool:
            raise Mismatch(self.expected, value)
        return value

    def from_text(self, text: str) -> bool:
        if text not in _WORDS:
            raise Mismatch("true, false, 1 or 0", text)
        return _WORDS[text]


class Text(Form):
    """str."""

    expected = "a text"
    takes_any_text = True

    def schema(self, _: dict[str, Schema]) -> Schema:
        return {"type": "string"}

    def from_json(self, value: Any) -> str:
        if type(value) is not str:
            raise Mismatch(self.expected, value)
        return value

    def from_text(self, text: str) -> str:
        return text


class Written(Form):
    """What JSON has no value for and a text stands for. ``read`` gives it, or raises ValueError."""

    def __init__(self, expected: str, schema: Schema, read: Callable[[str], Any]) -> None:
        self.expected = expected
        self._schema = schema
        self._read = read

    def schema(self, _: dict[str, Schema]) -> Schema:
        return dict(self._schema)

    def from_json(self, value: Any) -> Any:
        if type(value) is not str:
            raise Mismatch(self.expected, value)
        return self.from_text(value)

    def from_text(self, text: str) -> Any:
        try:
            return self._read(text)
        except (ValueError, OverflowError) as error:
            raise Mismatch(self.expected, text) from error


class Numeric(Written):
    """What may also come as a number, which ``read`` gets as JSON writes it."""

    def from_json(self, value: Any) -> Any:
        if type(value) not in (int, float):
            return super().from_json(value)
        try:
            return self.from_text(repr(value))
        except (Mismatch, ValueError) as error:  # ValueError: more digits than an integer is written with
            raise Mismatch(self.expected, value) from error


def _decimal(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(text) from error


def _duration(text: str) -> datetime.timedelta:
    if _NUMBER.fullmatch(text):
        return datetime.timedelta(seconds=float(text))
    return duration_from_text(text)


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error


def _uuid(text: str) -> uuid.UUID:
    if not _UUID.fullmatch(text):
        raise ValueError(text)
    return uuid.UUID(text)


def _string(form: str) -> Schema:
    return {"type": "string", "format": form}


_NUMBER_OR_TEXT = ["number", "string"]
SCALARS: dict[object, Form] = {
    int: Integer(),
    float: Float(),
    bool: Boolean(),
    str: Text(),
    bytes: Written("base64 (RFC 4648)", {"type": "string", "contentEncoding": "base64"}, _bytes),
    Decimal: Numeric("a decimal number, as a text or a number", {"type": _NUMBER_OR_TEXT}, _decimal),
    datetime.datetime: Written(
        "a date and time as ISO 8601 writes it", _string("date-time"), datetime.datetime.fromisoformat
    ),
    datetime.date: Written("a date as ISO 8601 writes it", _string("date"), datetime.date.fromisoformat),
    datetime.time: Written("a time as ISO 8601 writes it", _string("time"), datetime.time.fromisoformat),
    datetime.timedelta: Numeric(
        "seconds, or a duration as ISO 8601 writes it (P1DT2H)",
        {"type": _NUMBER_OR_TEXT, "format": "duration"},
        _duration,
    ),
    uuid.UUID: Written("a UUID (RFC 9562)", _string("uuid"), _uuid),
}
