"""The fields of a request that runs a program: what each means, its JSON Schema, how it is read.

Parsing is pure and reports every wrong field at once; nothing is ever clamped to a ceiling.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from service.errors import FieldError, ValidationFailed
from service.settings import Settings
from service.units import UnitError, format_size, parse_size

MIN_TIMEOUT = 0.01
MIN_CPU = 0.05
MIN_MEMORY = 1 << 20
MAX_ARGUMENTS = 256
_SIZE_PATTERN = r"^\s*[0-9]{1,18} ?([kKmMgG][iI]?[bB]?|[bB])?\s*$"  # what parse_size reads
MAX_ARGUMENT_BYTES = 64 * 1024
_MAX_UNKNOWN = 20
_LONGEST_NAME = 100


class Wrong(Exception):
    """One field is wrong: message, remedy and, where there is one, the limit."""

    def __init__(self, message: str, remedy: str, limit: object = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Field:
    """One member of the body. ``parse(value, settings)`` returns the parsed value or raises ``Wrong``.
    ``needed``: what to send where it is missing; "" where it may be. ``null_counts``: null is a value; else
    it asks for the default, as leaving the field out does."""

    parse: Callable[[Any, Settings], Any]
    help: str
    schema: Mapping[str, object]
    needed: str = ""
    null_counts: bool = False


Fields = Mapping[str, Field]


def read_fields(body: Mapping[str, Any], fields: Fields, settings: Settings) -> dict[str, Any]:
    """The values by name, without those that ask for the default. ValidationFailed names every wrong field
    with its value, the limit and the remedy."""
    values: dict[str, Any] = {}
    unknown = (name for name in body if name not in fields)
    errors = [_unknown(name, fields) for name in islice(unknown, _MAX_UNKNOWN)]  # a body may have a million
    errors += [
        FieldError(name, "is missing", field.needed)
        for name, field in fields.items()
        if field.needed and name not in body
    ]
    for name, value in body.items():
        field = fields.get(name)
        if field is None or (value is None and not field.null_counts):
            continue
        try:
            values[name] = field.parse(value, settings)
        except Wrong as wrong:
            limit = {} if wrong.limit is None else {"limit": wrong.limit}
            errors.append(FieldError(name, str(wrong), wrong.remedy, value=value, **limit))
    if errors:
        raise ValidationFailed(errors)
    return values


def bytes_of(text: str) -> int:
    """Bytes of UTF-8. Wrong for lone surrogates, which have none: the parser for numbers above 1e308 lets
    them pass."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Wrong("has a lone surrogate, which is no character", "send well-formed Unicode") from error


def _unknown(name: str, fields: Fields) -> FieldError:
    near = difflib.get_close_matches(name[:_LONGEST_NAME], fields, n=1, cutoff=0.5)
    remedy = f"did you mean {near[0]}?" if near else f"known fields are {', '.join(fields)}"
    return FieldError(name[:_LONGEST_NAME], "is not a field of this request", remedy)


def _code(value: Any, settings: Settings) -> str:
    if not isinstance(value, str):
        raise Wrong("is not a string", "send the program's source text")
    size = bytes_of(value)
    if size > settings.max_code_bytes:
        raise Wrong(
            f"has {size} bytes, the ceiling is {settings.max_code_bytes}",
            "send a shorter program, or its input as data or stdin; the operator raises LARS_MAX_CODE_BYTES",
            settings.max_code_bytes,
        )
    return value


