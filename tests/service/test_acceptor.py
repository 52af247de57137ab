"""Taking connections, on real sockets and the event loop of a front."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, cast

import pytest
import structlog
import uvloop

from service.acceptor import Acceptor

P = ParamSpec("P")
RESET = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER: close sends RST


def on_uvloop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Which fronts run on."""

    @wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        uvloop.run(test(*arguments, **named))

    return run


class Opened(asyncio.Protocol):
    """Greets, and keeps in ``all`` who was opened."""

    def __init__(self, everyone: list[asyncio.Transport]) -> None:
        self.everyone = everyone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.everyone.append(cast("asyncio.Transport", transport))
        self.everyone[-1].write(b"hello")


class Taking:
    """An acceptor, its listener, and whom it has let in. ``asked``: how many were coming at each question."""

    def __init__(self, family: socket.AddressFamily, *, crowded: bool) -> None:
        self.everyone: list[asyncio.Transport] = []
        self.asked: list[int] = []
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind(
            ("127.0.0.1", 0) if family == socket.AF_INET else b"\0lars-acceptor-%d" % os.getpid()
        )
        self.listener.listen(64)

        def answer(coming: int) -> bool:
            self.asked.append(coming)
            return crowded

        self.acceptor = Acceptor(self.listener, lambda: Opened(self.everyone), answer)

    def connect(self) -> socket.socket:
        client = socket.socket(self.listener.family, socket.SOCK_STREAM)
        client.settimeout(10)
        client.connect(self.listener.getsockname())
        return client

    async def end(self) -> None:
        self.acceptor.close()
        await self.acceptor.settle()
        for transport in self.everyone:
            transport.abort()
        self.listener.close()


async def greeted(client: socket.socket) -> bytes:
    with client:
        return await asyncio.to_thread(client.recv, 5)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.parametrize("crowded", [False, True])
@on_uvloop
async def test_everybody_is_let_in(family: socket.AddressFamily, crowded: bool) -> None:
    """Also by one that gives way each time, and when others are as many as may be given way to."""
    taking = Taking(family, crowded=crowded)
    clients = [taking.connect() for _ in range(40)]
    assert [await greeted(client) for client in clients] == [b"hello"] * 40
    assert len(taking.asked) >= 40
    await taking.end()


@on_uvloop
async def test_giving_way_takes_little_time() -> None:
    """However many come: those that are open want to be served, too."""
    taking = Taking(socket.AF_INET, crowded=True)
    for _ in range(10):
        clients = [taking.connect() for _ in range(40)]
        assert [await greeted(client) for client in clients] == [b"hello"] * 40
    assert len(taking.asked) < 400, "most were let in without a question"
    await taking.end()


@on_uvloop
async def test_what_was_taken_is_open_when_it_has_settled() -> None:
    taking = Taking(socket.AF_INET, crowded=False)
    client = taking.connect()
    taking.acceptor._take()
    assert taking.everyone == []
    taking.acceptor.close()
    await taking.acceptor.settle()
    assert len(taking.everyone) == 1
    assert await greeted(client) == b"hello"
    other = taking.connect()
    other.settimeout(0.3)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(other.recv, 5)
    other.close()
    await taking.end()


@on_uvloop
async def test_who_has_gone_again_harms_nobody() -> None:
    taking = Taking(socket.AF_INET, crowded=False)
    gone = taking.connect()
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    gone.close()
    assert await greeted(taking.connect()) == b"hello"
    await taking.end()


@on_uvloop
async def test_without_descriptors_it_pauses_and_goes_on() -> None:
    taking = Taking(socket.AF_INET, crowded=False)
    client = taking.connect()
    with structlog.testing.capture_logs() as logs:
        with no_more_descriptors():
            began = time.monotonic()
            while not logs:
                await asyncio.sleep(0)
                assert time.monotonic() < began + 10
        assert await greeted(client) == b"hello"
    assert [(line["event"], line["again_in"]) for line in logs] == [("accept_failed", 1.0)]
    assert "Too many open files" in logs[0]["reason"]
    await taking.end()


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """This process may not open another: getrlimit(2), RLIMIT_NOFILE."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
