"""read_stream: all of it, or a head and a tail that are whole characters, and a right count of the rest."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.pool.job import Stream
from service.pool.output import read_stream

MARK = re.compile(r"\n\[\.\.\. (\d+) bytes dropped \.\.\.\]\n")


def read(data: bytes, keep: int) -> Stream:
    descriptor = os.memfd_create("stream")
    try:
        os.write(descriptor, data)
        return read_stream(descriptor, keep)
    finally:
        os.close(descriptor)


@given(st.binary(max_size=300))
def test_what_is_no_utf_8_is_escaped(data: bytes) -> None:
    assert read(data, 1000).text == data.decode(errors="backslashreplace")


@given(st.text(st.characters(codec="utf-8", exclude_characters="["), max_size=300), st.integers(8, 200))
def test_text_is_cut_between_characters(text: str, keep: int) -> None:
    data = text.encode()
    stream = read(data, keep)
    if len(data) <= keep:
        assert stream == Stream(text, 0)
        return
    head, dropped, tail = MARK.split(stream.text)
    assert int(dropped) == stream.dropped == len(data) - len(head.encode()) - len(tail.encode())
    assert text.startswith(head)
    assert text.endswith(tail)
    assert keep - 6 <= len(head.encode()) + len(tail.encode()) <= keep


@given(st.binary(max_size=300), st.integers(8, 200))
def test_any_bytes_become_text(data: bytes, keep: int) -> None:
    """What is no UTF-8 is shown, and at most three bytes are lost at each side of the cut."""
    stream = read(data, keep)
    assert 0 <= stream.dropped - max(0, len(data) - keep) <= 6


@pytest.mark.parametrize("tail", [b"\x80", b"\x80" * 9, b"\xf0", b"\xff"])
def test_what_only_looks_like_a_cut_character(tail: bytes) -> None:
    """At the end of the stream nothing was cut."""
    assert read(b"a" + tail, 64).text == "a" + "".join(f"\\x{byte:02x}" for byte in tail)
