"""Loops that nothing in their text can end.

A loop counts only where it is likely to hold up the program: at module level, or in a plain function that is
called by its name (the target of a thread may well run for ever). Whatever might end it acquits it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeGuard

from sandbox_runtime.policy.finding_tables import ENDINGS
from sandbox_runtime.policy.names import Names

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Loop = ast.While | ast.For | ast.AsyncFor
_EXITS = (ast.Return, ast.Raise, ast.Assert, ast.Yield, ast.YieldFrom, ast.Await)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a node stands: in which function, in which loops, and whether an endless loop matters there."""

    function: str | None = None
    counts: bool = True
    innermost: _Loop | None = None
    endless: tuple[ast.While, ...] = ()


def endless_loops(tree: ast.Module, names: Names) -> list[ast.While]:
    """Every ``while True`` and its like that nothing in the text ends, in no particular order."""
    found: dict[ast.While, str | None] = {}
    ended: set[_Loop] = set()
    called: set[str | None] = {None}
    stack: list[tuple[ast.AST, _Scope]] = [(tree, _Scope())]
    while stack:
        node, scope = stack.pop()
        if _is_endless(node) and scope.counts:
            found[node] = scope.function
        elif isinstance(node, ast.Break) and scope.innermost:
            ended.add(scope.innermost)
        elif _is_exit(node, names):
            ended.update(scope.endless)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func.id)
        stack.extend(_children(node, scope, names))
    return [loop for loop, function in found.items() if loop not in ended and function in called]


def _children(node: ast.AST, scope: _Scope, names: Names) -> Iterator[tuple[ast.AST, _Scope]]:
    inner = _inside(node, scope, names)
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST):
                yield child, inner if field == "body" else scope


def _inside(node: ast.AST, scope: _Scope, names: Names) -> _Scope:
    """The scope of the node's body. Its other fields, a loop's ``else`` for one, lie around it."""
    if isinstance(node, _Function):
        plain = isinstance(node, ast.FunctionDef) and not node.decorator_list
        return _Scope(node.name if isinstance(node, ast.FunctionDef) else None, scope.counts and plain)
    if isinstance(node, ast.ClassDef):
        return replace(scope, counts=False)
    if _is_endless(node):
        return replace(scope, innermost=node, endless=(*scope.endless, node))
    if isinstance(node, _Loop):
        return replace(scope, innermost=node)
    if _may_catch(node, names):
        return replace(scope, counts=False)
    return scope


def _is_endless(node: ast.AST) -> TypeGuard[ast.While]:
    return isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)


def _is_exit(node: ast.AST, names: Names) -> bool:
    return isinstance(node, _EXITS) or (isinstance(node, ast.Call) and names.dotted(node.func) in ENDINGS)


def _may_catch(node: ast.AST, names: Names) -> bool:
    """A loop in here is often ended by an exception on purpose, though not by Ctrl-C: nobody sends one."""
    if isinstance(node, ast.Try | ast.TryStar):
        return any(not _is_interrupt(handler.type) for handler in node.handlers)
    if isinstance(node, ast.With):
        calls = (item.context_expr for item in node.items)
        return any(isinstance(c, ast.Call) and names.dotted(c.func) == "contextlib.suppress" for c in calls)
    return False


def _is_interrupt(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "KeyboardInterrupt"
