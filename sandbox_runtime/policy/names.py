"""What a name in a program refers to, as far as its imports tell: ``sp.run`` is ``subprocess.run``."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbox_runtime.policy.walk import Placed, normal

# No name in the tables has more parts; following longer chains would make the walk quadratic.
_MAX_PARTS = 5


@dataclass(frozen=True, slots=True)
class Names:
    """The names a program binds: to a module or a part of one, or to something of its own."""

    imported: Mapping[str, str]
    own: frozenset[str]

    def dotted(self, node: ast.AST) -> str | None:
        """The full name of an attribute of an import, or the name of a builtin; None for all else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute) and len(parts) < _MAX_PARTS:
            parts.append(normal(node.attr))
            node = node.value
        if not isinstance(node, ast.Name) or normal(node.id) in self.own:
            return None
        name = normal(node.id)
        return ".".join([self.imported.get(name, name), *reversed(parts)])


def names_of(places: Iterable[Placed]) -> Names:
    """One flat scope: a name that is bound by an import and also otherwise counts as the program's own."""
    imported: dict[str, str] = {}
    own: set[str] = set()
    for node, _, _, identifiers in places:
        if isinstance(node, ast.Import):
            imported.update(_from_import(node))
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            imported.update({normal(a.asname or a.name): f"{module}.{normal(a.name)}" for a in node.names})
        elif not isinstance(node, ast.alias):
            own.update(text for text, binds in identifiers if binds)
    return Names(imported, frozenset(own))


def _from_import(node: ast.Import) -> dict[str, str]:
    bound = {}
    for alias in node.names:
        module = normal(alias.name)
        top = module.partition(".")[0]
        bound[normal(alias.asname) if alias.asname else top] = module if alias.asname else top
    return bound
