"""The part of the OpenAPI document that is about improvements in general. Each one's own path is told of as
every function's is."""

from __future__ import annotations

from typing import get_args

from service.functions.registry import MAX_CALLS, MAX_PERCENT
from service.functions.values import Improvement
from service.system.openapi_functions import calls
from service.system.openapi_parts import (
    HASH,
    NUMBER,
    OBJECT,
    TEXT,
    WEIGHT,
    Json,
    below,
    in_path,
    json_body,
    operation,
)

_TYPE: Json = {"enum": list(get_args(Improvement))}
_NULL: Json = {"type": ["number", "null"], "minimum": 0}
_LOAD: Json = {
    "visible_pixel_hash": HASH,
    "function_name": {**TEXT, "pattern": "^[A-Za-z][A-Za-z0-9_]*$"},
    "module_name": {**TEXT, "description": "The file in the contract's directory, without .py."},
    "improvement_type": _TYPE,
    "canary_weight": {**WEIGHT, "type": ["integer", "null"]},
}
_IMPROVEMENT: Json = {
    "module_id": {**TEXT, "description": "The SHA-256 of the text of the current version."},
    "function_name": TEXT,
    "endpoint_path": TEXT,
    "loaded_at": {**TEXT, "format": "date-time"},
    "visible_pixel_hash": TEXT,
    "version": NUMBER,
    "calls": {"type": "integer", "minimum": 0},
    "success_rate": {**_NULL, "maximum": 1},
    "latency": {**OBJECT, "properties": {"p50_ms": _NULL, "p95_ms": _NULL}},
}
_RECORDING: Json = {
    "sample_percent": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_PERCENT, "default": 100},
    "max_calls": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_CALLS, "default": 200},
}
_COUNT: Json = {"type": "integer", "minimum": 0}
_TIME: Json = {"type": ["string", "null"], "format": "date-time"}
_RECORDED: Json = {
    "visible_pixel_hash": TEXT,
    "function_name": TEXT,
    "recording": {"type": ["object", "null"], "properties": dict.fromkeys(_RECORDING, NUMBER)},
    "recorded": {
        **OBJECT,
        "properties": {
            "calls": _COUNT,
            "bytes": _COUNT,
            "oldest": _TIME,
            "newest": _TIME,
            "too_long": _COUNT,
        },
    },
}
_YES_OR_NO: Json = {"type": "boolean"}


def improvement_paths() -> Json:
    """For ``paths``."""
    read, change = (400, 404, 503), (400, 404, 409, 413, 415, 422, 503)
    improved = "/improved/{type}/{name}"
    return {
        "/self-improve/load": {
            "post": operation(
                "loadImprovement",
                "Serve a function of an uploaded module as an improvement.",
                (*change, 403, 412, 500, 502, 504),
                json_body(_LOAD, ["visible_pixel_hash", "function_name", "module_name", "improvement_type"]),
            )
        },
        "/self-improve/status": {"get": _status()},
        "/self-improve/unload/{contract}/{name}": below(
            {"delete": operation("unloadImprovement", "Serve it no more; its versions are kept.", read)}
        ),
        "/self-improve/rollback/{contract}/{name}": below(
            {
                "post": operation(
                    "rollBackImprovement",
                    "Make an older version the current one.",
                    change,
                    json_body({"version": {**NUMBER, "type": ["integer", "null"]}}, []),
                )
            }
        ),
        "/self-improve/recording/{contract}/{name}": below(_recording(read, change)),
        improved: {"parameters": [in_path("type", _TYPE), in_path("name", TEXT)], **calls(improved)},
    }


def _recording(read: tuple[int, ...], change: tuple[int, ...]) -> Json:
    operations = {
        "get": operation("showRecording", "Which calls are kept to be replayed, and how many.", read),
        "put": operation("setRecording", "Keep calls to be replayed.", change, json_body(_RECORDING, [])),
        "delete": operation("endRecording", "Keep none, and erase those that were kept.", read),
    }
    for found in operations.values():
        found["responses"]["200"]["content"]["application/json"]["schema"] = {
            **OBJECT,
            "properties": _RECORDED,
            "required": list(_RECORDED),
        }
    return operations


def _status() -> Json:
    improvements = {"type": "array", "items": {**OBJECT, "properties": _IMPROVEMENT}}
    members: Json = {
        "status": {"enum": ["active", "disabled"]},
        "total_loaded": {"type": "integer", "minimum": 0},
        **{f"{kind}_improvements": improvements for kind in get_args(Improvement)},
        "self_improvement_enabled": _YES_OR_NO,
        "agent_development_capable": _YES_OR_NO,
        "timestamp": {**TEXT, "format": "date-time"},
    }
    found = operation("showImprovements", "The improvements that are served, and how each does.", (503,))
    found["responses"]["200"]["content"]["application/json"]["schema"] = {
        **OBJECT,
        "properties": members,
        "required": list(members),
    }
    return found
