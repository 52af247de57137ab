"""Static findings: what a program says that will not work in the jail, or that deserves a second look.

Notices, not refusals: the jail holds whatever the program does. A finding is reported only where the text
leaves little doubt, because one false notice devalues all the others.
"""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox_runtime.job import NOTHING_FOUND
from sandbox_runtime.policy import finding_tables as tables
from sandbox_runtime.policy.endless import endless_loops
from sandbox_runtime.policy.names import Names, names_of
from sandbox_runtime.policy.walk import normal, walk

_MAX_DESCRIBED = 20
_MAX_PATH = 60
_MAX_CLIMB = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One notice. Line and column count from 1, the column in bytes of UTF-8, as the tree has it."""

    rule: str
    message: str
    line: int
    column: int


def findings(tree: ast.Module) -> tuple[Finding, ...]:
    """Every finding in source order, at most one of the same wording per line."""
    places = list(walk(tree))
    names = names_of(places)
    nodes = [place.node for place in places]
    excused = _excused(frozenset(names.dotted(n) or "" for n in nodes if isinstance(n, ast.Attribute)))
    found = [_endless(loop) for loop in endless_loops(tree, names)]
    found.extend(_deletions(tree, names))
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend(_imports(node, excused))
        elif isinstance(node, ast.Name | ast.Attribute):
            found.extend(_reference(node, names))
        elif isinstance(node, ast.Call):
            found.extend(_call(node, names))
    unique = {(each.line, each.message): each for each in sorted(found, key=_place, reverse=True)}
    return tuple(sorted(unique.values(), key=_place))


def describe(found: tuple[Finding, ...]) -> str:
    """One sentence per finding with its line, or the sentence that says there is none."""
    if not found:
        return NOTHING_FOUND
    sentences = [f"Line {each.line}: {each.message}." for each in found[:_MAX_DESCRIBED]]
    if len(found) > _MAX_DESCRIBED:
        sentences.append(f"There are {len(found) - _MAX_DESCRIBED} more findings.")
    return " ".join(sentences)


def _place(finding: Finding) -> tuple[int, int, str]:
    return finding.line, finding.column, finding.message


def _at(node: ast.stmt | ast.expr, rule: str, message: str) -> Finding:
    return Finding(rule, message, node.lineno, node.col_offset + 1)


def _imports(node: ast.Import | ast.ImportFrom, excused: frozenset[str]) -> Iterator[Finding]:
    for alias in node.names:
        module = normal(alias.name)
        if isinstance(node, ast.ImportFrom):
            module = f"{'.' * node.level}{normal(node.module or '')}.{module}"
        listed = _listed_module(module)
        if listed and module not in excused and not _is_harmless(module):
            rule, what = tables.MODULES[listed]
            yield _at(node, rule, f"imports {listed}: {what}")


def _listed_module(module: str) -> str | None:
    parts = module.split(".", 2)
    return next((name for name in (parts[0], ".".join(parts[:2])) if name in tables.MODULES), None)


def _is_harmless(name: str) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in tables.HARMLESS)


def _excused(used: frozenset[str]) -> frozenset[str]:
    """The modules of which the program uses harmless parts only."""
    modules = {part.rpartition(".")[0] for part in tables.HARMLESS}
    uses = {module: [name for name in used if name.startswith(f"{module}.")] for module in modules}
    return frozenset(module for module, names in uses.items() if names and all(map(_is_harmless, names)))


def _reference(node: ast.Name | ast.Attribute, names: Names) -> Iterator[Finding]:
    name = names.dotted(node)
    if name is not None and name in tables.FUNCTIONS:
        rule, what = tables.FUNCTIONS[name]
        yield _at(node, rule, f"uses {name}: {what}")
    if isinstance(node, ast.Attribute) and _climbs(node):
        yield _at(node, "introspection", f"reaches {node.attr}, the interpreter's internals")


def _climbs(node: ast.Attribute) -> bool:
    """A walk from some value to the interpreter's internals, not a class asking for its own subclasses."""
    if node.attr in tables.INTERNALS:
        return True
    if node.attr != "__subclasses__":
        return False
    step: ast.expr = node.value
    for _ in range(_MAX_CLIMB):
        if isinstance(step, ast.Attribute):
            if step.attr in tables.CLIMBS:
                return True
            step = step.value
        elif isinstance(step, ast.Subscript):
            step = step.value
        elif isinstance(step, ast.Call):
            step = step.func
    return isinstance(step, ast.Name) and step.id in ("object", "type")


def _call(node: ast.Call, names: Names) -> Iterator[Finding]:
    name = names.dotted(node.func)
    first = node.args[0] if node.args else None
    if name in tables.DYNAMIC_CODE and first and not isinstance(first, ast.Constant):
        yield _at(node, "dynamic-code", f"{name} runs or loads what is only known at run time")
    path = _foreign_path(first if name in tables.PATH_FUNCTIONS else _path_of_method(node, names))
    if path:
        shown = ascii(path[:_MAX_PATH])
        yield _at(node, "path", f"uses the path {shown}: the sandbox keeps its files in /tmp")


def _path_of_method(node: ast.Call, names: Names) -> ast.expr | None:
    """The argument of Path in ``Path(argument).method(...)``."""
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr in tables.PATH_METHODS:
        made = function.value
        if isinstance(made, ast.Call) and made.args and names.dotted(made.func) in tables.PATH_CLASSES:
            return made.args[0]
    return None


def _foreign_path(node: ast.expr | None) -> str | None:
    """The literal absolute path, when it lies where the sandbox has no files of the program's."""
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return None
    path = posixpath.normpath(node.value)
    known = any(path == place or path.startswith(f"{place}/") for place in tables.KNOWN_PLACES)
    return path if path.startswith("/") and not known else None


def _deletions(tree: ast.Module, names: Names) -> Iterator[Finding]:
    """Calls that delete, in the body of a loop over a directory listing."""
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, listing = stack.pop()
        if listing and isinstance(node, ast.Call) and _deletes(node, names):
            yield _at(node, "deletion", "deletes what a directory listing holds")
        inside = listing or (isinstance(node, ast.For) and _lists(node.iter, names))
        stack.extend((child, inside) for child in ast.iter_child_nodes(node))


def _deletes(node: ast.Call, names: Names) -> bool:
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return names.dotted(node.func) in tables.DELETIONS or method in tables.DELETION_METHODS


def _lists(node: ast.expr, names: Names) -> bool:
    """A listing, or one wrapped once as in ``sorted(os.listdir(path))``."""
    if not isinstance(node, ast.Call):
        return False
    for call in (node, *node.args[:1]):
        if isinstance(call, ast.Call):
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if names.dotted(call.func) in tables.LISTINGS or method in tables.LISTING_METHODS:
                return True
    return False


def _endless(loop: ast.While) -> Finding:
    return _at(loop, "endless-loop", "loops with no break, return or raise in it: only the timeout ends it")
