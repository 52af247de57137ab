"""The modules that a loaded function may import: all are there before its worker goes where there is none.

A contract's worker imports them itself, between fork and its contract, while nobody waits for it: in the
zygote they would cost every fork of every other worker (``preload``).
"""

from __future__ import annotations

import codecs
import datetime
import functools
import importlib
import sys
from typing import Any

from sandbox_runtime import policy, preload

# What the policy lets a function import; and what those import only when they are used.
_MODULES = tuple(
    """
    abc array asyncio base64 binascii bisect calendar cmath collections collections.abc colorsys contextlib
    copy csv dataclasses datetime decimal difflib enum fractions functools graphlib hashlib heapq hmac html
    html.parser ipaddress itertools json math numbers operator pprint random re secrets statistics string
    struct textwrap time types typing unicodedata uuid weakref zlib
    _strptime linecache locale tracemalloc
    """.split()
)
_CODECS = tuple(
    """
    ascii base64_codec cp1250 cp1251 cp1252 cp437 hex_codec idna iso8859_1 iso8859_15 iso8859_2 latin_1 mbcs
    punycode raw_unicode_escape rot_13 unicode_escape utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
    utf_7 utf_8 utf_8_sig zlib_codec
    """.split()
)


def load() -> None:
    """Import everything, from the standard library alone."""
    sys.path[:] = [path for path in sys.path if path != "/tmp"]
    rules = policy.POLICIES.get("function")
    allowed = sorted(rules.imports) if rules is not None else []
    preload.import_modules(tuple(dict.fromkeys((*_MODULES, *allowed))))
    for name in _CODECS:
        try:
            codecs.lookup(name)
        except LookupError:
            continue  # of another platform
    _first_uses()


def _first_uses() -> None:
    """What opens a file when it is first used."""
    for name in _hashlib().algorithms_guaranteed:
        _hashlib().new(name)
    datetime.datetime.strptime("2000", "%Y")  # noqa: DTZ007 - nobody looks at it


@functools.cache
def _hashlib() -> Any:
    return importlib.import_module("hashlib")  # maps OpenSSL: see above


def sha256(text: str) -> str:
    """Hexadecimal, of its UTF-8."""
    digest = _hashlib().sha256(text.encode(errors="surrogatepass"))
    return str(digest.hexdigest())
