"""The rules: where a tree says what a policy's tables do not admit."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from sandbox_runtime.policy.function_rules import (
    ASKED,
    ModuleFacts,
    admits_underscore,
    module_facts,
    module_violations,
)
from sandbox_runtime.policy.shape import Policy
from sandbox_runtime.policy.violation import Violation, at_attribute
from sandbox_runtime.policy.walk import Identifier, Placed, normal, walk


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules need to know of the whole tree: names it binds, and ids of attributes it calls. Of a
    module of functions more."""

    bound: frozenset[str]
    called: frozenset[int]
    module: ModuleFacts | None


_Rule = Callable[[Placed, Policy, _Facts], Iterator[Violation]]
_NUMBER = re.compile(r"\d+")  # of any script, as in a format specification
_MAX_DIGITS = 9


def first_violation(tree: ast.Module, policy: Policy) -> Violation | None:
    """The violation that stands first in the source. Time and memory are linear in the size of the tree."""
    places = [place for place in walk(tree) if not _is_plain(place, policy)]
    facts = _gather(places, policy)
    found: Iterator[Violation] = (
        violation for place in places for violation in _violations(place, policy, facts)
    )
    if facts.module:
        found = chain(found, module_violations(places, policy, facts.module))
    return min(found, key=itemgetter(0, 1), default=None)


def _is_plain(place: Placed, policy: Policy) -> bool:
    """The node is allowed and no other rule has anything to ask of it: so it is with most nodes."""
    kind = type(place.node)
    name = kind.__name__
    return (
        not place.identifiers
        and kind not in _RULES
        and not (policy.judges_modules and kind in ASKED)
        and name in policy.nodes
        and name not in policy.absent_parts
    )


def _gather(places: list[Placed], policy: Policy) -> _Facts:
    bound: set[str] = set()
    called: set[int] = set()
    for node, _, _, identifiers in places:
        bound.update(text for text, binds in identifiers if binds)
        if isinstance(node, ast.Import):
            bound.update(normal(alias.name).partition(".")[0] for alias in node.names if not alias.asname)
        elif isinstance(node, ast.ImportFrom):
            bound.update(normal(alias.name) for alias in node.names if not alias.asname)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called.add(id(node.func))
    module = module_facts(places) if policy.judges_modules else None
    return _Facts(frozenset(bound), frozenset(called), module)


def _violations(place: Placed, policy: Policy, facts: _Facts) -> Iterator[Violation]:
    kind = type(place.node).__name__
    if kind not in policy.nodes:
        yield Violation(place.line, place.byte, "node", kind)
        return
    yield from _absent_parts(place, policy.absent_parts.get(kind, ()))
    yield from _identifiers(place, policy, facts)
    rule = _RULES.get(type(place.node))
    if rule:
        yield from rule(place, policy, facts)


def _absent_parts(place: Placed, fields: tuple[str, ...]) -> Iterator[Violation]:
    for field in fields:
        value = getattr(place.node, field, None)
        if value:
            first = value[0] if isinstance(value, list) else value
            line, byte = getattr(first, "lineno", place.line), getattr(first, "col_offset", place.byte)
            yield Violation(line, byte, "part", f"{type(place.node).__name__}.{field}")


def _identifiers(place: Placed, policy: Policy, facts: _Facts) -> Iterator[Violation]:
    for identifier in place.identifiers:
        text = identifier.text
        if text.startswith("_") and not _admits_underscore(place.node, identifier, policy, facts):
            if isinstance(place.node, ast.Attribute):
                yield at_attribute(place.node, "underscore", text)
            else:
                yield Violation(place.line, place.byte, "underscore", text)
        elif identifier.binds and not policy.bindable_names.admits(text):
            yield Violation(place.line, place.byte, "binding", text)


def _admits_underscore(node: ast.AST, identifier: Identifier, policy: Policy, facts: _Facts) -> bool:
    if facts.module:
        return admits_underscore(node, identifier, policy, facts.module)
    return identifier.text == "_" and not isinstance(node, ast.Attribute)


def _name(place: Placed, policy: Policy, facts: _Facts) -> Iterator[Violation]:
    node = place.node
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
        text = normal(node.id)
        if text not in facts.bound and not policy.free_names.admits(text):
            yield Violation(place.line, place.byte, "name", text)


def _attribute(place: Placed, policy: Policy, facts: _Facts) -> Iterator[Violation]:
    node = place.node
    if not isinstance(node, ast.Attribute):
        return
    text = normal(node.attr)
    if not isinstance(node.ctx, ast.Load):
        rule, table = "attribute-write", policy.writable_attributes
    elif id(node) in facts.called:
        rule, table = "attribute", policy.methods
    else:
        rule, table = "attribute", policy.attributes
    if not table.admits(text):
        yield at_attribute(node, rule, text)


def _call(place: Placed, policy: Policy, _facts: _Facts) -> Iterator[Violation]:
    node = place.node
    if not isinstance(node, ast.Call):
        return
    kind = type(node.func).__name__
    if kind not in policy.callees:
        yield Violation(place.line, place.byte, "call", kind)
    elif isinstance(node.func, ast.Name) and not policy.functions.admits(normal(node.func.id)):
        yield Violation(place.line, place.byte, "function", normal(node.func.id))


def _field(place: Placed, policy: Policy, _facts: _Facts) -> Iterator[Violation]:
    node = place.node
    if not isinstance(node, ast.FormattedValue):
        return
    # Up to Python 3.11 only the value has a place of its own.
    line, byte = node.value.lineno, node.value.col_offset
    if node.conversion >= 0 and chr(node.conversion) not in policy.conversions:
        yield Violation(line, byte, "part", "FormattedValue.conversion")
    limit = policy.max_format_number
    if limit is not None and node.format_spec is not None and not _is_small(node.format_spec, limit):
        yield Violation(line, byte, "part", "FormattedValue.format_spec")


def _is_small(specification: ast.expr, limit: int) -> bool:
    """It is constant, and no number in it is above the limit."""
    if not isinstance(specification, ast.JoinedStr):
        return False
    for part in specification.values:
        if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
            return False
        numbers = _NUMBER.findall(part.value)
        if any(len(number) > _MAX_DIGITS or int(number) > limit for number in numbers):
            return False
    return True


def _import(place: Placed, policy: Policy, _facts: _Facts) -> Iterator[Violation]:
    node = place.node
    if not isinstance(node, ast.Import):
        return
    for alias in node.names:
        module = normal(alias.name)
        if module not in policy.imports:
            yield Violation(alias.lineno, alias.col_offset, "import", module)


def _import_from(place: Placed, policy: Policy, _facts: _Facts) -> Iterator[Violation]:
    node = place.node
    if not isinstance(node, ast.ImportFrom):
        return
    module = "." * node.level + normal(node.module or "")
    table = policy.imports.get(module)
    if table is None:
        yield Violation(place.line, place.byte, "import", module)
        return
    for alias in node.names:
        name = normal(alias.name)
        # "*" would bind names that no table has seen.
        if name == "*" or name.startswith("_") or not table.admits(name):
            yield Violation(alias.lineno, alias.col_offset, "import", f"{module}.{name}")


_RULES: dict[type[ast.AST], _Rule] = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.FormattedValue: _field,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
}
