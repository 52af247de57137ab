"""What the log line of one request says beyond the HTTP of it. Endpoints fill in what they learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from starlette.types import Scope

from service.pool.job import Spent


@dataclass(slots=True)
class RequestRecord:
    """Times in milliseconds. ``tokens``: of a model, in and out. None, 0 and False are left out of the line.
    Never put code or a secret here."""

    principal: str | None = None
    domain: str | None = None
    verdict: str | None = None
    error_code: str | None = None
    queue_ms: float | None = None
    bind_ms: float | None = None
    run_ms: float | None = None
    spent: Spent = field(default_factory=Spent)
    tokens: int = 0
    disconnected: bool = False

    def as_fields(self) -> dict[str, object]:
        """The members that say something, times rounded to microseconds."""
        said: dict[str, object] = {}
        for name in _WORDS:
            word = getattr(self, name)
            if word is not None:
                said[name] = word
        for name in _TIMES:
            time = getattr(self, name)
            if time is not None:
                said[name] = round(time, 3)
        if self.disconnected:
            said["disconnected"] = True
        if self.tokens:
            said["tokens"] = self.tokens
        if self.spent.cpu:
            said["cpu_ms"] = round(self.spent.cpu * 1000, 3)
        return said


_WORDS = ("principal", "domain", "verdict", "error_code")
_TIMES = ("queue_ms", "bind_ms", "run_ms")


def record_of(scope: Scope) -> RequestRecord:
    """The record of this request; a fresh one that nobody logs when no access log is in the stack."""
    state = scope.setdefault("state", {})
    record = state.get("record")
    if record is None:
        record = state["record"] = RequestRecord()
    return cast(RequestRecord, record)
