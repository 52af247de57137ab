"""Exactly one log line per HTTP request, written when it is over, however it ended."""

from __future__ import annotations

import time

from starlette.types import Scope

from service.http.record import RequestRecord
from service.telemetry.logs import tell_request

CLIENT_CLOSED_REQUEST = 499  # no standard has a status for it; this is what proxies log
UNMATCHED = "unmatched"


class Line:
    """Event ``request`` at INFO: request_id, client, method, route, status, total_ms and the fields of the
    record. Counts from when it is made.

    ``client`` is the peer's address, or what a trusted proxy says of its own peer.
    ``route`` is the template (``/files/{name}``), never the path: a path may hold what callers keep secret.
    ``status`` is None when no response was started, and 499 when that is because the client left.
    """

    __slots__ = ("_began", "record")

    def __init__(self, record: RequestRecord) -> None:
        self.record = record
        self._began = time.monotonic()

    def write(self, scope: Scope, request_id: str, status: int | None) -> float:
        """The request is over; the seconds that it took."""
        seconds = time.monotonic() - self._began
        if status is None and self.record.disconnected:
            status = CLIENT_CLOSED_REQUEST
        fields: dict[str, object] = {
            "request_id": request_id,
            "client": client_of(scope),
            "method": scope["method"],
            "route": getattr(scope.get("route"), "path", UNMATCHED),
            "status": status,
            "total_ms": round(seconds * 1000, 3),
        }
        tell_request(fields | self.record.as_fields())
        return seconds


def client_of(scope: Scope) -> str | None:
    """The address of the client; None where the server knows none."""
    client = scope.get("client")
    return client[0] if client else None
