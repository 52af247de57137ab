"""HTTP/1.1 as uvicorn reads it with httptools; what is no HTTP at all is answered as every other error is."""

from __future__ import annotations

import orjson
import structlog
from structlog.typing import FilteringBoundLogger
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import BadRequest, problem
from service.http.access_log import UNMATCHED
from service.http.request_id import HEADER, make_id

_log: FilteringBoundLogger = structlog.get_logger("lars.access")


class ProblemProtocol(HttpToolsProtocol):
    """Where the parser gives up there is no request that the application could answer, so this does: with a
    problem, an id and a line in the log. The connection cannot be read any further and is closed."""

    def send_400_response(self, msg: str) -> None:
        """``msg`` is uvicorn's own."""
        request_id = make_id()
        status, headers, body = problem(
            BadRequest(f"{msg.rstrip('.')}; send one that HTTP/1.1 allows (RFC 9112)"), request_id
        )
        text = orjson.dumps(body)
        headers |= {HEADER: request_id, "Content-Length": str(len(text)), "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 {status} Bad Request\r\n{lines}\r\n".encode() + text)
        self.transport.close()
        _log.info("request", request_id=request_id, route=UNMATCHED, status=status, error_code=body["code"])