def _number(value: Any, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        raise Wrong("is not a number", f"send {unit}, such as 1.5")
    try:
        return float(value)
    except OverflowError:  # an integer may have any number of digits
        return math.inf if value > 0 else -math.inf


def _within(value: float, low: float, high: float, unit: str, setting: str) -> float:
    if value < low:
        raise Wrong(f"is {value:g} {unit}, the least is {low:g}", f"send at least {low:g}", low)
    if value > high:
        raise Wrong(
            f"is {value:g} {unit}, the ceiling is {high:g}",
            f"send at most {high:g}; the operator raises {setting}",
            high,
        )
    return value


def _timeout(value: Any, settings: Settings) -> float:
    return _within(_number(value, "seconds"), MIN_TIMEOUT, settings.timeout_max, "s", "LARS_TIMEOUT_MAX")


def _cpu_limit(value: Any, settings: Settings) -> float:
    return _within(_number(value, "cores"), MIN_CPU, settings.cpu_max, "cores", "LARS_CPU_MAX")


def _memory_limit(value: Any, settings: Settings) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Wrong("is not a size", 'send a text such as "100m", or a number of bytes')
    try:
        size = parse_size(str(value))
    except UnitError as error:
        raise Wrong(str(error), 'send a size such as "100m" or "1g"') from error
    if size < MIN_MEMORY:
        raise Wrong(f"is {size} bytes, the least is {MIN_MEMORY}", "send at least 1m", MIN_MEMORY)
    if size > settings.memory_max:
        ceiling = format_size(settings.memory_max)
        raise Wrong(
            f"is {size} bytes, the ceiling is {settings.memory_max} ({ceiling})",
            f"send at most {ceiling}; the operator raises LARS_MEMORY_MAX",
            settings.memory_max,
        )
    return size


def _stdin(value: Any, _: Settings) -> str:
    if not isinstance(value, str):
        raise Wrong("is not a string", "send the text that the program reads from standard input")
    bytes_of(value)
    return value


def _argv(value: Any, _: Settings) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Wrong("is not a list of strings", 'send the arguments after main.py, such as ["-n", "3"]')
    if len(value) > MAX_ARGUMENTS:
        raise Wrong(f"has {len(value)} items, the ceiling is {MAX_ARGUMENTS}", "send fewer", MAX_ARGUMENTS)
    if any("\0" in item for item in value):
        raise Wrong("has a null byte", "arguments cannot hold null bytes")
    size = sum(bytes_of(item) for item in value)
    if size > MAX_ARGUMENT_BYTES:
        raise Wrong(
            f"has {size} bytes, the ceiling is {MAX_ARGUMENT_BYTES}", "use stdin or data", MAX_ARGUMENT_BYTES
        )
    return tuple(value)


_POLICIES = ("program", "restricted")  # from the widest to the narrowest


def _policy(value: Any, settings: Settings) -> str:
    if value not in _POLICIES:
        raise Wrong("is not a policy", f"send one of {', '.join(_POLICIES)}")
    if _POLICIES.index(value) < _POLICIES.index(settings.execute_policy):
        raise Wrong(
            f"is wider than {settings.execute_policy}, which is what this server or key allows",
            "a request may only tighten the policy; leave it out, or have LARS_EXECUTE_POLICY changed",
            settings.execute_policy,
        )
    return str(value)


def _validate_code(value: Any, _: Settings) -> bool:
    if not isinstance(value, bool):
        raise Wrong("is not true or false", "send true or false")
    return value


def _data(value: Any, _: Settings) -> Any:
    return value


# Of every request that runs a program, whoever has written it.
RUN_FIELDS: Fields = {
    "data": Field(_data, "Any JSON; the program finds it in the variable data.", {}, null_counts=True),
    "timeout": Field(
        _timeout,
        "Seconds until the run must be over, waiting for a worker included.",
        {"type": ["number", "null"], "minimum": MIN_TIMEOUT},
    ),
    "memory_limit": Field(
        _memory_limit,
        'Address space beyond the bare interpreter, such as "100m"; k, m and g are powers of 1024.',
        {"type": ["string", "integer", "null"], "minimum": MIN_MEMORY, "pattern": _SIZE_PATTERN},
    ),
    "cpu_limit": Field(
        _cpu_limit,
        "Cores; timeout x cpu_limit is the budget of CPU seconds over all threads.",
        {"type": ["number", "null"], "minimum": MIN_CPU},
    ),
    "stdin": Field(_stdin, "What the program reads from standard input.", {"type": ["string", "null"]}),
    "argv": Field(
        _argv,
        "The arguments after main.py.",
        {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": MAX_ARGUMENTS},
    ),
    "policy": Field(
        _policy,
        "program: all of Python; restricted: no imports, few builtins. A request may only tighten it.",
        {"enum": [*_POLICIES, None]},
    ),
}
FIELDS: Fields = {
    "code": Field(
        _code,
        "The program: Python source text.",
        {"type": "string"},
        needed="send the program's source text",
        null_counts=True,
    ),
    **RUN_FIELDS,
    "validate_code": Field(
        _validate_code,
        "Whether to have the program reviewed; validation_result has what was found.",
        {"type": ["boolean", "null"]},
    ),
}
