"""Callers without a library between them and the socket: what they were promised, and what became of it."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass, field

from tests.supervisor.serving import PATIENCE

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_CONNECT_SECONDS = 0.9  # less than a caller who is turned away waits before it tries again


@dataclass(slots=True)
class Tally:
    """``answers`` by status. ``lost``: connections that were made, and requests that were sent, without an
    answer. ``turned_away``: connections that were not made."""

    answers: Counter[int] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    turned_away: int = 0
    over: bool = False


async def ask_on(port: int, tally: Tally, *, once: bool, host: str = "127.0.0.1") -> None:
    """One request after the other, until ``tally.over`` or nobody can be reached: on a connection of its own
    each, or as long as the service keeps one."""
    while not tally.over:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(host, port)
        except (TimeoutError, ConnectionError):
            tally.turned_away += 1
            return
        try:
            while await _asked(reader, writer, tally) and not once and not tally.over:
                continue
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            tally.lost.append(f"{type(error).__name__}: {error}")
        finally:
            writer.close()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally) -> bool:
    """One request and its answer. Whether another may follow."""
    writer.write(HEALTH)
    head = await reader.readuntil(b"\r\n\r\n")
    status, fields = int(head[9:12]), head.lower()
    length = int(fields.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    tally.answers[status] += 1
    return b"connection: close" not in fields


def send(port: int, request: bytes) -> socket.socket:
    """A connection on which this has been sent."""
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection.sendall(request)
    return connection


def answer(connection: socket.socket) -> bytes:
    """All that comes until the other side ends it. ConnectionError when it is reset."""
    with connection:
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
        return received
