"""One job as both sides of the wire see it: its limits, its program, and the worker's report.

Pure values, sent as JSON objects of their fields; the service builds them, the worker obeys them.
``Report.from_wire`` checks form only: what a report says is the program's own word (see ``wire``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sandbox_runtime.wire import WireError

End = Literal["ok", "exception", "exit", "memory", "output", "disk", "syscall", "rejected", "invalid_data"]
_ENDS = frozenset(get_args(End))
MAX_TEXT = 64 * 1024
NOTHING_FOUND = "Code is safe to execute."  # ``Report.findings`` of a program without one
_NICEST = 19


@dataclass(frozen=True, slots=True)
class Limits:
    """What the worker sets before it reads the program. Bytes, CPU seconds, and steps of niceness (0 to 19,
    sched(7)) on top of the zygote's."""

    memory: int
    cpu: int
    file_size: int
    niceness: int = 0

    @classmethod
    def from_wire(cls, body: Mapping[str, object]) -> Limits:
        """From a BIND payload. WireError when a limit is missing or not a positive integer, or niceness is
        none."""
        memory, cpu, file_size = (_positive(body.get(name), name) for name in ("memory", "cpu", "file_size"))
        return cls(memory, cpu, file_size, _niceness(body.get("niceness")))


@dataclass(frozen=True, slots=True)
class Program:
    """What to run and how. ``has_data``: a DATA frame follows whose JSON member ``data`` becomes the
    variable ``data``. ``only_judge``: judge and compile, run nothing; ``data`` then has the members
    ``values`` and ``vocabulary`` (see ``policy.foreign_literals``)."""

    code: str
    argv: tuple[str, ...] = ()
    stdin: str | None = None
    policy: str = "program"
    validate: bool = False
    has_data: bool = False
    only_judge: bool = False
    max_code: int = 512 * 1024
    max_result: int = 1024 * 1024

    @classmethod
    def from_wire(cls, body: Mapping[str, object]) -> Program:
        """From a RUN payload, which only the service writes."""
        try:
            fields = dict(body)
            fields["argv"] = tuple(fields.get("argv", ()))  # type: ignore[arg-type]
            return cls(**fields)  # type: ignore[arg-type]
        except TypeError as error:
            raise WireError(f"RUN: {error}") from error


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """An uncaught exception: its type's name, its message, the last line in main.py, the traceback."""

    type: str
    message: str
    line: int | None
    traceback: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a policy refused the program. Lines and columns count from 1."""

    rule: str
    message: str
    line: int | None
    column: int | None
    remedy: str


@dataclass(frozen=True, slots=True)
class Report:
    """The worker's account of a run that reached its end by itself. Times in seconds, memory in bytes."""

    end: End
    exit_code: int
    exception: ExceptionInfo | None = None
    refusal: Refusal | None = None
    findings: str | None = None
    result_repr: str | None = None
    warnings: tuple[str, ...] = ()
    detail: str | None = None
    bind: float = 0.0
    run: float = 0.0
    cpu: float = 0.0
    memory_peak: int = 0

    @classmethod
    def from_wire(cls, body: Mapping[str, object]) -> Report:
        """From a DONE payload. WireError when anything is not of the form above; long texts are cut."""
        unknown = set(body) - set(cls.__slots__)
        if unknown:
            raise WireError(f"DONE: unknown member {min(unknown)[:50]!r}")
        return cls(
            end=_end(body.get("end")),
            exit_code=_integer(body.get("exit_code"), "exit_code", 0, 255),
            exception=_exception(body.get("exception")),
            refusal=_refusal(body.get("refusal")),
            findings=_text(body.get("findings"), "findings"),
            result_repr=_text(body.get("result_repr"), "result_repr"),
            warnings=_texts(body.get("warnings")),
            detail=_text(body.get("detail"), "detail"),
            bind=_seconds(body.get("bind"), "bind"),
            run=_seconds(body.get("run"), "run"),
            cpu=_seconds(body.get("cpu"), "cpu"),
            memory_peak=_integer(body.get("memory_peak"), "memory_peak", 0, 1 << 62),
        )


def _positive(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise WireError(f"BIND: {name} is {value!r}, expected a positive integer")
    return value


def _niceness(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _NICEST:
        raise WireError(f"BIND: niceness is {value!r:.60}, expected an integer from 0 to {_NICEST}")
    return value


def _end(value: object) -> End:
    if not isinstance(value, str) or value not in _ENDS:
        raise WireError(f"DONE: end is {value!r:.60}")
    return value  # type: ignore[return-value]


def _integer(value: object, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise WireError(f"DONE: {name} is {value!r:.60}, expected an integer from {low} to {high}")
    return value


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise WireError(f"DONE: {name} is {value!r:.60}, expected seconds")
    return float(value)


def _text(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise WireError(f"DONE: {name} is {type(value).__name__}, expected a string")
    return value[:MAX_TEXT]


def _needed_text(value: object, name: str) -> str:
    text = _text(value, name)
    if text is None:
        raise WireError(f"DONE: {name} is missing")
    return text


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > 20:
        raise WireError("DONE: warnings is not a short list")
    return tuple(_needed_text(item, "warnings") for item in value)


def _line(value: object, name: str) -> int | None:
    return None if value is None else _integer(value, name, 0, 1 << 31)


def _members(value: object, name: str, keys: tuple[str, ...]) -> dict[str, object] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != set(keys):
        raise WireError(f"DONE: {name} does not have the members {', '.join(keys)}")
    return value


def _exception(value: object) -> ExceptionInfo | None:
    body = _members(value, "exception", ExceptionInfo.__slots__)
    if body is None:
        return None
    return ExceptionInfo(
        _needed_text(body["type"], "exception.type"),
        _needed_text(body["message"], "exception.message"),
        _line(body["line"], "exception.line"),
        _needed_text(body["traceback"], "exception.traceback"),
    )


def _refusal(value: object) -> Refusal | None:
    body = _members(value, "refusal", Refusal.__slots__)
    if body is None:
        return None
    return Refusal(
        _needed_text(body["rule"], "refusal.rule"),
        _needed_text(body["message"], "refusal.message"),
        _line(body["line"], "refusal.line"),
        _line(body["column"], "refusal.column"),
        _needed_text(body["remedy"], "refusal.remedy"),
    )
