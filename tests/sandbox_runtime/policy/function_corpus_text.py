"""Modules as an agent writes them, of text and bytes: each with calls and what they return."""

from __future__ import annotations

MODULES: dict[str, tuple[str, dict[str, object]]] = {
    "word count": (
        """
import re
from collections import Counter
from string import punctuation

_WORD = re.compile(r"[\\w']+", re.UNICODE)
STOP_WORDS = frozenset({"the", "a", "of"})


def top_words(text: str, n: int = 3) -> list[tuple[str, int]]:
    words = (w.strip(punctuation).lower() for w in _WORD.findall(text))
    return Counter(w for w in words if w and w not in STOP_WORDS).most_common(n)
""",
        {"top_words('The cat of the cat, a dog', 2)": [("cat", 2), ("dog", 1)]},
    ),
    "slug": (
        """
import re
import unicodedata


def slugify(value: str, *, separator: str = "-", max_length: int | None = None) -> str:
    value = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode("ascii")
    value = re.sub(r"[^a-z0-9]+", separator, value.lower()).strip(separator)
    return value[:max_length] if max_length else value
""",
        {"slugify('Crème brûlée!')": "creme-brulee"},
    ),
    "template": (
        """
from string import Template
import textwrap

GREETING = "Dear {name},\\n{body:>{width}}"
LETTER = Template("$name owes $$${amount}")


def letter(name: str, amount: float) -> str:
    parts = GREETING.format(name=name, body="hello", width=8), LETTER.substitute(name=name, amount=amount)
    return "|".join(parts)


def wrap(text: str) -> str:
    return textwrap.fill(textwrap.dedent(text), width=10)
""",
        {"letter('Ann', 5)": "Dear Ann,\n   hello|Ann owes $5", "wrap('  one two three')": "one two\nthree"},
    ),
    "mask": (
        """
import re

EMAIL = re.compile(r"(?P<user>[^@\\s]+)@(?P<host>[\\w.]+)")


def mask(text: str) -> str:
    def _replace(match: re.Match) -> str:
        user = match.group("user")
        return f"{user[0]}{'*' * (len(user) - 1)}@{match['host']}"

    return EMAIL.sub(_replace, text)
""",
        {"mask('to ann@b.org')": "to a**@b.org"},
    ),
    "hash": (
        """
import base64
import binascii
import hashlib
import hmac
import zlib


def digest(text: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, text.encode("utf-8")).hexdigest()[:8]


def sign(key: bytes, message: bytes) -> bool:
    signature = hmac.new(key, message, hashlib.sha256).digest()
    return hmac.compare_digest(signature, hmac.digest(key, message, "sha256"))


def pack(text):
    packed = base64.urlsafe_b64encode(zlib.compress(text.encode())).decode()
    try:
        return zlib.decompress(base64.urlsafe_b64decode(packed)).decode()
    except (binascii.Error, zlib.error):
        return None
""",
        {"digest('a')": "ca978112", "sign(b'k', b'm')": True, "pack('hello')": "hello"},
    ),
    "diff": (
        """
import difflib
import html


def changes(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return [html.escape(line) for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


def similarity(a, b):
    return round(difflib.SequenceMatcher(None, a, b).ratio(), 2)
""",
        {"changes('a\\nb', 'a\\n<c>')": ["-b", "+&lt;c&gt;"], "similarity('abcd', 'abce')": 0.75},
    ),
    "strip tags": (
        """
from html.parser import HTMLParser


class _Stripper(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []

    def handle_data(self, data):
        self._parts.append(data)

    def text(self):
        return " ".join(part.strip() for part in self._parts if part.strip())


def strip_tags(source: str) -> str:
    stripper = _Stripper()
    stripper.feed(source)
    stripper.close()
    return stripper.text()
""",
        {"strip_tags('<p>a &amp; <b>b</b></p>')": "a & b"},
    ),
    "roman": (
        """
_NUMERALS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"),
             (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]


def to_roman(n: int) -> str:
    assert 0 < n < 4000, f"{n=} is out of range"
    result = ""
    for value, numeral in _NUMERALS:
        count, n = divmod(n, value)
        result += numeral * count
    return result
""",
        {"to_roman(1994)": "MCMXCIV"},
    ),
    "caesar": (
        """
import string

UPPER, LOWER = string.ascii_uppercase, string.ascii_lowercase


def caesar(text: str, shift: int) -> str:
    shift %= 26
    table = str.maketrans(UPPER + LOWER, UPPER[shift:] + UPPER[:shift] + LOWER[shift:] + LOWER[:shift])
    return text.translate(table)


decode = lambda text, shift: caesar(text, -shift)
""",
        {"caesar('Abz', 1)": "Bca", "decode('Bca', 1)": "Abz"},
    ),
    "tokenizer": (
        """
import re
from typing import Iterator, NamedTuple


class Token(NamedTuple):
    kind: str
    text: str
    position: int = 0


_SPEC = "|".join(f"(?P<{k}>{v})" for k, v in {"NUM": r"\\d+", "OP": r"[-+*/()]", "WS": r"\\s+"}.items())


def tokens(source: str) -> Iterator[Token]:
    for m in re.finditer(_SPEC, source):
        if (kind := m.lastgroup) != "WS":
            yield Token(kind, m.group(), m.start())


class Parser:
    \"\"\"expression := term (('+' | '-') term)*\"\"\"

    def __init__(self, source):
        self.__tokens = list(tokens(source))
        self.__index = 0

    def _peek(self):
        return self.__tokens[self.__index].text if self.__index < len(self.__tokens) else None

    def _next(self):
        text = self._peek()
        self.__index += 1
        return text

    def expression(self):
        value = self.term()
        while self._peek() in ("+", "-"):
            value = value + self.term() if self._next() == "+" else value - self.term()
        return value

    def term(self):
        value = self.factor()
        while self._peek() in ("*", "/"):
            value = value * self.factor() if self._next() == "*" else value / self.factor()
        return value

    def factor(self):
        if self._peek() == "(":
            self._next()
            value = self.expression()
            self._next()
            return value
        return int(self._next())


def calculate(source: str) -> float:
    return Parser(source).expression()


def kinds(source):
    second = Token("a", "b")._replace(position=2)
    return [t._asdict() for t in tokens(source)][:1], Token._fields, second.position
""",
        {
            "calculate('2 * (3 + 4) - 1')": 13,
            "kinds('1+')": (
                [{"kind": "NUM", "text": "1", "position": 0}],
                ("kind", "text", "position"),
                2,
            ),
        },
    ),
    "json encoder": (
        """
import json
from datetime import date
from decimal import Decimal


class Encoder(json.JSONEncoder):
    def default(self, o):
        if isinstance(o, (date, Decimal)):
            return str(o)
        if hasattr(o, "__iter__"):
            return sorted(o)
        return super().default(o)


def dump(**values) -> str:
    return json.dumps(values, cls=Encoder, sort_keys=True, indent=None, separators=(",", ":"))


def example():
    return dump(d=date(2024, 1, 2), x=Decimal("1.5"), s={2, 1})
""",
        {"example()": '{"d":"2024-01-02","s":[1,2],"x":"1.5"}'},
    ),
    "bytes": (
        """
import struct


def checksum(data: bytes) -> int:
    total = 0
    for byte in memoryview(data):
        total = (total << 1 ^ byte) & 0xFFFF
    return total


def header(version: int, size: int) -> str:
    buffer = bytearray(struct.pack(">HI", version, size))
    buffer.reverse()
    return buffer.hex()
""",
        {"checksum(b'ab')": 160, "header(1, 2)": "020000000100"},
    ),
    "versions": (
        """
import functools
import re


@functools.total_ordering
class Version:
    __slots__ = ("parts", "_text")

    def __init__(self, text: str):
        self._text = text
        self.parts = tuple(int(p) for p in re.findall(r"\\d+", text))

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self.parts == other.parts

    def __lt__(self, other: "Version") -> bool:
        return self.parts < other.parts

    def __hash__(self):
        return hash(self.parts)

    def __repr__(self):
        return f"{self.__class__.__name__}({self._text!r})"


def newest(texts: list[str]) -> str:
    return repr(max(map(Version, texts)))
""",
        {"newest(['1.2', '1.10', '1.9'])": "Version('1.10')"},
    ),
    "addresses": (
        """
import fnmatch
import ipaddress


def allowed(address: str, networks: list[str]) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in ipaddress.ip_network(n, strict=False) for n in networks)


def matching(names, pattern):
    return fnmatch.filter(names, pattern)
""",
        {"allowed('10.1.2.3', ['10.0.0.0/8'])": True, "matching(['a.py', 'b'], '*.py')": ["a.py"]},
    ),
}
