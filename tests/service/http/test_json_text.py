"""Depth of JSON: one limit for every reader, found in time that grows with the text, whatever is in it."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MalformedJson
from service.http.body import parse_json
from service.http.json_text import MAX_DEPTH, check_depth, loads
from service.rest.context import Parts, RequestContext

SENTENCE = "the body is nested deeper than 500 levels; send flatter JSON"
WIDE = b"123456789012345678901234567890"  # an integer that orjson makes a float of
HUGE = b"1" + b"0" * 400  # one that it refuses
HEADERS = ((b"content-type", b"application/json"),)


def arrays(levels: int, inner: bytes = b"1") -> bytes:
    return b"[" * levels + inner + b"]" * levels


def objects(levels: int, inner: bytes = b"1") -> bytes:
    return b'{"a":' * levels + inner + b"}" * levels


def of_rest(text: bytes) -> Any:
    """As the body of a request to a session."""
    parts = Parts(method="POST", path=b"/x", headers=HEADERS, body=text)
    return RequestContext.from_parts(parts).body_json


@pytest.mark.parametrize("read", [parse_json, of_rest])
@pytest.mark.parametrize("nested", [arrays, objects])
@pytest.mark.parametrize("inner", [b"1", WIDE, HUGE])
def test_the_limit(read: Callable[[bytes], Any], nested: Callable[[int, bytes], bytes], inner: bytes) -> None:
    """Is the same for each reader, each kind of nesting and each kind of number."""
    value = read(nested(MAX_DEPTH, inner))
    for _ in range(MAX_DEPTH):
        (value,) = value if isinstance(value, list) else value.values()
    assert value == (int(inner) if read is of_rest or inner == HUGE else orjson.loads(inner))
    for levels in (MAX_DEPTH + 1, 1024, 1025, 100_000):
        began = time.monotonic()
        with pytest.raises(MalformedJson) as caught:
            read(nested(levels, inner))
        assert caught.value.detail == SENTENCE
        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("read", [parse_json, of_rest])
def test_what_never_ends_is_too_deep_all_the_same(read: Callable[[bytes], Any]) -> None:
    """The brackets need not be closed."""
    for text in (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + WIDE, b'[{"a":' * 50_000 + HUGE):
        with pytest.raises((MalformedJson, json.JSONDecodeError)):
            read(text)


@pytest.mark.parametrize("text", [b"1],[2", b"1]],[[2", b"1] , 2 , [3", b"]", b"[1", b"1]" * 600])
def test_text_that_leaves_what_is_put_around_it(text: bytes) -> None:
    """Is no JSON, with the position in the text as it came."""
    many = b"[" + b"[]," * MAX_DEPTH + b"0]"  # so that it may be deep
    with pytest.raises(orjson.JSONDecodeError) as alone:
        orjson.loads(text + many)
    with pytest.raises(orjson.JSONDecodeError) as caught:
        loads(text + many)
    assert (caught.value.msg, caught.value.pos) == (alone.value.msg, alone.value.pos)


@given(
    st.recursive(
        st.text('[]{}"\\a', max_size=9) | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=9)
    )
)
def test_brackets_in_strings_do_not_count(value: object) -> None:
    """Whatever a value has in it, only its own levels do."""
    text = json.dumps([value, ["[" * 300 + '"{\\'], "[" * 300], ensure_ascii=False).encode()
    check_depth(text)
    assert json.loads(json.dumps(orjson.loads(text))) == json.loads(json.dumps(loads(text)))


@pytest.mark.parametrize(
    "text", [b'"\\' * 500_000, b'"' * 1_000_001, b"[" * 501 + b'"' + b'\\"' * 400_000, b"[]" * 400_000]
)
def test_time_grows_with_the_text(text: bytes) -> None:
    """No text makes the search begin again."""
    began = time.monotonic()
    with pytest.raises(MalformedJson):
        check_depth(b"[" * 501 + b"]" * 501 + text)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("was_on", [True, False])
def test_nobody_looks_for_garbage_in_new_arrays(was_on: bool) -> None:
    """Again and again, which would take ten times as long as the parsing; once, when that is on again."""
    text = b"[" + b"[]," * 100_000 + b"0]"
    looks: list[str] = []

    def look(phase: str, _: dict[str, int]) -> None:
        looks.append(phase)

    (gc.enable if was_on else gc.disable)()
    gc.callbacks.append(look)
    try:
        value = loads(text)
        during = len(looks)
        assert gc.isenabled() == was_on
    finally:
        gc.callbacks.remove(look)
        gc.enable()
    assert len(value) == 100_001
    assert during <= len(("start", "stop"))
