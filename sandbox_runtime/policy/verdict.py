"""What the judge can say of a source text."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowed:
    """The policy admits the program."""

    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Rejected:
    """The program must not run. Line and column count from 1, the column in characters."""

    rule: str
    message: str
    line: int | None
    column: int | None
    remedy: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """The text is not Python. The program's own failure, as under ``python3 main.py``, not a refusal."""

    error: SyntaxError


Verdict = Allowed | Rejected | Invalid
