"""Templates of ``str.format``: which texts they are, and what their fields read."""

from __future__ import annotations

import ast
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator

from sandbox_runtime.policy.function_names import attribute_fault
from sandbox_runtime.policy.walk import Placed, normal

_INDEX = re.compile(r"\[[^\]]*\]")
_MAX_DEPTH = 2  # str.format itself reads a specification inside a specification, and none in that


class Templates:
    """The names of a module that are bound once, to a literal, and what is wrong with each as a template."""

    def __init__(self, places: Iterable[Placed]) -> None:
        bound: Counter[str] = Counter()
        texts: dict[str, str] = {}
        for node, _, _, identifiers in places:
            bound.update(text for text, binds in identifiers if binds)
            if isinstance(node, ast.alias):
                bound.update({normal(node.name).partition(".")[0]: 1})
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                texts.update(_assigned_text(node))
        self._texts = {name: text for name, text in texts.items() if bound[name] == 1}
        self._faults: dict[str, str | None] = {}

    def fault(self, node: ast.expr) -> str | None:
        """None when ``node`` is a known text and harmless; the attribute it reads; "" when it is unknown."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return template_fault(node.value)
        if not isinstance(node, ast.Name) or (name := normal(node.id)) not in self._texts:
            return ""
        if name not in self._faults:
            self._faults[name] = template_fault(self._texts[name])
        return self._faults[name]


def template_fault(text: str) -> str | None:
    """The first refused attribute that a field of the template reads, or None. A template that cannot be read
    is not at fault: it raises ValueError when it is used."""
    try:
        return next((name for name in _attributes(text, _MAX_DEPTH) if _is_refused(name)), None)
    except ValueError:
        return None


def _attributes(text: str, depth: int) -> Iterator[str]:
    for _, field, specification, _ in string.Formatter().parse(text):
        if field:
            # The first part is an argument's number or name; what is in brackets is a key and no attribute.
            yield from _INDEX.sub("", field).split(".")[1:]
        if specification and depth > 1:
            yield from _attributes(specification, depth - 1)


def _is_refused(name: str) -> bool:
    return attribute_fault(name) is not None or name.startswith("_")


def _assigned_text(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, str]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    value = node.value
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        for target in targets:
            if isinstance(target, ast.Name):
                yield normal(target.id), value.value
