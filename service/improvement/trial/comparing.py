"""Whether two JSON texts say the same: by a canonical form, hashed bottom up. Pure.

The order of members does not matter, and of those that come twice the last one counts. Numbers are the same
by kind and value: 1, 1.0 and true are three values, 1.0 and 1e0 are one. No parser does all of that: orjson
reads integers beyond 64 bits as floats, and the json module ends at a depth and a number of digits that
others still read. So the text, which ``wire.check_json`` has let through, is cut into tokens, and every
container becomes the SHA-256 of what it holds: linear in time, at any depth, without recursion.
"""

from __future__ import annotations

import hashlib
import math
import re

import orjson

# The last quote may be missing, so that a match never fails and nothing is searched twice.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]|[^\s\[\]{}:,"]+', re.DOTALL)
_CLOSING = frozenset((b"]", b"}"))
_LENGTH = 8


def same(left: bytes, right: bytes) -> bool:
    """Whether both are the same JSON value."""
    return left == right or canonical(left) == canonical(right)


def canonical(text: bytes) -> bytes:
    """Equal for equal values, and for no others. 70 bytes of a text take a microsecond at worst."""
    around: list[list[bytes]] = []
    items: list[bytes] = []
    for token in _TOKEN.findall(text):
        if token in (b"[", b"{"):
            around.append(items)
            items = []
        elif token in _CLOSING:
            done = _array(items) if token == b"]" else _object(items)
            items = around.pop() if around else []
            items.append(done)
        else:
            items.append(_scalar(token))
    return items[0] if len(items) == 1 else _array(items)


def _array(items: list[bytes]) -> bytes:
    return b"[" + _digest(items)


def _object(items: list[bytes]) -> bytes:
    members = dict(zip(items[::2], items[1::2], strict=False))
    return b"{" + _digest([part for name in sorted(members) for part in (name, members[name])])


def _digest(items: list[bytes]) -> bytes:
    """Each with its length before it, so that none can read as two."""
    return hashlib.sha256(b"".join(len(item).to_bytes(_LENGTH) + item for item in items)).digest()


def _scalar(token: bytes) -> bytes:
    first = token[:1]
    if first == b'"':
        return _string(token)
    if first not in b"-0123456789":
        return token  # true, false, null
    if token.isdigit():
        return b"i" + token
    return _integer(token) if token[1:].isdigit() else _float(token)


def _string(token: bytes) -> bytes:
    if b"\\" in token:
        try:
            return b"s" + str(orjson.loads(token)).encode()
        except (orjson.JSONDecodeError, UnicodeEncodeError):  # half of a surrogate pair: itself alone
            return b"S" + token
    return b"s" + token[1:-1]


def _integer(token: bytes) -> bytes:
    """One with a sign. JSON has no leading zeros, so its digits are its value."""
    return b"i0" if token == b"-0" else b"i" + token


def _float(token: bytes) -> bytes:
    """By the nearest double, but for those beyond the largest: these by how they are written."""
    value = float(token)
    if not math.isfinite(value):
        return b"F" + token
    return b"f" + (value + 0.0).hex().encode()  # -0.0 + 0.0 is 0.0
