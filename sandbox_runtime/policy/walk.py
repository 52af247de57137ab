"""The nodes of a tree with their places, and the identifiers that each of them carries."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

# Every other field that holds text holds an identifier; so a field that a later Python adds is checked too.
_PLAIN_TEXT = frozenset(
    {
        "Constant.value",
        "Constant.kind",
        "TypeIgnore.tag",
        "Interpolation.str",
        "alias.name",  # the name of a module or of something in it: see the import rule
        "ImportFrom.module",  # likewise
    }
)
_BINDING = frozenset(
    {
        "arg.arg",
        "FunctionDef.name",
        "AsyncFunctionDef.name",
        "ClassDef.name",
        "ExceptHandler.name",
        "MatchAs.name",
        "MatchStar.name",
        "MatchMapping.rest",
        "alias.asname",
        "TypeVar.name",
        "TypeVarTuple.name",
        "ParamSpec.name",
        # Not keyword.arg, MatchClass.kwd_attrs, Global.names and Nonlocal.names: they bind nothing here.
    }
)


class Identifier(NamedTuple):
    """A normalised identifier, and whether it becomes a variable of the program where it stands."""

    text: str
    binds: bool


class Placed(NamedTuple):
    """A node with the 1-based line and 0-based byte at which it, or the nearest node around it, begins.

    ``identifiers`` are those in the node's own fields, not its children's.
    """

    node: ast.AST
    line: int
    byte: int
    identifiers: tuple[Identifier, ...]


def walk(tree: ast.AST) -> Iterator[Placed]:
    """Every node, parents first, with no recursion: a hostile tree is thousands of levels deep."""
    stack = [(tree, 1, 0)]
    while stack:
        node, line, byte = stack.pop()
        line, byte = getattr(node, "lineno", line), getattr(node, "col_offset", byte)
        children: list[tuple[ast.AST, int, int]] = []
        found: list[Identifier] = []
        for field in node._fields:
            value = getattr(node, field, None)
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, ast.AST):
                    children.append((item, line, byte))
                elif isinstance(item, str):
                    found += _identifier(node, field, item)
        yield Placed(node, line, byte, tuple(found))
        stack += reversed(children)


def normal(identifier: str) -> str:
    """The form Python compares identifiers in (language reference, "Identifiers and keywords")."""
    return identifier if identifier.isascii() else unicodedata.normalize("NFKC", identifier)


def _identifier(node: ast.AST, field: str, text: str) -> tuple[Identifier, ...]:
    where = f"{type(node).__name__}.{field}"
    if where in _PLAIN_TEXT or field == "type_comment":
        return ()
    binds = where in _BINDING or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return (Identifier(normal(text), binds),)
