"""The part of the OpenAPI document that is about programs: those that callers send, and those that a model
writes for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from service.errors import KINDS, MEDIA_TYPE, PLANNER_KINDS
from service.execution.fields import FIELDS, Fields
from service.generation.request import FIELDS as GENERATE_FIELDS
from service.pool.job import Verdict
from service.settings import Settings
from service.system import program_examples

Json = dict[str, Any]
_JSON = "application/json"
_GENERATE = (
    "The program runs as one of POST /execute does, and the reply has all that has, too. It is one call to "
    "the provider when all goes well; max_repairs allows more where a run fails. Without one it is 503 "
    "planner_not_configured, whose detail says what to set."
)
_ERRORS = (400, 403, 413, 415, 422, 500, 502, 503)
_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_STRING_OR_NULL = {"type": ["string", "null"]}
_OUTCOME: dict[str, Any] = {
    "success": {"type": "boolean"},
    "result": {"description": "Final value of the variable result."},
    "stdout": {"type": "string"},
    "stderr": {"type": "string"},
    "exit_code": {"type": "integer", "minimum": 0, "maximum": 255},
    "execution_time": {"type": "number", "description": "Seconds the program ran."},
    "original_code": {"type": "string"},
    "executed_code": {"type": "string"},
    "validation_result": _STRING_OR_NULL,
    "error": _STRING_OR_NULL,
    "exception": {
        "type": ["object", "null"],
        "required": ["type", "message", "line", "traceback"],
        "properties": {
            "type": {"type": "string"},
            "message": {"type": "string"},
            "line": {"type": ["integer", "null"]},
            "traceback": {"type": "string"},
        },
    },
    "verdict": {
        "enum": [verdict for verdict in get_args(Verdict) if verdict != "rejected"],
        "description": "rejected is the verdict of a 403.",
    },
    "detail": _STRING_OR_NULL,
    "truncated": {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "description": "Bytes dropped of each stream that was cut.",
    },
    "result_repr": _STRING_OR_NULL,
    "warnings": {"type": "array", "items": {"type": "string"}},
    "usage": {
        "type": "object",
        "properties": {
            "wall": {"type": "number"},
            "cpu": _NUMBER_OR_NULL,
            "memory_peak": {"type": ["integer", "null"]},
        },
    },
    "timing": {
        "type": "object",
        "properties": {name: {"type": "number"} for name in ("queue", "bind", "run", "collect")},
    },
}
_GENERATED: dict[str, Any] = {
    "query": _TEXT,
    "generated_code": {**_TEXT, "description": "The program that a model wrote, as it ran."},
    **_OUTCOME,
    "validation_result": {**_TEXT, "description": "The model's own word on the program."},
    "model": {
        "type": "object",
        "required": ["provider", "model", "calls", "cost_usd", "repairs"],
        "properties": {
            "provider": _STRING_OR_NULL,
            "model": _STRING_OR_NULL,
            **dict.fromkeys(("calls", "input_tokens", "output_tokens", "cached_tokens"), _COUNT),
            "cost_usd": {**_NUMBER_OR_NULL, "description": "null where no price is known."},
            "repairs": _COUNT,
        },
    },
}


def program_paths(settings: Settings) -> Json:
    """For ``paths``."""
    return {
        "/execute": {
            "post": {
                "operationId": "execute",
                "summary": "Run one program.",
                "description": "validate_code has a language model review it first, where one is set.",
                "requestBody": _body(FIELDS, settings, program_examples.EXECUTE),
                "responses": {
                    "200": _ran("The program ran, whatever it did.", "Outcome", program_examples.EXECUTED),
                    **_problems(_ERRORS),
                },
            }
        },
        "/generate-and-execute": {
            "post": {
                "operationId": "generateAndExecute",
                "summary": "Have a language model write a program, and run it.",
                "description": _GENERATE,
                "requestBody": _body(GENERATE_FIELDS, settings, program_examples.GENERATE),
                "responses": {
                    "200": _ran(
                        "The program was written and ran, whatever it did.",
                        "Generated",
                        program_examples.GENERATED,
                    ),
                    **_generate_problems(),
                },
            }
        },
    }


def program_schemas() -> Json:
    """For ``components.schemas``."""
    return {"Outcome": _object(_OUTCOME, _OUTCOME), "Generated": _object(_GENERATED, _GENERATED)}


def _body(fields: Fields, settings: Settings, example: Json) -> Json:
    schemas = {name: {**field.schema, "description": field.help} for name, field in fields.items()}
    schemas["timeout"]["maximum"] = settings.timeout_max
    schemas["cpu_limit"]["maximum"] = settings.cpu_max
    needed = [name for name, field in fields.items() if field.needed]
    schema = {**_object(schemas, needed), "additionalProperties": False}
    return {"required": True, "content": {_JSON: {"schema": schema, "example": example}}}


def _object(properties: Json, required: Iterable[str]) -> Json:
    return {"type": "object", "properties": properties, "required": list(required)}


def _ran(description: str, schema: str, example: Json) -> Json:
    reference = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "example": example}
    return {"description": description, "content": {_JSON: reference}}


def _generate_problems() -> Json:
    problems = _problems((*_ERRORS, 504), generated=True)
    content = problems["503"]["content"][MEDIA_TYPE]
    problems["503"]["content"] = {MEDIA_TYPE: {**content, "example": program_examples.NOT_CONFIGURED}}
    return problems


def _problems(statuses: Iterable[int], *, generated: bool = False) -> Json:
    kinds = (*KINDS.values(), *(PLANNER_KINDS.values() if generated else ()))
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        str(status): {
            "description": "code: " + ", ".join(kind.code for kind in kinds if kind.status == status),
            "content": content,
        }
        for status in statuses
    }
