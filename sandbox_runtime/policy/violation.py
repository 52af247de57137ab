"""One thing that a policy refuses, and where it stands."""

from __future__ import annotations

import ast
from typing import NamedTuple


class Violation(NamedTuple):
    """What is refused, by which rule, at which 1-based line and 0-based byte.

    The tree tells where an attribute ends but not where its name begins, so for those ``byte`` is the last
    of the token (``at_end``), elsewhere the first. Tokens do not overlap: the order of the bytes is the order
    of the source either way, which the order of the fields in a node is not.
    """

    line: int
    byte: int
    rule: str
    subject: str
    at_end: bool = False


def at_attribute(node: ast.Attribute, rule: str, subject: str) -> Violation:
    """A violation where the name of the attribute stands."""
    line = node.end_lineno or node.lineno
    return Violation(line, (node.end_col_offset or 1) - 1, rule, subject, at_end=True)


def at_node(node: ast.expr | ast.stmt | ast.pattern, rule: str, subject: str) -> Violation:
    """A violation where the node begins."""
    return Violation(node.lineno, node.col_offset, rule, subject)
