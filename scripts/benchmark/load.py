"""The load client, a process of its own: ``python -m scripts.benchmark.load`` reads a plan, prints a result.

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
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import cast

import orjson
import uvloop

_GRACE_SECONDS = 10.0
_TICK_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a mix. ``name``: under which its latencies are kept; ``session``: X-Session-ID or "";
    ``key``: whose request it is, a bearer's, or ""."""

    name: str
    method: str
    path: str
    body: str = ""
    session: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, given as JSON. ``rate`` in requests per second, None for a closed loop. ``mix``: sent in
    turn, from the first again after the last, in place of ``body`` to ``path``."""

    port: int
    path: str
    body: str
    connections: int
    seconds: float
    rate: float | None = None
    mix: tuple[Ask, ...] = ()


@dataclass(slots=True)
class Result:
    """Latencies in seconds by status. ``completed``: answers by status that came within the time of sending;
    ``named``: latencies by the name of a mix's request, whatever the status; ``unanswered`` requests got
    none, ``untold`` refusals came without Retry-After, ``late`` is the longest a request waited for this
    client."""

    seconds: float
    latencies: dict[str, list[float]] = field(default_factory=dict)
    completed: dict[str, int] = field(default_factory=dict)
    named: dict[str, list[float]] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    unanswered: int = 0
    untold: int = 0
    late: float = 0.0

    def rate(self, status: str = "200") -> float:
        """Answers per second with this status."""
        return self.completed.get(status, 0) / self.seconds

    def success_rate(self) -> float:
        """Answers per second with any status of success."""
        return sum(count for status, count in self.completed.items() if status[0] == "2") / self.seconds


class _Connection(asyncio.Protocol):
    """One connection with at most one request in flight."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._buffer = b""
        self.due = 0.0
        self.name = ""
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, due: float) -> None:
        self.due = due
        self.busy = True
        self.name, request = next(self._client.requests)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        start = head.find(b"content-length: ") + 16
        length = int(head[start:].split(b"\r\n", 1)[0]) if start > 15 else 0  # 204 has none
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
        self.requests = _requests(plan)
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
        if connection.name:
            self.result.named.setdefault(connection.name, []).append(now - connection.due)
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


def _requests(plan: Plan) -> Iterator[tuple[str, bytes]]:
    """For ever: each request's name and its bytes, which are made before the first is sent."""
    asks = plan.mix or (Ask("", "POST", plan.path, plan.body),)
    return cycle([(ask.name, _request(ask)) for ask in asks])


def _request(ask: Ask) -> bytes:
    body = ask.body.encode()
    lines = [f"{ask.method} {ask.path} HTTP/1.1", "Host: 127.0.0.1"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if ask.session:
        lines.append(f"X-Session-ID: {ask.session}")
    if ask.key:
        lines.append(f"Authorization: Bearer {ask.key}")
    return "\r\n".join((*lines, "", "")).encode() + body


def plan_of(text: bytes) -> Plan:
    """From JSON."""
    body = orjson.loads(text)
    mix = tuple(Ask(**ask) for ask in body.pop("mix"))
    return Plan(**body, mix=mix)


def main() -> None:
    """Entry point of the client process."""
    plan = plan_of(sys.stdin.buffer.read())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(_Client(plan).run())
    # Not sys.stdout, which under PYTHONUNBUFFERED may write a part and say nothing.
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(orjson.dumps(asdict(result)))


if __name__ == "__main__":
    main()
