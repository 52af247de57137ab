"""The json-server dialect (0.17): bare arrays, ``_page`` and its kin, ``{}`` for what is missing.

Chosen per request or session, on the same records. What differs from json-server on purpose: operators _gt
and _lt, _like takes text and no pattern, a lone _start slices, wrong numbers are 400, unknown parents 404,
deletes cascade only with cascade=true, arrays insert in bulk, an id is never given out twice, a duplicate
one is 409, bad JSON 400, answers are JSON whatever ``callback`` says, and pages of any origin may read them
without credentials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from service.rest.builtin import changes, creates, json_server_lists, objects, reads
from service.rest.builtin.bodies import ACCEPT_PATCH
from service.rest.builtin.draft import Draft
from service.rest.builtin.objects import OBJECTS
from service.rest.builtin.query import Query, sort_out
from service.rest.builtin.route import Route, route_of
from service.rest.builtin.text import collection, literal
from service.rest.plan import Plan
from service.rest.shape import Shape

_WRITES = ("return=minimal", "return=representation", "tx=rollback", "tx=commit")
_DELAY = "_delay"
_IGNORED = frozenset((("_", False), ("_", True), (_DELAY, False)))
_PREFLIGHT = "GET,HEAD,PUT,PATCH,POST,DELETE"
_REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Session-ID"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """``make`` completes a draft. ``controls``: parameters it takes. ``lists``: it takes those of lists."""

    make: Callable[[Draft], Plan]
    controls: frozenset[str] = frozenset()
    lists: bool = False
    applied: tuple[str, ...] = ()


def _delete(draft: Draft) -> Plan:
    return changes.delete_replying(draft, draft.reply(200, "{}"))


def _whole(draft: Draft) -> Plan:
    lists = "name: session_store.collection(name).find({})[0] for name in session_store.names()"
    ones = f'row["id"]: row["value"] for row in {collection(OBJECTS)}.find({{}})[0]'
    body = f'{{**{{{ones}}}, **{{{lists} if not name.startswith("_")}}}}'
    return draft.finish("export", draft.reply(200, body), write=False)


def _options(draft: Draft) -> Plan:
    """What the path takes, and to a browser before it sends anything: what any path may take."""
    taken = {method for kind, method in RULES if kind == draft.route.kind} | {"OPTIONS"}
    headers = {"Allow": ", ".join(sorted(taken | ({"HEAD"} if "GET" in taken else set())))}
    if "PATCH" in taken:
        headers["Accept-Patch"] = ACCEPT_PATCH
    headers["Access-Control-Allow-Methods"] = _PREFLIGHT
    headers["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
    last = draft.reply(204, headers={name: literal(value) for name, value in headers.items()})
    return draft.finish("options", last, write=False)


def _missing(draft: Draft) -> Plan:
    return draft.finish("none", draft.reply(404, "{}"), write=False)


RULES: Mapping[tuple[str, str], Rule] = {
    ("root", "GET"): Rule(reads.list_collections),
    ("collection", "GET"): Rule(json_server_lists.list_records, json_server_lists.CONTROLS, lists=True),
    ("collection", "POST"): Rule(creates.create, frozenset(("_embed",)), applied=_WRITES),
    ("collection", "PUT"): Rule(objects.replace, applied=_WRITES),
    ("collection", "PATCH"): Rule(objects.patch, applied=_WRITES),
    ("item", "GET"): Rule(reads.get, frozenset(("_embed", "_expand"))),
    ("item", "PUT"): Rule(changes.replace, applied=_WRITES),
    ("item", "PATCH"): Rule(changes.patch, applied=_WRITES),
    ("item", "DELETE"): Rule(_delete, frozenset(("cascade",)), applied=_WRITES),
}


def plan_json_server(shape: Shape) -> Plan:
    """NotExpressible, BadRequest, UnsupportedMediaType. Methods that json-server has not are its 404."""
    route = _route(shape)
    method = "GET" if shape.method == "HEAD" else shape.method
    rule = _rule(shape, route, method)
    plan = rule.make(Draft(shape, route, _query(shape, rule), rule.applied))
    if (_DELAY, False) not in shape.query:
        return plan
    return replace(plan, response_hints={**plan.response_hints, "delay": f"query.{_DELAY}"})


def read_query(shape: Shape) -> Query:
    """The parameters as the rule for such a request takes them."""
    return _query(shape, _rule(shape, _route(shape), "GET" if shape.method == "HEAD" else shape.method))


def _rule(shape: Shape, route: Route, method: str) -> Rule:
    if method == "OPTIONS":
        return Rule(_options)
    if shape.path == ("db",):
        return Rule(_whole if method == "GET" else _missing)
    if route.parents and route.kind == "collection" and method in ("PUT", "PATCH"):
        return Rule(_missing)  # single objects have no parents
    return RULES.get((route.kind, method), Rule(_missing))


def _route(shape: Shape) -> Route:
    """As in the default dialect, but search is an id like any other."""
    route = route_of(shape.path)
    return (
        Route("item", route.resource, len(shape.path) - 1, route.parents) if route.kind == "search" else route
    )


def _query(shape: Shape, rule: Rule) -> Query:
    parameters = tuple(each for each in shape.query if each not in _IGNORED)
    if rule.lists:
        return json_server_lists.sort_out_list(parameters)
    return sort_out(parameters, rule.controls, filters=False)
