"""The planner's end of a line, played by the test: real frames over a real socket."""

from __future__ import annotations

import asyncio
from typing import Any

from sandbox_runtime import wire
from sandbox_runtime.planning import Answer, Ask, Failure, ModelCall, Standing
from service.planning.line import Line
from tests.planning.heard import hear, join

READY = Standing(("mock",), {}, {})


class PlannerEnd:
    """What the front asks, one ASK after the other, and what it takes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.forgotten: list[int] = []
        self._reader, self._writer = reader, writer
        self._hearing = hear(reader)
        self._asks: list[Ask] = []

    async def asked(self) -> Ask:
        """The next question."""
        while not self._asks:
            await self._read()
        return self._asks.pop(0)

    async def forgets(self) -> int:
        """The number of the next question that is taken back."""
        while not self.forgotten:
            await self._read()
        return self.forgotten.pop(0)

    def answer(self, ask: Ask, *calls: ModelCall, **output: Any) -> None:
        """Say this."""
        self.say(Answer(ask.id, output, calls=calls))

    def fail(self, ask: Ask, *calls: ModelCall, **failure: Any) -> None:
        """Say that it failed."""
        self.say(Answer(ask.id, failure=Failure(**failure), calls=calls))

    def say(self, answer: Answer) -> None:
        self.send(wire.encode_json(wire.Kind.ANSWER, answer))

    def send(self, message: bytes) -> None:
        """Any bytes at all."""
        self._writer.write(message)

    async def ended(self) -> bool:
        """Return when the front has closed its end."""
        return await self._reader.read(1 << 16) == b""

    def close(self) -> None:
        self._writer.close()

    async def _read(self) -> None:
        heard = await anext(self._hearing)
        if heard.ask is None:
            self.forgotten.append(heard.forgotten)
        else:
            self._asks.append(heard.ask)


async def connected(line: Line, standing: Standing = READY) -> PlannerEnd:
    """A planner on this line."""
    end = await join(line, standing)
    return PlannerEnd(*await asyncio.open_unix_connection(sock=end))


def call(tokens: int = 0, outcome: str = "ok", cost: float | None = None) -> ModelCall:
    """One call that used so many tokens, a third of them written."""
    return ModelCall("mock", "mock", outcome, tokens - tokens // 3, tokens // 3, 0, cost, 0.1)
