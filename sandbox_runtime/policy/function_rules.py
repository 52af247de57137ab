"""The rules that only the policy of loaded functions has: what is used of a module, which names are texts.

The tables of a policy look at one node. These look at a node with those right below it, and at what the
imports of the module bind. What they cannot follow (a module under another name, a name made up at run time)
meets the builtins and modules of ``function_builtins`` instead.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

from sandbox_runtime.policy.function_names import KNOWN_PRIVATE, attribute_fault
from sandbox_runtime.policy.names import Names, names_of
from sandbox_runtime.policy.shape import Policy
from sandbox_runtime.policy.templates import Templates
from sandbox_runtime.policy.violation import Violation, at_attribute, at_node
from sandbox_runtime.policy.walk import Identifier, Placed, normal

# Calls that take the name of an attribute as a text: which of their arguments, None for all of them.
_TAKES_NAMES: dict[str, int | None] = {
    "getattr": 1,
    "setattr": 1,
    "delattr": 1,
    "operator.methodcaller": 0,
    "operator.attrgetter": None,
}
_ENUMERATIONS = frozenset(f"enum.{name}" for name in ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"))
_CLASS_NAMES = frozenset({"__name__", "__qualname__"})
_SHORTEST_SPECIAL = len("__a__")


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What the rules need to know of the whole module: what its imports and builtins are called, the private
    names that are its own, the texts that templates are, and attributes that are excused where they stand."""

    names: Names
    own: frozenset[str]
    templates: Templates
    excused: frozenset[int]


def module_facts(places: list[Placed]) -> ModuleFacts:
    """Gathered from all nodes of the tree that some rule has anything to ask of."""
    names = names_of(places)
    nodes = [place.node for place in places]
    own = {text for place in places for text, binds in place.identifiers if binds}
    own.update(normal(node.attr) for node in nodes if isinstance(node, ast.Attribute) and _is_written(node))
    excused: set[int] = set()
    for node in nodes:
        excused.update(map(id, _class_of_an_object(node, names)))
        if isinstance(node, ast.Call) and (name := _written_past_setattr(node)) is not None:
            own.add(name)
            excused.add(id(node.func))
    return ModuleFacts(names, frozenset(own), Templates(places), frozenset(excused))


def admits_underscore(node: ast.AST, identifier: Identifier, policy: Policy, facts: ModuleFacts) -> bool:
    """Private names are free; a private attribute must be one that this module writes; special names (with
    two underscores on both sides) are in tables, or excused."""
    text = identifier.text
    if isinstance(node, ast.Attribute):
        if id(node) in facts.excused:
            return True
        if _is_special(text):
            return isinstance(node.ctx, ast.Load) and policy.special_attributes.admits(text)
        return text in facts.own or text in KNOWN_PRIVATE
    if isinstance(node, ast.MatchClass):
        return not _is_special(text)
    if not _is_special(text):
        return True
    return (policy.special_bindings if identifier.binds else policy.special_names).admits(text)


def module_violations(places: Iterable[Placed], policy: Policy, facts: ModuleFacts) -> Iterator[Violation]:
    """What these rules refuse, in no particular order."""
    for place in places:
        for rule in _RULES.get(type(place.node), ()):
            yield from rule(place.node, policy, facts)


def _used_of_a_module(node: ast.AST, policy: Policy, facts: ModuleFacts) -> Iterator[Violation]:
    """``math.pi`` is in the table of imports, as for ``from math import pi``; it may not be written."""
    if not isinstance(node, ast.Attribute):
        return
    module, _, name = (facts.names.dotted(node) or "").rpartition(".")
    table = policy.imports.get(module)
    if table is None or not _is_imported(node, facts):
        return
    if not table.admits(name):
        yield at_attribute(node, "import", f"{module}.{name}")
    elif _is_written(node):
        yield at_attribute(node, "attribute-write", f"{module}.{name}")


