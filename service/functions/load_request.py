"""The bodies of POST /load-function and of the administration of one function: JSON objects in, values out.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from service.errors import Conflict
from service.functions.names import improved_path, read_spec
from service.functions.values import FunctionSpec, Split
from service.http.members import read_members, require, text, whole_number

_Reader = Callable[[Any, None], Any]
_NAMES = ("visible_pixel_hash", "function_name", "module_name")
_NEEDED = (*_NAMES, "endpoint_path")
_NEEDED_TO_IMPROVE = (*_NAMES, "improvement_type")


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What is to be loaded. ``canary_weight``: percent of the calls that it is to have, beside the version
    that is there; None: it takes that one's place."""

    spec: FunctionSpec
    canary_weight: int | None


def parse_load(body: Mapping[str, Any], reserved: Collection[str]) -> LoadRequest:
    """``reserved``: first segments of the service's own paths. ValidationFailed; Conflict when the path is
    the service's."""
    values = read_members(body, _LOAD, None)
    require(values, _NEEDED)
    contract, name, module, path = (values[name] for name in _NEEDED)
    found = read_spec(FunctionSpec(contract, name, module, path, values.get("method", "GET")))
    first = found.path.split("/")[1]
    if first in reserved:
        raise Conflict(
            f"the endpoint_path {found.path} is below /{first}, which is the service's own; choose another"
        )
    return LoadRequest(found, values.get("canary_weight"))


def parse_improvement(body: Mapping[str, Any]) -> LoadRequest:
    """Of a function that is served as an improvement. ValidationFailed."""
    values = read_members(body, _IMPROVE, None)
    require(values, _NEEDED_TO_IMPROVE)
    contract, name, module, kind = (values[name] for name in _NEEDED_TO_IMPROVE)
    spec = FunctionSpec(contract, name, module, improved_path(kind, name), "GET", kind)
    return LoadRequest(read_spec(spec), values.get("canary_weight"))


def parse_rollback(body: Mapping[str, Any], member: str = "to") -> int | None:
    """The version to go back to, which this member names; None: the one before. ValidationFailed."""
    to: int | None = read_members(body, {member: whole_number}, None).get(member)
    return to


def parse_split(body: Mapping[str, Any]) -> Split:
    """What a canary is to be. ValidationFailed."""
    values = read_members(body, _SPLIT, None)
    require(values, tuple(_SPLIT))
    return Split(values["version"], values["weight"])


def _method(value: Any, context: None) -> str:
    return text(value, context).upper()


_LOAD: Mapping[str, _Reader] = {
    **dict.fromkeys(_NEEDED, text),
    "method": _method,
    "canary_weight": whole_number,
}
_IMPROVE: Mapping[str, _Reader] = {
    **dict.fromkeys(_NEEDED_TO_IMPROVE, text),
    "canary_weight": whole_number,
}
_SPLIT: Mapping[str, _Reader] = {"version": whole_number, "weight": whole_number}
