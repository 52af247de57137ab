"""A planner's process without a process or a model: it speaks ASK and ANSWER on a socket pair, answers what a
test has it answer, and remembers every byte that it was sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from sandbox_runtime import wire
from sandbox_runtime.planning import Answer, Ask, Failure, ModelCall, Standing
from service.planning.line import Line
from tests.planning.heard import hear, join

TOKENS = 100  # of each call
STANDING = Standing(("openai",), {}, {})
Output = Mapping[str, Any]
# An output, a failure, or None for no answer at all.
Respond = Callable[[Ask], Output | Failure | None]


def echo(ask: Ask) -> Output:
    """A program that does something of every kind, for any shape that leads to a collection: an action on a
    record, told by what the path says."""
    shape = ask.given["shape"]
    parts = shape["path"].strip("/").split("/")
    names = parts[::2]
    target = names[-2] if shape["body"] == "none" and len(names) > 1 else names[-1]
    lines = f"""\
record = session_store.collection({target!r}).get(ctx["segments"][1]) if len(ctx["segments"]) > 1 else None
if record is None:
    REPLY = make_response(404, {{"error": "there is no such record"}})
else:
    REPLY = make_response(200, store.update(record["id"], {{"done": {names[-1]!r}}}))
"""
    return {"action": names[-1], "resource": target, "block": lines}


class StandIn:
    """``respond``: what is answered from now on. ``asks``: those for plans, in order; ``heard``: their
    payloads; ``asked``: set with the first. ``gate``: answers wait until it is set."""

    def __init__(self, respond: Respond = echo) -> None:
        self.respond = respond
        self.asks: list[Ask] = []
        self.heard: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self._serving: list[asyncio.Task[None]] = []

    async def connect(self, line: Line, standing: Standing = STANDING) -> None:
        """As the supervisor does."""
        self.serve(await join(line, standing))

    def serve(self, end: socket.socket) -> None:
        """Answer whoever has the other end. ``end`` becomes ours."""
        self._serving.append(asyncio.create_task(self._serve(end)))

    async def leave(self) -> None:
        """As a planner that has died."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._serving.clear()

    async def _serve(self, end: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=end)
        try:
            async for heard in hear(reader):
                if heard.ask is not None:
                    self.heard.append(heard.payload)
                    await self._asked(heard.ask, writer)
        finally:
            writer.close()

    async def _asked(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        self.asks.append(ask)
        self.asked.set()
        await self.gate.wait()
        said = self.respond(ask)
        if said is None:
            return
        failure = said if isinstance(said, Failure) else None
        output = None if isinstance(said, Failure) else said
        outcome = "ok" if failure is None else failure.code
        call = ModelCall("openai", "test-model", outcome, TOKENS - 10, 10, 0, None, 0.001)
        writer.write(wire.encode_json(wire.Kind.ANSWER, Answer(ask.id, output, failure, (call,))))
        await writer.drain()
