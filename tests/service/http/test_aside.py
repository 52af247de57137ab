"""A request that waits before its body is read: who leaves is not waited for, and keeps nobody out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from service.http.connections import Connections
from service.http.disconnect import wait_aside
from service.http.limits import Limits
from service.http.protocol import bounded
from tests.service.http.serving import served
from tests.service.http.stack import application

MANY = 8
LIMITS = Limits(
    4096, 20, header_seconds=5, body_seconds=5, write_seconds=5, connections=MANY, buffer_bytes=1 << 20
)
PATIENCE = 10.0
WAITING = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
OTHER = b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Waits:
    """An application in which requests to /wait wait for ``event``."""

    def __init__(self, *, aside: bool) -> None:
        self.event = asyncio.Event()
        self.everyone = Connections(LIMITS)
        self.now = 0  # requests that wait
        self.port = 0
        self.streams: list[Stream] = []
        self._aside = aside

    async def answer(self, request: Request) -> Response:
        """``seen`` once the event is set, ``left`` when the wait has ended before."""
        if request.url.path == "/wait":
            self.now += 1
            try:
                await (wait_aside(request.scope, self.event, PATIENCE) if self._aside else self.event.wait())
            finally:
                self.now -= 1
        return PlainTextResponse("seen" if self.event.is_set() else "left")

    async def ask(self, *requests: bytes) -> Stream:
        """A connection on which these were sent."""
        stream = await asyncio.open_connection("127.0.0.1", self.port)
        self.streams.append(stream)
        stream[1].write(b"".join(requests))
        return stream

    async def until(self, count: int) -> None:
        """So many wait."""
        await until(lambda: self.now == count, f"{count} requests that wait, not {self.now}")


async def until(ready: Callable[[], bool], what: str) -> None:
    """Return when it is so."""
    end = asyncio.get_running_loop().time() + PATIENCE / 2
    while not ready():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0)


@asynccontextmanager
async def waiting(*, aside: bool = True) -> AsyncIterator[Waits]:
    """The application behind the front's protocol. Connections are closed in the end."""
    waits = Waits(aside=aside)
    app = application(waits.answer, "/{path:path}")
    async with served(app, bounded(waits.everyone)) as port:
        waits.port = port
        try:
            yield waits
        finally:
            waits.event.set()
            for stream in waits.streams:
                await leave(stream)


async def told(stream: Stream) -> bytes:
    """The last word of the next answer; nothing when the connection ends instead."""
    reader, _ = stream
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    (size,) = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body = await asyncio.wait_for(reader.readexactly(size), PATIENCE)
    return body if head.startswith(b"HTTP/1.1 200 ") else head.split()[1]


async def leave(stream: Stream) -> None:
    """Close it."""
    stream[1].close()
    with suppress(ConnectionError):  # it was the service that closed it
        await stream[1].wait_closed()


async def test_it_goes_on_when_the_event_comes() -> None:
    """And serves what was sent after it."""
    async with waiting() as waits:
        stream = await waits.ask(WAITING, OTHER)
        await waits.until(1)
        waits.event.set()
        assert [await told(stream), await told(stream)] == [b"seen", b"seen"]


@pytest.mark.parametrize("after", [b"", b"GET /hea"], ids=["nothing", "half a head"])
async def test_who_leaves_is_not_waited_for(after: bytes) -> None:
    """Nothing of the wait is left."""
    async with waiting() as waits:
        tasks = asyncio.all_tasks()
        stream = await waits.ask(WAITING)
        await waits.until(1)
        stream[1].write(after)
        await leave(stream)
        await waits.until(0)
        await until(lambda: asyncio.all_tasks() <= tasks, "a task is left")
        assert not waits.everyone.waiting
        assert not waits.event.is_set()


async def test_who_has_sent_more_is_counted_until_the_end_of_the_wait() -> None:
    """Nothing more is read until the next request is taken up, so no end is seen; but it makes room."""
    async with waiting() as waits:
        stream = await waits.ask(WAITING, OTHER)
        await waits.until(1)
        await leave(stream)
        for _ in range(2 * MANY):
            assert waits.now <= len(waits.everyone.waiting)
            assert await told(await waits.ask(OTHER)) == b"left"
        await waits.until(0)


async def test_those_who_wait_keep_nobody_out() -> None:
    """The one that has waited longest makes room, whatever it has sent since."""
    async with waiting() as waits:
        streams = []
        for count in range(1, MANY + 1):
            streams.append(await waits.ask(WAITING))
            await waits.until(count)
        streams[0][1].write(OTHER)
        newcomer = await waits.ask(OTHER)
        assert await told(newcomer) == b"left"
        assert await told(streams[0]) == b""
        await waits.until(MANY - 1)
        waits.event.set()
        assert [await told(stream) for stream in streams[1:]] == [b"seen"] * (MANY - 1)


async def test_control_requests_in_work_keep_newcomers_out() -> None:
    """What the same callers could do if they were not set aside."""
    async with waiting(aside=False) as waits:
        streams = [await waits.ask(WAITING) for _ in range(MANY)]
        await waits.until(MANY)
        assert await told(await waits.ask(OTHER)) == b"503"
        waits.event.set()
        assert [await told(stream) for stream in streams] == [b"seen"] * MANY


async def test_it_is_in_work_again_after_the_wait() -> None:
    """Its connection makes no room then."""
    async with waiting() as waits:
        stream = await waits.ask(WAITING)
        await waits.until(1)
        (one,) = waits.everyone.waiting
        waits.event.set()
        assert await told(stream) == b"seen"
        assert [*waits.everyone.waiting] == [one]  # for its next request
        await leave(stream)
        await until(lambda: not waits.everyone.waiting, "the end of the connection")


async def test_where_no_connection_is_known_there_is_the_time() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await wait_aside({"type": "http"}, asyncio.Event(), 0.05)
    assert 0.04 < loop.time() - began < PATIENCE
