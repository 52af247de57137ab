"""The load client, a process of its own: ``python -m scripts.benchmark.load PLAN`` prints a result.

HTTP/1.1 keep-alive over raw protocols, the least that can be called a client, so that it does not become what
is measured. Closed loop: every connection sends again when it has been answered. Open loop (``rate`` given):
requests are sent when they are due whether or not earlier ones have been answered, and latency counts from
when each was due, so that waiting for a slow server cannot hide (coordinated omission).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import cast

import orjson
import uvloop

_GRACE_SECONDS = 10.0
_TICK_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, given as JSON. ``rate`` in requests per second, None for a closed loop."""

    port: int
    path: str
    body: str
    connections: int
    seconds: float
    rate: float | None = None


@dataclass(slots=True)
class Result:
    """Latencies in seconds by status. ``completed``: answers by status that came within the time of sending;
    ``unanswered`` requests got none, ``untold`` refusals came without Retry-After, ``late`` is the longest a
    request waited for this client."""

    seconds: float
    latencies: dict[str, list[float]] = field(default_factory=dict)
    completed: dict[str, int] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    unanswered: int = 0
    untold: int = 0
    late: float = 0.0

    def rate(self, status: str = "200") -> float:
        """Answers per second with this status."""
        return self.completed.get(status, 0) / self.seconds


class _Connection(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._buffer = b""
        self.due = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, due: float) -> None:
        self.due = due
        self.busy = True
        self._transport.write(self._client.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.find(b"content-length: ") + 16
        length = int(head[start:].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = self._buffer[end + 4 :], b""
        self.busy = False
        self._client.answered(self, head, body)

    def connection_lost(self, _error: Exception | None) -> None:
        self._client.lost(self)

    def close(self) -> None:
        self._transport.abort()


class _Client:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.result = Result(plan.seconds)
        self.request = _request(plan)
        self._connections: list[_Connection] = []
        self._idle: deque[_Connection] = deque()
        self._overdue: deque[float] = deque()
        self._in_flight = 0
        self._end = 0.0
        self._quiet = asyncio.Event()

    async def run(self) -> Result:
        loop = asyncio.get_running_loop()
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(
                lambda: _Connection(self), "127.0.0.1", self._plan.port
            )
            self._connections.append(connection)
        self._idle.extend(self._connections)
        began = time.monotonic()
        self._end = began + self._plan.seconds
        if self._plan.rate is None:
            for _ in range(self._plan.connections):
                self._dispatch(began)
            await asyncio.sleep(self._plan.seconds)
        else:
            await self._send_on_time(began, self._plan.rate)
        await self._settle()
        return self.result

    async def _send_on_time(self, began: float, rate: float) -> None:
        count = int(self._plan.seconds * rate)
        sent = 0
        while sent < count:
            now = time.monotonic()
            while sent < count and (due := began + sent / rate) <= now:
                self._dispatch(due)
                sent += 1
            await asyncio.sleep(_TICK_SECONDS)

    async def _settle(self) -> None:
        """Wait for the answers still to come."""
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                while self._in_flight or self._overdue:
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            self.result.unanswered += self._in_flight + len(self._overdue)
        for connection in self._connections:
            connection.close()

    def _dispatch(self, due: float) -> None:
        if not self._idle:
            self._overdue.append(due)
            return
        self._in_flight += 1
        self.result.late = max(self.result.late, time.monotonic() - due)
        self._idle.popleft().send(due)

    def answered(self, connection: _Connection, head: bytes, body: bytes) -> None:
        now = time.monotonic()
        self._in_flight -= 1
        status = head[9:12].decode()
        self.result.latencies.setdefault(status, []).append(now - connection.due)
        if now <= self._end:
            self.result.completed[status] = self.result.completed.get(status, 0) + 1
        if status == "503" and b"\r\nretry-after: " not in head:
            self.result.untold += 1
        if self._plan.connections == 1 and status == "200":
            self.result.bodies.append(body.decode())
        self._idle.append(connection)
        if self._overdue:
            self._dispatch(self._overdue.popleft())
        elif self._plan.rate is None and now < self._end:
            self._dispatch(now)
        self._quiet.set()

    def lost(self, connection: _Connection) -> None:
        if connection.busy:
            connection.busy = False
            self._in_flight -= 1
            self.result.unanswered += 1
        elif connection in self._idle:
            self._idle.remove(connection)
        self._quiet.set()


def _request(plan: Plan) -> bytes:
    body = plan.body.encode()
    return (
        f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def main() -> None:
    """Entry point of the client process."""
    plan = Plan(**orjson.loads(sys.argv[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_Client(plan).run())
    sys.stdout.write(orjson.dumps(asdict(result)).decode())


if __name__ == "__main__":
    main()
