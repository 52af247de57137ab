"""A docstring as a reader of API documents wants it: one line, the text, and a word on each parameter. Pure.

Sections of arguments are known as Google's style has them (``Args:`` and indented lines), NumPy's
(``Parameters`` above a line of dashes) and Sphinx's (``:param name:``). What has none of these forms is text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

MAX_SUMMARY: Final = 120
# Line ends and tabs stay. Marks of direction make a line look like another one (CVE-2021-42574).
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Descriptions are CommonMark, in which a tag is HTML, and ![ an image that a reader fetches.
_ACTIVE: Final = re.compile(r"<(?=[A-Za-z/!?])|(?<=!)\[")
_ENTITIES: Final = {"<": "&lt;", "[": "&#91;"}
_GOOGLE: Final = re.compile(
    r"(Args|Arguments|Parameters|Keyword Args|Keyword Arguments|Other Parameters):\s*"
)
_GOOGLE_ITEM: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\([^()]*\))?\s*:\s*(.*)")
_NUMPY: Final = frozenset(("Parameters", "Other Parameters"))
_NUMPY_ITEM: Final = re.compile(r"\*{0,2}(\w+)\s*(?::.*)?")
_RULE: Final = re.compile(r"-{3,}\s*")
_SPHINX: Final = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword)\s(?:[^:]*\s)?\*{0,2}(\w+):\s*(.*)"
)
_SPHINX_TYPE: Final = re.compile(r":(?:type)\s[^:]*:.*")


@dataclass(frozen=True, slots=True)
class Docstring:
    """``summary``: plain text of one line; ``description`` and ``parameters``, by name: CommonMark."""

    summary: str
    description: str
    parameters: dict[str, str]


def read_docstring(text: str, names: Collection[str]) -> Docstring:
    """What ``inspect.getdoc`` gives; ``names``: of the parameters."""
    lines = _UNSEEN.sub(" ", text.replace("\r\n", "\n")).expandtabs(4).split("\n")
    rest, found = list[str](), dict[str, list[str]]()
    _Lines(lines).divide(rest, found)
    parameters = {name: plain(" ".join(words).strip()) for name, words in found.items() if name in names}
    first, _, body = "\n".join(rest).strip().partition("\n")
    return Docstring(
        summary_of(first), plain(body.strip()), {n: said for n, said in parameters.items() if said}
    )


def plain(text: str) -> str:
    """As CommonMark without anything that acts."""
    return _ACTIVE.sub(lambda match: _ENTITIES[match[0]], text)


def summary_of(line: str) -> str:
    """One line, of at most MAX_SUMMARY characters."""
    text = " ".join(_UNSEEN.sub(" ", line).split())
    return text if len(text) <= MAX_SUMMARY else f"{text[: MAX_SUMMARY - 3]}..."


class _Lines:
    """The lines of one docstring, read once from first to last."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def divide(self, rest: list[str], found: dict[str, list[str]]) -> None:
        """Into the text and what is said of each parameter."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            own = line.strip()
            if _GOOGLE.fullmatch(own):
                self._items(_GOOGLE_ITEM, _indent(line), found)
            elif (
                own in _NUMPY
                and self._at < len(self._lines)
                and _RULE.fullmatch(self._lines[self._at].strip())
            ):
                self._at += 1
                self._items(_NUMPY_ITEM, _indent(line) - 1, found)
            elif match := _SPHINX.fullmatch(own):
                found[match[1]] = [match[2], *self._deeper(_indent(line))]
            elif _SPHINX_TYPE.fullmatch(own):
                list(self._deeper(_indent(line)))
            else:
                rest.append(line)

    def _items(self, form: re.Pattern[str], above: int, found: dict[str, list[str]]) -> None:
        """Those of a section; it ends with a line that is indented no more than ``above``, or with the head
        of NumPy's next."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip():
                self._at += 1
                continue
            if _indent(line) <= above or self._heads_a_section():
                return
            self._at += 1
            match = form.fullmatch(line.strip())
            words = list(self._deeper(_indent(line)))
            if match:
                found[match[1]] = [*match.groups()[1:], *words]

    def _heads_a_section(self) -> bool:
        below = self._lines[self._at + 1 : self._at + 2]
        return bool(below) and _RULE.fullmatch(below[0].strip()) is not None

    def _deeper(self, indent: int) -> Iterator[str]:
        """The lines that follow and are indented more."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or _indent(line) <= indent:
                return
            self._at += 1
            yield line.strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
