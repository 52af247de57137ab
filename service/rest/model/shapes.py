"""The shape as a model is shown it, and the part of a request that the shape is made of. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox_runtime.call import PLAN_VERSION
from sandbox_runtime.planning import PROMPT_VERSIONS
from service.rest.builtin import BuiltinPlanner
from service.rest.context import RequestContext
from service.rest.shape import BodyTree, Shape, shape_of
from service.settings import Settings

Versions = tuple[tuple[str, str], ...]
BODY_DEPTH = 3  # levels of a body's types that a model is shown
PROOF_VERSION = "1"  # of what service.rest.proof asks of a plan


def model_name(settings: Settings) -> str:
    """The model that is asked first, as far as the settings name it."""
    if settings.llm_mock_handler is not None:
        return f"mock/{settings.llm_mock_handler}"
    return f"{settings.default_provider}/{settings.llm_model or 'usual'}"


def model_versions(settings: Settings) -> Versions:
    """What else than its shape a model's plan depends on. ``rules``: with which it may have had to agree."""
    return (
        ("planner", "llm"),
        ("prompt", PROMPT_VERSIONS["plan"]),
        ("model", model_name(settings)),
        ("rules", BuiltinPlanner.version),
        ("proof", PROOF_VERSION),
        ("policy", PLAN_VERSION),
    )


def deep_shape(context: RequestContext, versions: Versions, query: tuple[tuple[str, bool], ...]) -> Shape:
    """With the body's fields, and of the query's parameters only those that are given."""
    found = shape_of(context, versions, BODY_DEPTH)
    return Shape(
        method=found.method,
        path=found.path,
        query=query,
        body=found.body,
        media_type=found.media_type,
        conditions=found.conditions,
        prefer=found.prefer,
        dialect=found.dialect,
        versions=versions,
    )


def readable(shape: Shape) -> dict[str, Any]:
    """The shape as an object with a name for each part, for a reader that knows JSON and not us."""
    return {
        "method": shape.method,
        "path": "/" + "/".join(shape.path),
        "query": [{"name": name, "repeated": repeated} for name, repeated in shape.query],
        "body": _readable_tree(shape.body),
        "media_type": shape.media_type,
        "conditional_headers": list(shape.conditions),
        "prefer": list(shape.prefer),
        "dialect": shape.dialect,
    }


def _readable_tree(tree: BodyTree | Any) -> Any:
    """A type's name, {"object": {field: type}} or {"array": [types of items]}; "..." for what was cut."""
    if isinstance(tree, str):
        return tree
    kind, children = tree
    if kind == "object":
        return {"object": dict(_fields(children))}
    return {"array": [_readable_tree(child) for child in children]}


def _fields(children: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    for child in children:
        yield ("...", "...") if child == "..." else (child[0], _readable_tree(child[1]))
