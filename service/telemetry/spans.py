"""Spans of a request: what it waited for, and what was done for it, as W3C Trace Context names them.

    POST {route} ─┬─ plan                                     the lookup, and what it asks
                  ├─ session turn ─┬─ wait, bind, run         of one request to a session
                  ├─ function call ┴─ wait, bind, run         of one call of a function
                  ├─ queue, bind, run                         of a program
                  └─ ask planner ── (chat, by the planner)    its id goes on as Ask.trace

Where nobody collects them (``begin_tracing`` was not called) there is no trace, and a request pays for
looking for one: a microsecond. Workers make none: what they did is told by the times that they answer with.
Nothing here knows OpenTelemetry, ``service.telemetry.span_sender`` does; a span that has ended is a few
values in a queue.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

from starlette.types import Scope

from service.errors import LarsError, kind_of
from service.http.record import RequestRecord

Attributes = Mapping[str, str | int | float]
_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1  # of the flags
_NO_ATTRIBUTES: Final[Attributes] = {}
_NS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Parent:
    """The caller's span."""

    trace_id: int
    span_id: int
    sampled: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A span that is over. ``parent_id``: 0 for none; ``served``: it is the request itself, whose parent is
    another's. Times in nanoseconds since the epoch. ``error``: a word for what went wrong, or ""."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int
    served: bool
    began: int
    ended: int
    attributes: Attributes
    error: str


@dataclass(frozen=True, slots=True)
class Tracer:
    """``put`` takes spans that have ended, at once; ``samples`` says whether a trace is kept."""

    put: Callable[[Ended], None]
    samples: Callable[[int, Parent | None, str], bool]


class _Tracing:
    tracer: Tracer | None = None


_tracing: Final = _Tracing()


def begin_tracing(tracer: Tracer | None) -> None:
    """From the next request on; None: no longer."""
    _tracing.tracer = tracer


class Trace:
    """One span that has begun, under which others begin. ``offset``: nanoseconds between ``time.monotonic()``
    and the epoch. ``tracer``: None where the trace is not kept."""

    __slots__ = ("_offset", "_tracer", "span_id", "trace_id")

    def __init__(self, trace_id: int, tracer: Tracer | None, offset: int) -> None:
        self.trace_id = trace_id
        self.span_id = _new_id(64)
        self._tracer = tracer
        self._offset = offset

    @property
    def traceparent(self) -> str:
        """For who goes on with the trace."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{int(self._tracer is not None):02x}"

    def child(self) -> Trace:
        """A span below this one."""
        return Trace(self.trace_id, self._tracer, self._offset)

    def add(self, name: str, began: float, ended: float, attributes: Attributes = _NO_ATTRIBUTES) -> None:
        """A span below this one, which is over. Times as ``time.monotonic()`` has them."""
        if self._tracer is not None:
            self.child().end(name, (self.span_id, False), (began, ended), attributes)

    def end(
        self,
        name: str,
        parent: tuple[int, bool],
        times: tuple[float, float],
        attributes: Attributes,
        error: str = "",
    ) -> None:
        """It is over. ``parent``: its id, and whether this is the request itself."""
        if self._tracer is not None:
            began, ended = (int(at * _NS) + self._offset for at in times)
            self._tracer.put(
                Ended(name, self.trace_id, self.span_id, *parent, began, ended, attributes, error)
            )


_current: ContextVar[Trace | None] = ContextVar("lars.trace", default=None)


def current_trace() -> Trace | None:
    """The span in which this task works; None where there is none."""
    return _current.get()


class Span:
    """For ``with``: a span below the current one, which is then the current one. ``trace``: None where
    nothing is traced. What is put into ``attributes`` until the end is told."""

    __slots__ = ("_above", "_began", "_name", "_token", "attributes", "trace")

    def __init__(self, name: str) -> None:
        self._name = name
        self.trace: Trace | None = None
        self.attributes: dict[str, str | int | float] | None = None

    def __enter__(self) -> Span:
        above = _current.get()
        if above is not None:
            self._above = above
            self.trace = above.child()
            self.attributes = {}
            self._token = _current.set(self.trace)
            self._began = time.monotonic()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self.trace is not None:
            _current.reset(self._token)
            times = self._began, time.monotonic()
            self.trace.end(
                self._name, (self._above.span_id, False), times, self.attributes or {}, _word_of(error)
            )

    def tell(self, name: str, value: str | float) -> None:
        """One attribute, where there is somebody to tell."""
        if self.attributes is not None:
            self.attributes[name] = value


@dataclass(slots=True)
class RequestSpan:
    """The one of the request itself. ``end`` must follow, in the same task."""

    trace: Trace
    parent_id: int
    began: float
    token: Token[Trace | None] = field(repr=False)

    def end(self, scope: Scope, request_id: str, status: int | None, record: RequestRecord) -> None:
        """The request is over. Never told: its path, which may hold what callers keep secret."""
        _current.reset(self.token)
        route = getattr(scope.get("route"), "path", None)
        method = scope["method"]
        said: dict[str, str | int | None] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "url.scheme": scope.get("scheme"),
            "network.protocol.version": scope.get("http_version"),
            "lars.request_id": request_id,
            "lars.domain": record.domain,
            "lars.verdict": record.verdict,
            "lars.error_code": record.error_code,
        }
        error = ""
        if status is None or status >= 500:
            error = record.error_code or ("disconnected" if record.disconnected else str(status))
        self.trace.end(
            method if route is None else f"{method} {route}",
            (self.parent_id, True),
            (self.began, time.monotonic()),
            {name: value for name, value in said.items() if value is not None},
            error,
        )


def begin_request(scope: Scope) -> RequestSpan | None:
    """The span of a request, below the caller's where it has one; None where nobody collects them."""
    tracer = _tracing.tracer
    if tracer is None:
        return None
    parent = parent_of(scope["headers"])
    trace_id = _new_id(128) if parent is None else parent.trace_id
    kept = tracer.samples(trace_id, parent, scope["method"])
    began = time.monotonic()
    trace = Trace(trace_id, tracer if kept else None, time.time_ns() - int(began * _NS))
    return RequestSpan(trace, parent.span_id if parent else 0, began, _current.set(trace))


def parent_of(headers: list[tuple[bytes, bytes]]) -> Parent | None:
    """The caller's span, of exactly one traceparent (Trace Context section 3.2); None for what is none."""
    given = [value for name, value in headers if name == b"traceparent"]
    found = _TRACEPARENT.fullmatch(given[0]) if len(given) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None):
        return None
    parent = Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED))
    return parent if parent.trace_id and parent.span_id else None


def _new_id(bits: int) -> int:
    return random.getrandbits(bits) or 1


def _word_of(error: BaseException | None) -> str:
    if error is None:
        return ""
    return kind_of(error).code if isinstance(error, LarsError) else type(error).__name__
