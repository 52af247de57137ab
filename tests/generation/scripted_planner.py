"""The other end of a front's line to the planner, played by the test: the real protocol on a real socket, and
answers that a test has laid down."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox_runtime import wire
from sandbox_runtime.planning import Answer, Ask, Failure, ModelCall, Standing
from service.planning.line import Line
from tests.planning.heard import hear, join

CALL = ModelCall("openai", "model-1", "ok", 100, 20, 40, 0.001, 0.5)
STANDING = Standing(("openai",), {}, {})
SILENT: Mapping[str, Any] = {}  # an output that is never sent
Reply = Mapping[str, Any] | Failure


class ScriptedPlanner:
    """``replies``: what it answers, in order, each for one call to a model; ``always``: what it answers when
    there are none left. ``delay``: seconds that a model thinks. ``figures``: what it has counted."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.forgotten: list[int] = []
        self.replies: deque[Reply] = deque()
        self.always: Reply = SILENT
        self.call = CALL
        self.delay = 0.0
        self.figures: Mapping[str, Any] = {"models": []}
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def attach(self, line: Line, standing: Standing = STANDING) -> None:
        """Be the one that this line leads to."""
        end = await join(line, standing)
        reader, self._writer = await asyncio.open_unix_connection(sock=end)
        self._reading = asyncio.create_task(self._read(reader, self._writer))

    async def leave(self) -> None:
        """End, as a process does that is killed."""
        if self._reading is not None and self._writer is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))
            self._writer.close()
            await self._writer.wait_closed()

    def begin(self, *replies: Reply) -> None:
        """A new script; nothing was asked yet."""
        self.asks, self.forgotten, self.replies = [], [], deque(replies)
        self.always, self.call, self.delay = SILENT, CALL, 0.0

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for heard in hear(reader):
            if heard.ask is None:
                self.forgotten.append(heard.forgotten)
            else:
                await self._answer(heard.ask, writer)

    async def _answer(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        if ask.task == "figures":
            answer = Answer(ask.id, output=self.figures)
        else:
            self.asks.append(ask)
            reply = self.replies.popleft() if self.replies else self.always
            if reply is SILENT:
                return
            await asyncio.sleep(self.delay)
            answer = self._made(ask, reply)
        writer.write(wire.encode_json(wire.Kind.ANSWER, answer))

    def _made(self, ask: Ask, reply: Reply) -> Answer:
        if isinstance(reply, Failure):
            outcome = "ok" if reply.code == "llm_bad_reply" else reply.code
            return Answer(ask.id, failure=reply, calls=(replace(self.call, outcome=outcome),))
        return Answer(ask.id, output=reply, calls=(self.call,))
