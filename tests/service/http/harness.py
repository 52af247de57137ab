"""An ASGI server's side of one exchange, by hand: exactly what the application pulls and sends is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Scope

HeaderList = Sequence[tuple[str, str]]


@dataclass
class Exchange:
    """One request and, after ``run``, its answer. ``chunks``: the body as it arrives; ``leaves``: after the
    chunks the client disconnects instead of ending the body."""

    method: str = "GET"
    path: str = "/"
    headers: HeaderList = ()
    chunks: Sequence[bytes] = (b"",)
    leaves: bool = False
    pulled: int = 0
    sent: list[Message] = field(default_factory=list)
    scope: Scope = field(default_factory=dict)

    async def run(self, app: ASGIApp) -> Exchange:
        """Drives the application to its end; an exception of its is raised on."""
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "state": {"of_the_lifespan": True},
        }
        await asyncio.wait_for(app(self.scope, self._receive, self._send), timeout=10)
        return self

    async def _receive(self) -> Message:
        if self.pulled >= len(self.chunks):
            return {"type": "http.disconnect"}
        self.pulled += 1
        last = self.pulled == len(self.chunks) and not self.leaves
        return {"type": "http.request", "body": self.chunks[self.pulled - 1], "more_body": not last}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.sent[0]["status"])

    @property
    def answer_headers(self) -> dict[str, str]:
        """Of the answer; fails when one came twice."""
        pairs = [(name.decode(), value.decode()) for name, value in self.sent[0]["headers"]]
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    @property
    def body(self) -> bytes:
        """Of the answer."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def json(self) -> Any:
        """Of the answer."""
        return orjson.loads(self.body)
