"""The default dialect: which rule makes the plan, and which parameters and preferences that rule takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.errors import MethodNotAllowed
from service.rest.builtin import bulk, changes, creates, reads
from service.rest.builtin.bodies import ACCEPT_PATCH
from service.rest.builtin.draft import Draft
from service.rest.builtin.query import LIST_CONTROLS, Query, sort_out
from service.rest.builtin.route import METHODS, Route, route_of
from service.rest.builtin.text import literal
from service.rest.plan import Plan
from service.rest.shape import Shape

_RETURN = ("return=minimal", "return=representation")
_TX = ("tx=rollback", "tx=commit")
_WRITES = (*_RETURN, *_TX)


@dataclass(frozen=True, slots=True)
class Rule:
    """``make`` completes a draft. ``controls``: reserved parameters it takes. ``filters``: whether it takes
    filters. ``applied``: preferences it honours."""

    make: Callable[[Draft], Plan]
    controls: frozenset[str] = frozenset()
    filters: bool = False
    applied: tuple[str, ...] = ()


def options(draft: Draft) -> Plan:
    """What the path allows."""
    allow = METHODS[draft.route.kind]
    headers = {"Allow": literal(", ".join(allow))}
    if "PATCH" in allow:
        headers["Accept-Patch"] = literal(ACCEPT_PATCH)
    return draft.finish("options", draft.reply(204, headers=headers), write=False)


_LIST = Rule(reads.list_records, LIST_CONTROLS, filters=True)
_ONE = Rule(reads.get, frozenset(("fields", "_embed", "_expand")))

RULES: Mapping[tuple[str, str], Rule] = {
    ("root", "GET"): Rule(reads.list_collections),
    ("collection", "GET"): _LIST,
    ("collection", "POST"): Rule(creates.create, frozenset(("_embed",)), applied=_WRITES),
    ("collection", "PATCH"): Rule(
        bulk.patch_where, frozenset(("all",)), filters=True, applied=(*_WRITES, "max-affected")
    ),
    ("collection", "DELETE"): Rule(
        bulk.delete_where,
        frozenset(("all", "cascade")),
        filters=True,
        applied=(*_WRITES, "max-affected"),
    ),
    ("item", "GET"): _ONE,
    ("item", "PUT"): Rule(changes.replace, applied=_WRITES),
    ("item", "PATCH"): Rule(changes.patch, applied=_WRITES),
    ("item", "DELETE"): Rule(changes.delete, frozenset(("cascade",)), applied=_WRITES),
    ("search", "GET"): Rule(reads.search, LIST_CONTROLS, filters=True),
    ("search", "POST"): Rule(reads.search_by_body, LIST_CONTROLS),
}


def plan_default(shape: Shape) -> Plan:
    """NotExpressible, MethodNotAllowed, BadRequest, UnsupportedMediaType."""
    route = route_of(shape.path)
    rule = _rule(route, shape.method)
    query = sort_out(shape.query, rule.controls, rule.filters)
    return rule.make(Draft(shape, route, query, rule.applied))


def read_query(shape: Shape) -> Query:
    """The parameters as the rule for such a request takes them. MethodNotAllowed."""
    rule = _rule(route_of(shape.path), shape.method)
    return sort_out(shape.query, rule.controls, rule.filters)


def _rule(route: Route, method: str) -> Rule:
    if method == "OPTIONS":
        return Rule(options)
    rule = RULES.get((route.kind, "GET" if method == "HEAD" else method))
    if rule is None:
        raise MethodNotAllowed(method, METHODS[route.kind])
    return rule
