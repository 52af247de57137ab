"""What the OpenAPI document says of keys: which operation needs one, and of which scope."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from starlette.requests import Request

from service.access.gate import Need
from service.access.scopes import Scope
from service.errors import MEDIA_TYPE
from service.http.routing import CatchAllRoute, KeyedRoute

Json = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch")
_SCHEMES: Json = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
}
_REFUSALS = {
    "400": "Two keys came that differ, or the request is malformed.",
    "401": "No key, or none that is good.",
    "403": "The key has not the scope, or the policy refused the program.",
    "429": "A limit of the key is used up.",
}


def secured(document: Json, routes: Iterable[KeyedRoute], unkeyed: Collection[Need]) -> Json:
    """The document with what each of ``routes`` needs; ``unkeyed`` needs nothing. Paths that are no route's
    own are resources."""
    needs = {route.path: route.needs for route in routes}
    paths = {
        path: item if (need := needs.get(path, Scope.REST)) in unkeyed else _path(item, need)
        for path, item in document["paths"].items()
    }
    components = {**document["components"], "securitySchemes": _SCHEMES}
    return {**document, "paths": paths, "components": components}


def served(document: Json, routes: Sequence[KeyedRoute]) -> Json:
    """The document without paths that nothing is served at, in an application that has no resources."""
    if serve_resources(routes):
        return document
    own = {route.path for route in routes}
    return {**document, "paths": {path: item for path, item in document["paths"].items() if path in own}}


def serve_resources(routes: Iterable[KeyedRoute]) -> bool:
    """Whether there is one for every path that is no other's."""
    return any(isinstance(route, CatchAllRoute) for route in routes)


def keyed_routes(request: Request) -> list[KeyedRoute]:
    """Those of the application that answers."""
    return [route for route in request.app.routes if isinstance(route, KeyedRoute)]


def security_of(need: Need) -> list[Json]:
    """What an operation says that needs this: either key will do."""
    scopes = [need.value] if isinstance(need, Scope) else []
    return [{name: scopes} for name in _SCHEMES]


def _path(item: Json, need: Need) -> Json:
    security = security_of(need)
    return {
        name: {**value, "security": security, "responses": {**value["responses"], **_refusals(value)}}
        if name in _METHODS
        else value
        for name, value in item.items()
    }


def _refusals(operation: Json) -> Json:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": said, "content": {MEDIA_TYPE: schema}}
        for status, said in _REFUSALS.items()
        if status not in operation["responses"]
    }
