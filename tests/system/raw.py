"""A peer that sends bytes as it likes, and reads what comes back."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.service_process import Service
from tests.supervisor.processes import children, process

PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. ``headers``: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of the problem that it is."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["request_id"] == self.headers["x-request-id"]
        return str(self.json["code"])


class Peer:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._unread = b""

    def send(self, data: bytes) -> None:
        """All of it. A service that has stopped reading is no error here."""
        try:
            self.connection.sendall(data)
        except ConnectionError:
            return

    def answer(self) -> Answer:
        """The next response; fails when the connection ends before it is whole."""
        while b"\r\n\r\n" not in self._unread:
            assert self._read(), f"closed after {self._unread!r}"
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        size = int(headers["content-length"])
        while len(self._unread) < size:
            assert self._read(), "closed within a body"
        body, self._unread = self._unread[:size], self._unread[size:]
        return Answer(int(first.split()[1]), headers, body)

    def rest_or_answer(self) -> Answer | None:
        """The next response, or None when the connection ends instead."""
        if not self._read():
            return None
        return self.answer()

    def rest(self) -> bytes:
        """What comes until the connection ends."""
        while self._read():
            continue
        rest, self._unread = self._unread, b""
        return rest

    def _read(self) -> bool:
        try:
            data = self.connection.recv(65536)
        except ConnectionError:
            return False
        self._unread += data
        return bool(data)


@contextmanager
def peer(url: str, receive_buffer: int = 0) -> Iterator[Peer]:
    """A connection to the service at ``url``; a small buffer makes one that takes little unread."""
    target = httpx.URL(url)
    with socket.socket() as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect((target.host, target.port or 80))
        yield Peer(connection)


def front_of(service: Service) -> int:
    """The process that answers."""
    (front,) = [child for child in children(process(service.pid)) if "service.front" in child.command]
    return front.pid


def ended_after(one: Peer, began: float) -> tuple[bytes, float]:
    """What came until the end, and how many seconds after ``began`` it was."""
    return one.rest(), time.monotonic() - began


def head(path: str = "/health", *lines: str, method: str = "GET") -> bytes:
    """The head of a request."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", "")).encode("latin-1")


def alone(url: str, data: bytes) -> Answer:
    """The answer to ``data`` on a connection of its own, after which the service closes it with no more."""
    with peer(url) as one:
        one.send(data)
        answer = one.answer()
        assert one.rest() == b""
    assert answer.headers.get("connection") == "close"
    return answer
