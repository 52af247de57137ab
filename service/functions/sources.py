"""A module's text, known by its digest: what is judged is what is kept and what runs. Pure."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass

from service.errors import FieldError, ValidationFailed


@dataclass(frozen=True, slots=True)
class Source:
    """``digest``: SHA-256 of the text in UTF-8, in hexadecimal."""

    digest: str
    text: str


def source_of(data: bytes) -> Source:
    """What a file holds. A byte order mark is no part of the text, as Python has it (reference, 2.1.4).
    ValidationFailed with the line of what is not UTF-8, or of NUL, which no Python source has."""
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\0" in data:
        raise _refused(data, data.index(b"\0"), "has a NUL byte")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(data, error.start, "is not UTF-8") from error
    return Source(digest_of(data), text)


def digest_of(data: bytes) -> str:
    """As ``Source`` has it, of a text in UTF-8."""
    return hashlib.sha256(data).hexdigest()


def _refused(data: bytes, position: int, why: str) -> ValidationFailed:
    line = len((data[:position] + b".").splitlines())  # \n, \r and \r\n end a line
    return ValidationFailed([FieldError("module", f"{why} at line {line}", "save the file as UTF-8 text")])