def _template(node: ast.AST, _policy: Policy, facts: ModuleFacts) -> Iterator[Violation]:
    """``'{} {}'.format(...)``: of a text that is known, whose fields read no attribute that is refused."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if normal(node.func.attr) != "format":
        return
    fault = facts.templates.fault(node.func.value)
    if fault is not None:
        yield at_attribute(node.func, "attribute", fault or "format")


def _named_attribute(node: ast.AST, _policy: Policy, facts: ModuleFacts) -> Iterator[Violation]:
    """``getattr(value, 'name')``, as far as the name is a literal."""
    if not isinstance(node, ast.Call):
        return
    callee = facts.names.dotted(node.func) or ""
    if callee not in _TAKES_NAMES:
        return
    index = _TAKES_NAMES[callee]
    for argument in node.args if index is None else node.args[index : index + 1]:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            for name in argument.value.split("."):
                if attribute_fault(name):
                    yield at_node(argument, "attribute", name)


def _made_class(node: ast.AST, _policy: Policy, facts: ModuleFacts) -> Iterator[Violation]:
    """``type(name, bases, namespace)`` and ``Enum(name, members)`` make classes from texts."""
    if not isinstance(node, ast.Call):
        return
    callee = facts.names.dotted(node.func)
    plain = len(node.args) == 1 and not node.keywords and not isinstance(node.args[0], ast.Starred)
    if callee == "type" and not plain:
        yield at_node(node, "function", "type")
    elif callee in _ENUMERATIONS:
        yield at_node(node, "function", callee.rpartition(".")[2])


def _class(node: ast.AST, _policy: Policy, facts: ModuleFacts) -> Iterator[Violation]:
    if not isinstance(node, ast.ClassDef):
        return
    for keyword in node.keywords:
        if keyword.arg in (None, "metaclass"):
            yield Violation(keyword.lineno, keyword.col_offset, "part", "ClassDef.keywords")
    for base in node.bases:
        if facts.names.dotted(base) == "type":
            yield at_node(base, "part", "ClassDef.bases")


def _class_pattern(node: ast.AST, policy: Policy, _facts: ModuleFacts) -> Iterator[Violation]:
    """``case Point(x=0)`` reads the attribute x."""
    if isinstance(node, ast.MatchClass):
        for name in map(normal, node.kwd_attrs):
            if not policy.attributes.admits(name):
                yield at_node(node, "attribute", name)


def _class_of_an_object(node: ast.AST, names: Names) -> Iterator[ast.Attribute]:
    """The ``.__class__`` in ``x.__class__.__name__``, ``isinstance(y, x.__class__)`` and
    ``x.__class__ is y.__class__``: it goes nowhere from there."""
    if isinstance(node, ast.Attribute):
        if node.attr in _CLASS_NAMES and _is_class_of(node.value):
            yield node.value
    elif isinstance(node, ast.Call):
        if names.dotted(node.func) == "isinstance" and len(node.args) == 2 and _is_class_of(node.args[1]):
            yield node.args[1]
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if all(isinstance(op, ast.Is | ast.IsNot) for op in node.ops) or all(map(_is_class_of, sides)):
            yield from (side for side in sides if _is_class_of(side))


def _written_past_setattr(node: ast.Call) -> str | None:
    """The name in ``object.__setattr__(self, 'name', value)``, by which frozen dataclasses write fields."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "__setattr__" or node.keywords:
        return None
    if not isinstance(node.func.value, ast.Name) or node.func.value.id != "object" or len(node.args) != 3:
        return None
    target, name, value = node.args
    if (
        isinstance(target, ast.Starred)
        or isinstance(value, ast.Starred)
        or not isinstance(name, ast.Constant)
    ):
        return None
    text = name.value
    if not isinstance(text, str) or _is_special(text) or attribute_fault(text):
        return None
    return text


def _is_class_of(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and node.attr == "__class__" and isinstance(node.ctx, ast.Load)


def _is_written(node: ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _is_imported(node: ast.Attribute, facts: ModuleFacts) -> bool:
    value: ast.AST = node
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name) and normal(value.id) in facts.names.imported


def _is_special(text: str) -> bool:
    return text.startswith("__") and text.endswith("__") and len(text) >= _SHORTEST_SPECIAL


_Rule = Callable[[ast.AST, Policy, ModuleFacts], Iterator[Violation]]
_RULES: dict[type[ast.AST], tuple[_Rule, ...]] = {
    ast.Attribute: (_used_of_a_module,),
    ast.Call: (_template, _named_attribute, _made_class),
    ast.ClassDef: (_class,),
    ast.MatchClass: (_class_pattern,),
}
# Nodes that no table asks about, and that these rules look into.
ASKED = frozenset({ast.Assign, ast.AnnAssign, ast.Compare, ast.MatchClass, *_RULES})
