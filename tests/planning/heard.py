"""What a front says on its line to a planner, as a planner hears it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sandbox_runtime import wire
from sandbox_runtime.planning import MAX_MESSAGE_BYTES, Ask, Standing
from service.planning.line import Line

_LIMITS = {wire.Kind.ASK: MAX_MESSAGE_BYTES, wire.Kind.FORGET: 256}


@dataclass(frozen=True, slots=True)
class Heard:
    """A question, or the number of one that is taken back. ``payload``: the bytes of it."""

    payload: bytes
    ask: Ask | None
    forgotten: int = 0


async def join(line: Line, standing: Standing) -> socket.socket:
    """The planner's end of a line that leads to whoever has it, who says this of itself."""
    ours, theirs = socket.socketpair()
    await line.connect(theirs, standing)
    return ours


async def hear(reader: asyncio.StreamReader) -> AsyncIterator[Heard]:
    """All that the front says, until it has gone."""
    decoder = wire.Decoder(_LIMITS)
    while data := await reader.read(1 << 16):
        for frame in decoder.feed(data):
            body = wire.decode_object(frame)
            if frame.kind is wire.Kind.ASK:
                yield Heard(frame.payload, Ask.from_wire(body))
            else:
                yield Heard(frame.payload, None, int(str(body["id"])))
