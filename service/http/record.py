"""What the log line of one request says beyond the HTTP of it. Endpoints fill in what they learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from starlette.types import Scope

from service.pool.job import Spent


@dataclass(slots=True)
class RequestRecord:
    """Times in milliseconds. None and False are left out of the line. Never put code or a secret here."""

    principal: str | None = None
    domain: str | None = None
    verdict: str | None = None
    error_code: str | None = None
    queue_ms: float | None = None
    bind_ms: float | None = None
    run_ms: float | None = None
    spent: Spent = field(default_factory=Spent)
    disconnected: bool = False

    def as_fields(self) -> dict[str, object]:
        """The members that say something, times rounded to microseconds."""
        values = ((name, getattr(self, name)) for name in self.__slots__ if name != "spent")
        return {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in values
            if value is not None and value is not False
        } | ({"cpu_ms": round(self.spent.cpu * 1000, 3)} if self.spent.cpu else {})


def record_of(scope: Scope) -> RequestRecord:
    """The record of this request; a fresh one that nobody logs when no access log is in the stack."""
    return cast(RequestRecord, scope.setdefault("state", {}).setdefault("record", RequestRecord()))
