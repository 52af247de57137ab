"""Markdown fences, line by line, in time that grows with the text and no faster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(r"[ \t]{0,8}(`{3,}|~{3,})[ \t]*([\w+-]{0,20})")


@dataclass(frozen=True, slots=True)
class Fenced:
    """``blocks``: language in lower case, and text, of each fence; one that is never closed goes to the end.
    ``prose``: what stands outside."""

    blocks: tuple[tuple[str, str], ...]
    prose: str


def split(text: str) -> Fenced:
    """A line of three or more backticks or tildes opens a block; one of as many of the same ends it."""
    blocks: list[tuple[str, str]] = []
    prose: list[str] = []
    inside: list[str] | None = None
    mark, language = "", ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if inside is None:
            if found is None:
                prose.append(line)
            else:
                inside, mark, language = [], found[1], found[2].lower()
        elif found is not None and found[1].startswith(mark) and not line.strip().strip(mark[0]):
            blocks.append((language, "".join(inside)))
            inside = None
        else:
            inside.append(line)
    if inside is not None:
        blocks.append((language, "".join(inside)))
    return Fenced(tuple(blocks), "".join(prose).strip())
