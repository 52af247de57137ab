"""What a front holds of one worker process: four descriptors, a stream of frames, a way to end it.

Any error on its channel ends the same way: the process is killed through its pidfd and never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Protocol

from sandbox_runtime import wire

_CHUNK = 1 << 18
_NOTHING = memoryview(b"")


class Reader(Protocol):
    """Whom a process's frames are for, on the event loop."""

    def on_frame(self, frame: wire.Frame) -> None:
        """One whole frame; may raise WireError."""

    def on_broken(self) -> None:
        """It broke the protocol, and nothing more of it is read."""

    def on_dead(self) -> None:
        """It has ended, and everything that it had sent has been given to ``on_frame``."""

    def on_lost(self) -> None:
        """Its zygote is gone, and the kernel has killed it with it."""


class Worker:
    """A worker that has passed its jail. ``serial`` is its number within its zygote; ``exit`` is what the
    zygote said of its end; ``gone`` is set when there is nothing more to hear, and ``on_gone``
    called. ``deaf``: its end is closed, and it did not get all of what was sent last."""

    def __init__(self, serial: int, descriptors: list[int], loop: asyncio.AbstractEventLoop) -> None:
        job, self.pidfd, self.stdout, self.stderr = descriptors
        self.serial = serial
        self.exit: wire.Exited | None = None
        self.gone = asyncio.Event()
        self.closed = False
        self.deaf = False
        self.on_gone: Callable[[], None] | None = None
        self._loop = loop
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=job)
        self._socket.setblocking(False)
        self._reader: Reader | None = None
        self._decoder = wire.Decoder({})
        self._eof = False
        self._waits_to_write = False
        self._unsent = _NOTHING

    def listen(self, limits: Mapping[wire.Kind, int], reader: Reader) -> None:
        """Give ``reader`` every frame of the kinds in ``limits``, none longer than said there."""
        self._decoder = wire.Decoder(limits)
        self._reader = reader
        self._loop.add_reader(self._socket, self._readable)

    def send(self, message: bytes) -> None:
        """Send it, now or as it is read; when the process is dying, its end is heard of by itself."""
        self._unsent = memoryview(bytes(self._unsent) + message if self._unsent else message)
        self._writable()

    def send_with_descriptor(self, message: bytes, descriptor: int) -> None:
        """The first message of all, which is short, and a descriptor with its first byte."""
        try:
            socket.send_fds(self._socket, [message], [descriptor])
        except OSError:
            self.deaf = True

    def kill(self) -> None:
        """SIGKILL, whatever it is doing. Nothing survives it: a worker can start no process."""
        if not self.closed:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def destroy(self) -> None:
        """Kill it and close everything of it on our side."""
        if self.closed:
            return
        self.kill()
        self.closed = True
        self._reader = None  # which has this process: no cycle of references keeps a job and its data
        self._unsent = _NOTHING
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        for descriptor in (self.pidfd, self.stdout, self.stderr):
            os.close(descriptor)

    def exited(self, message: wire.Exited) -> None:
        """The zygote has reaped it."""
        self.exit = message
        self._is_gone()
        reader = self._reader
        if reader is not None:
            self._readable(drain=True)  # what it sent before it died is still in the socket
            reader.on_dead()

    def lost(self) -> None:
        """Its zygote is gone."""
        self._is_gone()
        reader = self._reader
        if reader is None:
            self.destroy()
        else:
            self._readable(drain=True)
            reader.on_lost()

    def _is_gone(self) -> None:
        self.gone.set()
        if self.on_gone is not None:
            self.on_gone()

    def _writable(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            if not self._waits_to_write:
                self._waits_to_write = True
                self._loop.add_writer(self._socket, self._writable)
            return
        except OSError:  # it is dying; its EOF or its exit says how
            self.deaf = True
        self._unsent = _NOTHING  # an empty part of a message keeps the whole of it
        if self._waits_to_write:
            self._waits_to_write = False
            self._loop.remove_writer(self._socket)

    def _readable(self, drain: bool = False) -> None:
        reader = self._reader
        if reader is None:
            return
        try:
            while not self.closed and not self._eof:
                chunk = self._socket.recv(_CHUNK)
                if not chunk:
                    self._end_of_file()
                    return
                for frame in self._decoder.feed(chunk):
                    reader.on_frame(frame)
                if len(chunk) < _CHUNK and not drain:
                    return  # that was all; should more have come just now, we are called again
        except BlockingIOError:
            return
        except wire.WireError:
            self.kill()
            reader.on_broken()
            self._end_of_file()
        except ConnectionError:
            self._end_of_file()

    def _end_of_file(self) -> None:
        # How it ended, its exit says, which may come before or after.
        self._eof = True
        self._loop.remove_reader(self._socket)
        if self.exit is not None and self._reader is not None:
            self._reader.on_dead()
