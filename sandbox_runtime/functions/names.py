"""Annotations written as text (PEP 563), read without evaluating them: names of the module, and what is made
of them by ``[]``, ``|`` and one dot."""

from __future__ import annotations

import ast
import builtins
import types
import typing
from collections.abc import Mapping
from typing import Any

_LONGEST = 1000


class Unresolved(Exception):
    """An annotation that no argument can be converted to; the text says why."""


def resolve(text: str, namespace: Mapping[str, object]) -> Any:
    """The annotation that the text stands for. Unresolved."""
    if len(text) > _LONGEST:
        raise Unresolved(f"an annotation of more than {_LONGEST} characters")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unresolved(f"{text[:60]!r} is no annotation") from error
    return _value(tree.body, namespace)


def _value(node: ast.expr, namespace: Mapping[str, object]) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or value is ... or isinstance(value, str):
            return resolve(value, namespace) if isinstance(value, str) else value
        case ast.Name(id=name):
            return _named(name, namespace)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return _member(_named(name, namespace), name, attribute)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return typing.Union[_value(left, namespace), _value(right, namespace)]  # noqa: UP007 - as values
        case ast.Subscript(value=base, slice=inside):
            return _subscribed(base, inside, namespace)
    raise Unresolved(f"{ast.unparse(node)[:60]!r} is no annotation that can be read")


def _subscribed(base: ast.expr, inside: ast.expr, namespace: Mapping[str, object]) -> Any:
    origin = _value(base, namespace)
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if origin is typing.Literal:
        values = tuple(_literal(part, namespace) for part in parts)
        return typing.Literal[values]
    if origin is typing.Annotated:
        return _value(parts[0], namespace)
    arguments = tuple(_value(part, namespace) for part in parts)
    try:
        return origin[arguments if len(arguments) != 1 else arguments[0]]
    except TypeError as error:
        raise Unresolved(f"{ast.unparse(base)[:60]} takes no such arguments") from error


def _named(name: str, namespace: Mapping[str, object]) -> Any:
    if name in namespace:
        return namespace[name]
    found = vars(builtins).get(name)
    if isinstance(found, type):
        return found
    raise Unresolved(f"{name!r} is no name of the module")


def _member(module: object, name: str, attribute: str) -> Any:
    if isinstance(module, types.ModuleType) and attribute in vars(module):
        return vars(module)[attribute]
    raise Unresolved(f"{name}.{attribute} is no name of a module")


def _literal(node: ast.expr, namespace: Mapping[str, object]) -> object:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            return -value
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):  # a member of an enumeration
            members = getattr(_named(name, namespace), "__members__", {})
            if attribute in members:
                return members[attribute]
    raise Unresolved(f"{ast.unparse(node)[:60]!r} is no literal")
