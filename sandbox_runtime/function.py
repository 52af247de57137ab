"""A loaded function as both sides of the wire see it: its module, what it takes, a call, how that ended.

Pure values, sent as JSON objects of their fields. What comes back is the module's own word: ``from_wire``
checks its form, and it is believed about this one request only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import orjson

from sandbox_runtime.job import Refusal
from sandbox_runtime.wire import WireError

ParameterKind = Literal["positional", "keyword", "either", "varargs", "varkwargs"]
End = Literal["ok", "caller_error", "function_error"]
BODY = "body"  # what a wrong argument is called that is the whole of what came
NO_FUNCTION = "no function"  # a Fault's type that no class of a module's can have for its name
MAX_TEXT = 4096
MAX_WRONG = 50
MAX_PARAMETERS = 256
_MAX_NAMES = 1000
_KINDS = frozenset(get_args(ParameterKind))
_ENDS = frozenset(get_args(End))
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ContractBinding:
    """What a contract's worker is limited to for as long as it lives; bytes."""

    memory: int
    max_result: int


@dataclass(frozen=True, slots=True)
class Module:
    """The text of a module, and the SHA-256 of its UTF-8 in hexadecimal. ``name`` without its ``.py``;
    ``policy`` is what it is judged under in each worker that it comes to."""

    digest: str
    text: str
    name: str = "module"
    policy: str = "function"
    max_code: int = 512 * 1024


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a function of the module ``digest``.

    ``arguments``: the members of a JSON object, or its JSON text, which keeps integers of any size.
    ``query``: the texts of a query string. None: there was none. The two are told apart because text is
    converted from text.
    """

    digest: str
    function: str
    arguments: Mapping[str, object] | bytes | None = None
    query: Mapping[str, str | list[str]] | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``schema`` is JSON Schema 2020-12; ``default`` is its JSON value where JSON can hold
    it; ``annotation`` as it was written, or ""."""

    name: str
    kind: ParameterKind
    schema: dict[str, object]
    required: bool
    default: object
    annotation: str


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and returns; ``line`` is that of its definition."""

    parameters: tuple[Parameter, ...]
    returns: dict[str, object]
    doc: str
    line: int
    is_async: bool

    @classmethod
    def from_wire(cls, body: object) -> Signature:
        """From its JSON object. WireError when it is not of the form above."""
        fields = _members(body, "signature", cls.__slots__)
        parameters = _several(fields["parameters"], "parameters", MAX_PARAMETERS, _parameter)
        return cls(
            parameters,
            _schema(fields["returns"], "returns"),
            _text(fields["doc"], "doc"),
            _line(fields["line"]) or 0,
            fields["is_async"] is True,
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong in the module: the exception's type, its message, the last line in the module's file.
    ``parameter`` where one of them is at fault."""

    type: str
    message: str
    line: int | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class WrongArgument:
    """One argument that cannot be accepted. ``parameter`` with the way into it (``item.prices[2]``),
    ``expected`` in words, ``got`` shortened, or None where it is missing."""

    parameter: str
    message: str
    expected: str
    got: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. ``value``, the JSON text of what was returned, travels in a frame of its own.

    caller_error: ``wrong`` has every argument at fault, and the function did not run. function_error:
    ``error`` says what it raised. ``run`` in seconds; ``last``: the worker must not be called again.
    """

    end: End
    error: Fault | None = None
    wrong: tuple[WrongArgument, ...] = ()
    run: float = 0.0
    last: bool = False

    @classmethod
    def from_wire(cls, body: object) -> Outcome:
        """From an OUTCOME payload. WireError when it is not of the form above."""
        fields = _members(body, "OUTCOME", cls.__slots__)
        end, run = fields["end"], fields["run"]
        if not isinstance(end, str) or end not in _ENDS:
            raise WireError(f"OUTCOME: end is {end!r:.60}")
        if isinstance(run, bool) or not isinstance(run, int | float) or not 0 <= run < 1e9:
            raise WireError(f"OUTCOME: run is {run!r:.60}")
        error, wrong = _fault(fields["error"]), _several(fields["wrong"], "wrong", MAX_WRONG, _wrong)
        if (end == "function_error") != (error is not None) or (end == "caller_error") != bool(wrong):
            raise WireError(f"OUTCOME: {end} with another end's reasons")
        return cls(end, error, wrong, float(run), fields["last"] is True)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a module is found to be: of the first three exactly one. ``names``: the functions that are
    there, when the one asked for is not."""

    signature: Signature | None = None
    refusal: Refusal | None = None
    error: Fault | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def from_wire(cls, body: object) -> Inspection:
        """From an INSPECTION payload. WireError when it is not of the form above."""
        fields = _members(body, "INSPECTION", cls.__slots__)
        if sum(fields[name] is not None for name in ("signature", "refusal", "error")) != 1:
            raise WireError("INSPECTION: not exactly one of signature, refusal and error")
        return cls(
            None if fields["signature"] is None else Signature.from_wire(fields["signature"]),
            _refusal(fields["refusal"]),
            _fault(fields["error"]),
            _several(fields["names"], "names", _MAX_NAMES, lambda name: _text(name, "names")),
        )


def _members(value: object, what: str, names: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise WireError(f"{what}: does not have exactly the members {', '.join(names)}")
    return value


def _several(value: object, what: str, most: int, read: Callable[[object], T]) -> tuple[T, ...]:
    if not isinstance(value, list | tuple) or len(value) > most:
        raise WireError(f"{what}: no list of at most {most}")
    return tuple([read(each) for each in value])


def _parameter(value: object) -> Parameter:
    fields = _members(value, "parameter", Parameter.__slots__)
    kind, default = fields["kind"], fields["default"]
    if not isinstance(kind, str) or kind not in _KINDS:
        raise WireError(f"parameter: kind is {kind!r:.60}")
    _require_shallow(default, "default")
    return Parameter(
        _text(fields["name"], "name"),
        kind,  # type: ignore[arg-type]
        _schema(fields["schema"], "schema"),
        fields["required"] is True,
        default,
        _text(fields["annotation"], "annotation"),
    )


def _schema(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise WireError(f"{what}: no object")
    _require_shallow(value, what)
    return value


def _require_shallow(value: object, what: str) -> None:
    """orjson reads deeper than it writes, and what is kept of a signature is written again."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise WireError(f"{what}: {error}") from error


def _fault(value: object) -> Fault | None:
    if value is None:
        return None
    fields = _members(value, "error", Fault.__slots__)
    return Fault(
        _text(fields["type"], "type"),
        _text(fields["message"], "message"),
        _line(fields["line"]),
        _text_or_none(fields["parameter"], "parameter"),
    )


def _wrong(value: object) -> WrongArgument:
    fields = _members(value, "wrong", WrongArgument.__slots__)
    return WrongArgument(
        _text(fields["parameter"], "parameter"),
        _text(fields["message"], "message"),
        _text(fields["expected"], "expected"),
        _text_or_none(fields["got"], "got"),
    )


def _refusal(value: object) -> Refusal | None:
    if value is None:
        return None
    fields = _members(value, "refusal", Refusal.__slots__)
    return Refusal(
        _text(fields["rule"], "rule"),
        _text(fields["message"], "message"),
        _line(fields["line"]),
        _line(fields["column"]),
        _text(fields["remedy"], "remedy"),
    )


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise WireError(f"{what}: {type(value).__name__}, expected a text")
    return value[:MAX_TEXT]


def _text_or_none(value: object, what: str) -> str | None:
    return None if value is None else _text(value, what)


def _line(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise WireError(f"line or column is {value!r:.60}")
    return value
