"""A bounded load on a service, and what became of each request while something was done to it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.supervisor.serving import PATIENCE

CLIENTS = 6
_REQUEST = {"code": "result = 42", "timeout": 5}


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was sent and answered, and how. ``how``: ``ok``, another verdict, an error code,
    or the type of the transport's error."""

    sent: float
    came: float
    how: str


@dataclass(slots=True)
class Load:
    """``CLIENTS`` clients, each with one request in flight, until ``stop``."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    _stop: bool = False

    async def strike(
        self,
        blow: Callable[[], None],
        *,
        before: int = 30,
        after: int = 100,
        until: Callable[[], bool] = lambda: True,
    ) -> float:
        """Do ``blow`` when ``before`` requests have been answered, and go on until ``after`` that were sent
        later have been and ``until`` holds. Returns when the blow fell."""
        limits = httpx.Limits(max_keepalive_connections=CLIENTS)
        async with httpx.AsyncClient(base_url=self.url, timeout=PATIENCE, limits=limits) as client:
            clients = [asyncio.create_task(self._client(client)) for _ in range(CLIENTS)]
            await self._until(lambda: len(self.answers) >= before, "the load begins")
            struck = time.monotonic()
            blow()
            await self._until(lambda: self.count("ok", struck) >= after and until(), "the load goes on")
            self._stop = True
            await asyncio.gather(*clients)
        return struck

    def count(self, how: str, since: float) -> int:
        """Answers of this kind to requests sent after ``since``."""
        return sum(answer.how == how and answer.sent > since for answer in self.answers)

    def back_after(self, struck: float) -> float:
        """Seconds until the first request that was sent after the blow was answered well."""
        return min(a.came for a in self.answers if a.how == "ok" and a.sent > struck) - struck

    def failures(self) -> Counter[str]:
        """How often what went wrong."""
        return Counter(answer.how for answer in self.answers if answer.how != "ok")

    def failed_after(self, struck: float) -> Counter[str]:
        """The same, of requests that were sent after the blow."""
        return Counter(a.how for a in self.answers if a.how != "ok" and a.sent > struck)

    async def _client(self, client: httpx.AsyncClient) -> None:
        while not self._stop:
            sent = time.monotonic()
            how = await _ask(client)
            self.answers.append(Answer(sent, time.monotonic(), how))

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:g} s; {self.failures()}"
            await asyncio.sleep(0.005)


async def _ask(client: httpx.AsyncClient) -> str:
    try:
        answer = await client.post("/execute", json=_REQUEST)
    except httpx.TransportError as error:
        return type(error).__name__
    body = answer.json()
    if answer.status_code != 200:
        return f"{answer.status_code} {body['code']}"
    return "ok" if body["result"] == 42 else str(body["verdict"])
