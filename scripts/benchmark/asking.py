"""Single requests of the bench's own, outside what is measured."""

from __future__ import annotations

import http.client

from scripts.benchmark.load import Ask
from scripts.benchmark.processes import BenchError

_SECONDS = 120.0


def ask(port: int, what: Ask) -> bytes:
    """The body of the answer. BenchError unless it is a success."""
    headers = {"Content-Type": "application/json"} if what.body else {}
    if what.session:
        headers["X-Session-ID"] = what.session
    if what.key:
        headers["Authorization"] = f"Bearer {what.key}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request(what.method, what.path, what.body.encode() or None, headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{what.method} {what.path}: {error}") from error
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise BenchError(f"{what.method} {what.path}: {answer.status} {body[:300].decode(errors='replace')}")
    return body
