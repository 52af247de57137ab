"""From what a model answers to a plan: its program and its word for it; all else is ours to say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from service.errors import PlanRefused
from service.rest.plan import MAX_BLOCK, Plan
from service.rest.shape import ID, Shape

_MAX_ACTION = 60
_READS = ("GET", "HEAD", "OPTIONS")


def plan_of(output: Mapping[str, Any], shape: Shape, rival: Plan | None) -> Plan:
    """``rival``: the built-in planner's plan for the shape; where there is one, its hints count. PlanRefused,
    rule ``output``, for members that are missing, or that the shape does not allow."""
    action = _text(output, "action", _MAX_ACTION)
    resource = _text(output, "resource", None)
    block = _text(output, "block", MAX_BLOCK)
    if resource and resource not in shape.path[::2]:
        allowed = ", ".join((*shape.path[::2], '""'))
        raise _refused(f"resource is {resource[:100]!r}, expected a collection of the path: {allowed}")
    if not block.strip():
        raise _refused("block is empty, expected a program that assigns REPLY")
    action = action if action.isprintable() and action else "other"
    if rival is not None:
        return replace(rival, action=action, resource=resource, block=block)
    return Plan(
        action=action,
        resource=resource,
        block=block,
        identifier=_identifier(shape),
        criteria={},
        payload=None if shape.body == "none" else "body_json",
        response_hints=_hints(shape),
    )


def _text(output: Mapping[str, Any], name: str, most: int | None) -> str:
    value = output.get(name)
    if not isinstance(value, str):
        raise _refused(f"{name} is of type {type(value).__name__}, expected a string")
    if most is not None and len(value) > most:
        raise _refused(f"{name} has {len(value)} characters, the limit is {most}")
    return value


def _refused(why: str) -> PlanRefused:
    return PlanRefused(f"the plan was refused: {why}", rule="output")


def _identifier(shape: Shape) -> str | None:
    places = [at for at, part in enumerate(shape.path) if part == ID]
    return f"segments[{places[-1]}]" if places else None


def _hints(shape: Shape) -> dict[str, object]:
    if shape.method in _READS:
        hints: dict[str, object] = {"transaction": "read"}
        return hints | {"body": False} if shape.method == "HEAD" else hints
    return {"transaction": "rollback" if "tx=rollback" in shape.prefer else "write"}
