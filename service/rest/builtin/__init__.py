"""The built-in planner: compiles REST conventions to programs over ctx. No key, no network, no state.

    Shape -> Route + Query -> one rule -> Draft (checks, then statements) -> Plan

Its programs cannot hold a value of a request: a shape has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from service.rest.builtin.default_dialect import plan_default
from service.rest.builtin.json_server import plan_json_server
from service.rest.plan import NotExpressible, Plan
from service.rest.shape import Shape

_DIALECTS: Mapping[str, Callable[[Shape], Plan]] = {
    "default": plan_default,
    "json-server": plan_json_server,
}
DIALECTS = tuple(_DIALECTS)


class BuiltinPlanner:
    """``plan.Planner``. Looks at no more of a body than its type, so that all bodies share a plan."""

    version = "builtin-2"
    body_depth = 0
    source: Literal["builtin", "llm"] = "builtin"
    sees_values = False

    async def make(self, shape: Shape) -> Plan:
        """``plan``, which waits for nothing."""
        return self.plan(shape)

    def plan(self, shape: Shape) -> Plan:
        """NotExpressible when no rule covers the shape; a LarsError when the request itself is wrong."""
        compile_shape = _DIALECTS.get(shape.dialect)
        if compile_shape is None:
            raise NotExpressible(f"the dialect {shape.dialect!a}")
        return compile_shape(shape)
