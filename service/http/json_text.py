"""JSON that is nested too deeply is refused at one limit, whichever parser reads it."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any

import orjson

from service.errors import MalformedJson
from service.garbage import without_collection

# Every reader on the way can follow: the recursion of Python's own json ends at about 1000.
MAX_DEPTH = 500
_ORJSON_DEPTH = 1024  # fixed when orjson is built
_AROUND = _ORJSON_DEPTH - MAX_DEPTH
# The last quote may be missing, so that a match never fails and nothing is searched twice.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def loads(text: bytes) -> Any:
    """As orjson.loads. json.JSONDecodeError when it is no JSON, MalformedJson above MAX_DEPTH."""
    if not _may_be_deep(text):
        return orjson.loads(text)
    with without_collection():
        return _loads(text)


def _loads(text: bytes) -> Any:
    # In so many arrays more, orjson's limit is ours, at no cost; walking the value would take longer than
    # parsing it.
    try:
        return _unwrapped(orjson.loads(b"[" * _AROUND + text + b"]" * _AROUND))
    except ValueError:  # orjson's errors are of this class
        pass
    try:
        orjson.loads(text)  # what is wrong with it, and where
    except orjson.JSONDecodeError as error:
        if "depth" not in error.msg:
            raise
    raise _too_deep()


def check_depth(text: bytes) -> None:
    """MalformedJson when ``text``, which another parser reads, is nested deeper than MAX_DEPTH."""
    if not _may_be_deep(text):
        return
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise _too_deep()


def _may_be_deep(text: bytes) -> bool:
    return text.count(b"[") + text.count(b"{") > MAX_DEPTH


def _unwrapped(value: Any) -> Any:
    """ValueError when it was not one value that the arrays were put around, but text such as ``1],[2``."""
    for _ in range(_AROUND):
        (value,) = value
    return value


def _too_deep() -> MalformedJson:
    return MalformedJson(f"the body is nested deeper than {MAX_DEPTH} levels; send flatter JSON")
