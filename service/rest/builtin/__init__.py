"""The built-in planner: compiles REST conventions to programs over ctx. No key, no network, no state.

    Shape -> Route + Query -> one rule -> Draft (checks, then statements) -> Plan

Its programs cannot hold a value of a request: a shape has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from service.rest.builtin import default_dialect, json_server
from service.rest.builtin.query import Query
from service.rest.plan import NotExpressible, Plan
from service.rest.shape import Shape

_DIALECTS: Mapping[str, Callable[[Shape], Plan]] = {
    "default": default_dialect.plan_default,
    "json-server": json_server.plan_json_server,
}
_QUERIES: Mapping[str, Callable[[Shape], Query]] = {
    "default": default_dialect.read_query,
    "json-server": json_server.read_query,
}


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


def read_query(shape: Shape) -> Query:
    """Which of the shape's parameters a rule would know for such a request, also where there is no plan by
    rules. In a dialect without rules it would know none. MethodNotAllowed."""
    sort = _QUERIES.get(shape.dialect)
    return Query() if sort is None else sort(shape)
