"""The planner's end of its channels: the supervisor's control socket, and a line to each front."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

import orjson

from sandbox_runtime import wire
from sandbox_runtime.planning import MAX_MESSAGE_BYTES, PING, RETIRE, Answer, Ask, Failure

_HEARD: Final[Mapping[wire.Kind, int]] = {wire.Kind.ASK: MAX_MESSAGE_BYTES, wire.Kind.FORGET: 256}
_FRONT: Final = b"front"
_CONTROL_BYTES: Final = 64

Answering = Callable[[Ask], Awaitable[Answer]]


class Control:
    """``ended`` is set when the supervisor has gone, or when another planner has this one's place and no
    front has anything more to ask here."""

    def __init__(self, control: socket.socket, answering: Answering) -> None:
        self.ended = asyncio.Event()
        self._control = control
        self._answering = answering
        self._retired = False
        self._lines: set[Line] = set()
        self._opening: set[asyncio.Task[None]] = set()
        control.setblocking(False)
        asyncio.get_running_loop().add_reader(control, self._hear)

    async def close(self) -> None:
        """Hear nobody any more; what is being asked is given up."""
        asyncio.get_running_loop().remove_reader(self._control)
        for task in self._opening:
            task.cancel()
        tasks = [task for line in list(self._lines) for task in line.close()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hear(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, _CONTROL_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        for descriptor in descriptors:
            self._open(socket.socket(fileno=descriptor), wanted=message == _FRONT)
        if message == PING:
            with contextlib.suppress(OSError):  # it does not read, or it has gone, which is heard next
                tell(self._control, {"t": "alive"})
        if message == RETIRE:
            self._retired = True
            self._end_if_finished()
        if not message:
            asyncio.get_running_loop().remove_reader(self._control)
            self.ended.set()

    def _open(self, end: socket.socket, *, wanted: bool) -> None:
        if not wanted:
            end.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(end))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _serve(self, end: socket.socket) -> None:
        end.setblocking(False)
        line = Line(self._answering, self._lost)
        self._lines.add(line)
        await asyncio.get_running_loop().create_unix_connection(lambda: line, sock=end)

    def _lost(self, line: Line) -> None:
        self._lines.discard(line)
        self._end_if_finished()

    def _end_if_finished(self) -> None:
        if self._retired and not self._lines and not self._opening:
            self.ended.set()


class Line(asyncio.Protocol):
    """One front's questions, each answered when it is, until the front has gone. What breaks the protocol
    ends this line and no other."""

    def __init__(self, answering: Answering, on_lost: Callable[[Line], None]) -> None:
        self._answering = answering
        self._on_lost = on_lost
        self._decoder = wire.Decoder(_HEARD)
        self._tasks: dict[int, asyncio.Task[Answer]] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except wire.WireError:
            self.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.close()
        self._on_lost(self)

    def close(self) -> list[asyncio.Task[Answer]]:
        """End it; what still ends is returned."""
        if self._transport is not None:
            self._transport.abort()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        return tasks

    def _take(self, frame: wire.Frame) -> None:
        body = wire.decode_object(frame)
        if frame.kind is wire.Kind.FORGET:
            number = body.get("id")
            task = self._tasks.get(number) if isinstance(number, int) else None
            if task is not None:
                task.cancel()
            return
        ask = Ask.from_wire(body)
        if ask.id in self._tasks:
            raise wire.WireError(f"ASK: id {ask.id} is asked already")
        task = asyncio.ensure_future(self._answering(ask))
        self._tasks[ask.id] = task
        task.add_done_callback(lambda done: self._answered(ask.id, done))

    def _answered(self, number: int, task: asyncio.Task[Answer]) -> None:
        del self._tasks[number]
        if task.cancelled() or self._transport is None or self._transport.is_closing():
            return
        error = task.exception()
        if isinstance(error, wire.WireError):
            self.close()
            return
        answer = task.result() if error is None else _of_bug(number, error)
        try:
            message = wire.encode_json(wire.Kind.ANSWER, answer)
        except orjson.JSONEncodeError as error_:  # of a text that is none, or a number that is too large
            message = wire.encode_json(wire.Kind.ANSWER, _of_bug(number, error_))
        self._transport.write(message)


def _of_bug(number: int, error: BaseException) -> Answer:
    """It is ours, and one question's: the caller learns of it, and all others are answered."""
    what = f"{type(error).__name__}: {error}"[:300].encode("utf-8", "replace").decode()
    return Answer(number, failure=Failure("llm_failed", f"the planner failed: {what}"))


def tell(control: socket.socket, body: Mapping[str, object]) -> None:
    """One message to the supervisor. OSError when it has gone."""
    control.send(orjson.dumps(body))
