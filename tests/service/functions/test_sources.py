"""The text of a module and its digest."""

from __future__ import annotations

import hashlib

import pytest

from service.errors import ValidationFailed
from service.functions.sources import source_of


@pytest.mark.parametrize("text", ["", "x = 'é'\r\ny = 1\r", "# coding: latin-1\n", "\u2028\n"])
def test_a_text(text: str) -> None:
    """Byte for byte, under the digest of its bytes."""
    source = source_of(text.encode())
    assert source.text == text
    assert source.digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_byte_order_mark() -> None:
    """Is no part of it; a second one is."""
    assert source_of(b"\xef\xbb\xbfx") == source_of(b"x")
    assert source_of(b"\xef\xbb\xbf\xef\xbb\xbfx").text == "\ufeffx"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a\nb\r\nc\r\xff", "is not UTF-8 at line 4"),
        (b"\xff", "is not UTF-8 at line 1"),
        (b"\n\xed\xa0\x80", "is not UTF-8 at line 2"),  # half of a surrogate pair
        (b"a\n\n\xc3", "is not UTF-8 at line 3"),
        (b"a\n\0", "has a NUL byte at line 2"),
        ("a\n".encode("utf-16"), "has a NUL byte at line 1"),
    ],
)
def test_what_is_no_text(data: bytes, said: str) -> None:
    """The line is named."""
    with pytest.raises(ValidationFailed, match=said):
        source_of(data)
