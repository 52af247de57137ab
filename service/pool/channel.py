"""A front's end of one zygote: ask for workers, hear of their births and deaths."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Protocol

from sandbox_runtime import wire
from service.pool.worker import Worker


class Listener(Protocol):
    """Whom a channel tells, on the event loop."""

    def on_ready(self, channel: Channel, worker: Worker) -> None: ...
    def on_failed(self, channel: Channel, message: wire.Failed) -> None: ...
    def on_exited(self, channel: Channel, worker: Worker) -> None: ...
    def on_closed(self, channel: Channel) -> None: ...


class Channel:
    """One zygote's control socket and the workers that came through it."""

    def __init__(self, control: socket.socket, listener: Listener, *, identity: int = 0) -> None:
        self.identity = identity
        self.starting = 0
        self.workers: dict[int, Worker] = {}
        self.retired = False
        self.proof_begun = False
        self.proven = False
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._control = control
        self._control.setblocking(False)
        self._closed = False
        self._loop.add_reader(control, self._readable)

    @property
    def live(self) -> int:
        """Workers that exist or are being made."""
        return self.starting + len(self.workers)

    def spawn(self, count: int) -> None:
        """Ask for ``count`` more workers."""
        try:
            self._control.send(wire.encode_control(wire.Spawn(count)))
        except BlockingIOError:
            return  # it has plenty of unread requests already
        except OSError:
            self.close()
            return
        self.starting += count

    def close(self) -> None:
        """Let go of the zygote; every worker of it is lost."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._control)
        self._control.close()
        self.starting = 0
        workers, self.workers = self.workers, {}
        for worker in workers.values():
            worker.lost()
        self._listener.on_closed(self)

    def _readable(self) -> None:
        while not self._closed:
            try:
                data, descriptors, flags, _ = socket.recv_fds(
                    self._control, wire.CONTROL_MESSAGE_BYTES, wire.READY_DESCRIPTORS
                )
            except BlockingIOError:
                return
            except ConnectionError:
                self.close()
                return
            if not data:
                self.close()
                return
            self._take(data, descriptors, flags)

    def _take(self, data: bytes, descriptors: list[int], flags: int) -> None:
        try:
            message = wire.decode_control(data)
        except wire.WireError:
            _close_all(descriptors)
            self.close()
            return
        if isinstance(message, wire.Ready) and len(descriptors) == wire.READY_DESCRIPTORS and not flags:
            worker = Worker(message.serial, descriptors, self._loop)
            self.workers[message.serial] = worker
            self.starting -= 1
            self._listener.on_ready(self, worker)
            return
        _close_all(descriptors)
        if isinstance(message, wire.Exited):
            self._exited(message)
        elif isinstance(message, wire.Failed):
            self.starting -= 1
            self._listener.on_failed(self, message)
        else:
            self.close()

    def _exited(self, message: wire.Exited) -> None:
        worker = self.workers.pop(message.serial, None)
        if worker is None:
            return  # it failed before it was ready, and said so itself
        worker.exited(message)
        self._listener.on_exited(self, worker)


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
