"""The answer to what never became a request: bytes for the connection, and the line for the log."""

from __future__ import annotations

from http import HTTPStatus

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from service.errors import LarsError, problem
from service.http.access_log import UNMATCHED
from service.http.request_id import HEADER, make_id
from service.telemetry.catalog import ERRORS
from service.telemetry.requests import count_refusal

_log: FilteringBoundLogger = structlog.get_logger("lars.access")


def refusal(error: LarsError, client: str | None) -> bytes:
    """An HTTP/1.1 response with the problem and an id, which says that the connection ends. Logged and
    counted here."""
    request_id = make_id()
    status, headers, body = problem(error, request_id)
    text = orjson.dumps(body)
    headers |= {HEADER: request_id, "Content-Length": str(len(text)), "Connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    _log.info(
        "request",
        request_id=request_id,
        client=client,
        route=UNMATCHED,
        status=status,
        error_code=body["code"],
    )
    count_refusal(status)
    ERRORS.add(str(body["code"]))
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode() + text
