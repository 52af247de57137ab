"""The steps of a run as they come: Server-Sent Events (WHATWG HTML, 9.2).

Each is an event ``step`` whose id is its number, so that a client that was cut off goes on after the
last it has seen (Last-Event-ID). The last event is ``end``, with the run as it is then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

import orjson
from starlette.responses import StreamingResponse

from service.errors import ControlUnavailable, NotFound, Overloaded
from service.improvement.runs.store import RunStore
from service.improvement.runs.values import KeptStep, Run
from service.improvement.runs.view import run_view, step_view

MEDIA_TYPE: Final = "text/event-stream"
MAX_STREAMS: Final = 32
_LOOK: Final = 0.25  # seconds
_HEARTBEAT: Final = 15.0  # seconds without an event, after which proxies are told that there is somebody
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class RunStreams:
    """Those of one front. ``close`` ends them all: none would end by itself while its run waits."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self._count = 0

    def open(self, store: RunStore, run: str, after: int) -> StreamingResponse:
        """The steps of this run with a number above ``after``, until it ends. Overloaded."""
        if self._count >= MAX_STREAMS:
            raise Overloaded(f"{self._count} streams of runs are open on this front already")
        return StreamingResponse(self._counted(store, run, after), media_type=MEDIA_TYPE, headers=_HEADERS)

    def close(self) -> None:
        """From now on every stream ends at once."""
        self._closing.set()

    async def _counted(self, store: RunStore, run: str, after: int) -> AsyncGenerator[bytes]:
        self._count += 1
        try:
            async with aclosing(self._events(store, run, after)) as events:
                async for event in events:
                    yield event
        finally:
            self._count -= 1

    async def _events(self, store: RunStore, run_id: str, after: int) -> AsyncGenerator[bytes]:
        said, seen = time.monotonic(), -1.0
        while not self._closing.is_set():
            try:
                run = await store.get(run_id)
                steps = await store.steps(run_id, after) if run.updated != seen else ()
            except (ControlUnavailable, NotFound):
                return  # the client comes again, and is told why
            for step in steps:
                yield event_of(step)
                after, said = step.number, time.monotonic()
            seen = run.updated
            if not run.is_active:
                yield end_of(run)
                return
            if time.monotonic() - said > _HEARTBEAT:
                yield b": waiting\n\n"
                said = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._closing.wait()


def event_of(step: KeptStep) -> bytes:
    """One step. JSON has no line end in it."""
    return b"id: %d\nevent: step\ndata: %s\n\n" % (step.number, orjson.dumps(step_view(step)))


def end_of(run: Run) -> bytes:
    """The run when nothing more comes of it."""
    return b"event: end\ndata: %s\n\n" % orjson.dumps(run_view(run))
