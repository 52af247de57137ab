"""Which variables a program has surely assigned when it ends."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import NamedTuple

_SIMPLE = (ast.Expr, ast.Pass, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.Import, ast.ImportFrom)


class _Ways(NamedTuple):
    """Whether the name is assigned on every way to the end of some statements, and to a ``break`` in them.

    True also where there is no such way.
    """

    end: bool
    breaks: bool = True


def always_assigns(tree: ast.Module, name: str) -> bool:
    """Every way through the program that reaches its end passes ``name = ...``.

    It knows if, for and match. Of any other compound statement it expects nothing, and so errs towards False.
    Its recursion is as deep as the program's indentation, which the parser limits to 100.
    """
    return _through(tree.body, name, False).end


def _through(statements: Iterable[ast.stmt], name: str, before: bool) -> _Ways:
    end, breaks = before, True
    for statement in statements:
        ways = _step(statement, name, end)
        end, breaks = ways.end, breaks and ways.breaks
    return _Ways(end, breaks)


def _step(statement: ast.stmt, name: str, before: bool) -> _Ways:
    if isinstance(statement, ast.Assign):
        return _Ways(before or any(_is_target(target, name) for target in statement.targets))
    if isinstance(statement, ast.If):
        return _if(statement, name, before)
    if isinstance(statement, ast.For):
        body = _through(statement.body, name, before)
        rest = _through(statement.orelse, name, before)  # the body may not have run at all
        return _Ways(rest.end and body.breaks, rest.breaks)
    if isinstance(statement, ast.Match):
        return _match(statement, name, before)
    if isinstance(statement, ast.Break | ast.Continue):
        return _Ways(True, before or isinstance(statement, ast.Continue))
    return _Ways(before) if isinstance(statement, _SIMPLE) else _Ways(before, before)


def _if(statement: ast.If, name: str, before: bool) -> _Ways:
    """A loop over the ``elif`` parts: in the tree each is nested in the one before, thousands deep."""
    branches = [_through(statement.body, name, before)]
    rest = statement.orelse
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        branches.append(_through(rest[0].body, name, before))
        rest = rest[0].orelse
    return _joined([*branches, _through(rest, name, before)])


def _match(statement: ast.Match, name: str, before: bool) -> _Ways:
    branches = [_through(case.body, name, before) for case in statement.cases]
    last = statement.cases[-1]
    # "case _" and "case x" have no pattern; the compiler lets them stand nowhere but last.
    if last.guard or not isinstance(last.pattern, ast.MatchAs) or last.pattern.pattern:
        branches.append(_Ways(before))
    return _joined(branches)


def _joined(branches: list[_Ways]) -> _Ways:
    return _Ways(all(ways.end for ways in branches), all(ways.breaks for ways in branches))


def _is_target(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name
