"""A front's end of one zygote: ask for workers, hear of their births and deaths."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Final, Protocol

from sandbox_runtime import wire
from sandbox_runtime.domain import WorkerKind
from service.pool.worker import Worker
from service.telemetry.catalog import FORK_FAILURES, FORKS

SHORT: Final = "descriptors"  # no step: it is this process that could not take the worker


class Listener(Protocol):
    """Whom a channel tells, on the event loop."""

    def on_ready(self, channel: Channel, worker: Worker) -> None: ...
    def on_failed(self, channel: Channel, message: wire.Failed) -> None: ...
    def on_exited(self, channel: Channel, worker: Worker) -> None: ...
    def on_unusable(self, channel: Channel, why: str) -> None: ...
    def on_closed(self, channel: Channel) -> None: ...


class Channel:
    """One zygote's control socket and the workers that came through it."""

    def __init__(
        self, control: socket.socket, listener: Listener, *, identity: int = 0, kind: WorkerKind = "oneshot"
    ) -> None:
        self.identity = identity
        self._kind = kind
        self.starting = 0
        self.start_failures = 0
        self.workers: dict[int, Worker] = {}
        self.retired = False
        self.closed = False
        self.proof_begun = False
        self.proven = False
        self.proven_elsewhere = False  # to another front: what this one lacks now is room
        self.failed_proofs = 0
        self._failed: set[int] = set()  # serials that have said so and whose exit has not been heard of
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._control = control
        self._control.setblocking(False)
        self._loop.add_reader(control, self._readable)

    @property
    def live(self) -> int:
        """Workers that exist or are being made."""
        return self.starting + len(self.workers)

    def spawn(self, count: int) -> None:
        """Ask for ``count`` more workers."""
        try:
            self._control.send(wire.encode_control(wire.Spawn(count, self._kind)))
        except BlockingIOError:
            return  # it has plenty of unread requests already
        except OSError:
            self.close()
            return
        self.starting += count

    def close(self) -> None:
        """Let go of the zygote; every worker of it is lost."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._control)
        self._control.close()
        self.starting = 0
        workers, self.workers = self.workers, {}
        for worker in workers.values():
            worker.lost()
        self._listener.on_closed(self)

    def _readable(self) -> None:
        while not self.closed:
            try:
                data, descriptors, flags, _ = socket.recv_fds(
                    self._control, wire.CONTROL_MESSAGE_BYTES, wire.READY_DESCRIPTORS
                )
            except BlockingIOError:
                return
            except OSError:
                self.close()
                return
            if not data:
                self.close()
                return
            self._take(data, descriptors, flags)

    def _take(self, data: bytes, descriptors: list[int], flags: int) -> None:
        try:
            message = wire.decode_control(data)
        except wire.WireError as error:
            _close_all(descriptors)
            self._unusable(str(error))
            return
        if isinstance(message, wire.Ready):
            self._ready(message, descriptors, flags)
            return
        _close_all(descriptors)
        if isinstance(message, wire.Exited):
            self._exited(message)
        elif isinstance(message, wire.Failed):
            if message.step != wire.FORK:
                self._failed.add(message.serial)
            self._start_failed(message)
        else:
            self._unusable("a zygote does not ask for workers")

    def _start_failed(self, message: wire.Failed) -> None:
        self.starting -= 1
        self.start_failures += 1
        FORK_FAILURES.add(self._kind)
        self._listener.on_failed(self, message)

    def _ready(self, message: wire.Ready, descriptors: list[int], flags: int) -> None:
        if message.serial in self.workers:
            _close_all(descriptors)
            self._unusable("a worker came twice")
            return
        if len(descriptors) != wire.READY_DESCRIPTORS or flags:
            # Fewer than were sent: this process has reached its limit of open files (unix(7), MSG_CTRUNC).
            _close_all(descriptors)  # so the worker has lost us, and ends
            why = f"a worker came with {len(descriptors)} of 4 descriptors; raise ulimit -n"
            self._failed.add(message.serial)
            self._start_failed(wire.Failed(message.serial, SHORT, why))
            return
        worker = Worker(message.serial, descriptors, self._loop)
        self.workers[message.serial] = worker
        self.starting -= 1
        self.start_failures = 0
        FORKS.add(self._kind)
        self._listener.on_ready(self, worker)

    def _unusable(self, why: str) -> None:
        """The zygote lives but what it says cannot be used: let go of it, and have another made."""
        self.close()
        self._listener.on_unusable(self, why)

    def _exited(self, message: wire.Exited) -> None:
        worker = self.workers.pop(message.serial, None)
        if worker is None:
            if message.serial in self._failed:
                self._failed.discard(message.serial)
            else:  # it was killed, or could not reach us, before it was ready
                step = wire.STARVED if message.starved else "announce"
                self._start_failed(wire.Failed(message.serial, step, f"wait status {message.status}"))
            return
        worker.exited(message)
        self._listener.on_exited(self, worker)


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
