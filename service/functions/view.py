"""Functions and versions as JSON shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from service.functions.values import Function, Recording, Version
from service.times import shown_time

View = dict[str, object]


def function_view(function: Function, versions: Mapping[int, View] | None = None) -> View:
    """Times as RFC 3339. ``versions``: figures by the number of the version, where they are asked for."""
    spec, canary = function.spec, function.canary
    shown: View = {
        "visible_pixel_hash": spec.hash,
        "function_name": spec.name,
        "module_name": spec.module,
        "endpoint_path": spec.path,
        "method": spec.method,
        "improvement_type": spec.improvement,
        "version": function.version,
        "digest": function.digest,
        "canary": None if canary is None else {"version": canary.version, "weight": canary.weight},
        "recording": recording_view(function.recording),
        "loaded_at": shown_time(function.created),
        "updated_at": shown_time(function.updated),
        **signature_view(function.signature),
    }
    if versions is not None:
        shown["stats"] = {str(number): versions[number] for number in sorted(versions)}
    return shown


def recording_view(recording: Recording | None) -> View | None:
    """Which calls are kept; None where none is."""
    if recording is None:
        return None
    return {"sample_percent": recording.percent, "max_calls": recording.calls}


def signature_view(text: str) -> View:
    """What a function takes and returns, and its docstring."""
    signature = orjson.loads(text)
    return {
        "doc": signature.get("doc", ""),
        "parameters": signature.get("parameters", []),
        "returns": signature.get("returns", {}),
    }


def version_view(version: Version, function: Function | None) -> View:
    """``weight``: the percent of calls that it gets now."""
    return {
        "version": version.number,
        "digest": version.digest,
        "created_at": shown_time(version.created),
        "weight": _weight(version.number, function),
        **signature_view(version.signature),
    }


def _weight(number: int, function: Function | None) -> int:
    if function is None:
        return 0
    canary = function.canary
    if canary is not None and number == canary.version:
        return canary.weight
    if number == function.version:
        return 100 - (canary.weight if canary is not None else 0)
    return 0
