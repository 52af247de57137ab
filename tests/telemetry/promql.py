"""The names in a PromQL expression: enough of its grammar to find them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*")|(?P<range>\[[^\]]*\])|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_:][\w:]*)|(?P<mark>[{}(),])|\S"""
)
_LISTS = frozenset(("by", "without", "on", "ignoring", "group_left", "group_right"))
_WORDS = _LISTS | {"and", "or", "unless", "offset", "bool"}


@dataclass(slots=True)
class Names:
    """``selected``: metrics, each with the labels in its braces; ``grouped``: labels in the lists of by,
    without, on and the like."""

    selected: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)


def names_in(expression: str) -> Names:
    """Of names that are followed by a parenthesis, functions and aggregations, nothing is said."""
    found = Names()
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(expression)]
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        following = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        if kind == "name" and text in _LISTS and following == "(":
            inside = list(_until(tokens, at + 2, ")"))
            found.grouped |= {word for word_kind, word in inside if word_kind == "name"}
            at += len(inside) + 2
        elif kind == "name" and text not in _WORDS and following not in ("(", "by", "without"):
            inside = list(_until(tokens, at + 2, "}")) if following == "{" else []
            found.selected.append((text, frozenset(word for of, word in inside if of == "name")))
            at += len(inside) + 2 if following == "{" else 0
        at += 1
    return found


def _until(tokens: list[tuple[str, str]], at: int, end: str) -> Iterator[tuple[str, str]]:
    while tokens[at][1] != end:
        yield tokens[at]
        at += 1
