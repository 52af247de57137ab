"""Modules as an agent writes them, of text: each with calls and what they return."""

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
}
