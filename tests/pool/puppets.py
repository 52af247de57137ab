"""The other side of a front, played by the test: a zygote's control socket and a worker's job socket.

The sockets, the pidfd and the memory files are real, and behind each pidfd is a real process; only what is
said on the sockets is the test's.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson

from sandbox_runtime import wire
from sandbox_runtime.job import Limits, Program, Report
from sandbox_runtime.wire import Kind
from service.pool.job import Job, JobLimits

PATIENCE = 10.0
ANSWER = wire.encode(Kind.RESULT, b"42") + wire.encode_json(Kind.DONE, Report("ok", 0))


def job(
    code: str = "result = 42", *, timeout: float = PATIENCE, cpu: float = 60.0, principal: str = ""
) -> Job:
    """A job whose deadline is ``timeout`` seconds from now."""
    limits = JobLimits(timeout=timeout, cpu=cpu, memory=1 << 20, file_size=1 << 20, output=64)
    return Job(Program(code, max_result=1 << 16), limits, time.monotonic() + timeout, None, principal)


async def until(done: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Let the loop turn until ``done()`` is true; fail, naming ``what``, when that takes too long."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(0.001)


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Fail when more descriptors are open at the end than at the beginning."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    left = {fd: _target(fd) for fd in set(os.listdir("/proc/self/fd")) - before}
    left = {fd: target for fd, target in left.items() if target}  # the listing's own is closed by now
    assert left == {}


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:
        return ""


class PuppetWorker:
    """A worker's side. ``descriptors`` is what a front gets of it."""

    def __init__(self, serial: int = 1) -> None:
        self.serial = serial
        self.process = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
        self.socket, theirs = socket.socketpair()
        self.socket.setblocking(False)
        self.out, self.err = self._files = [os.memfd_create(name) for name in ("stdout", "stderr")]
        pidfd = os.pidfd_open(self.process.pid)
        self.descriptors = [theirs.detach(), pidfd, os.dup(self.out), os.dup(self.err)]
        self._decoder = wire.Decoder(dict.fromkeys((Kind.BIND, Kind.RUN), 64 << 20))
        self._frames: list[wire.Frame] = []

    async def limits(self) -> Limits:
        """What the front binds it to."""
        await self.program()
        return Limits.from_wire(wire.decode_object(self._frames[0]))

    async def program(self) -> Program:
        """What the front wants run."""
        loop = asyncio.get_running_loop()
        while not any(frame.kind is Kind.RUN for frame in self._frames):
            chunk = await asyncio.wait_for(loop.sock_recv(self.socket, 1 << 20), PATIENCE)
            assert chunk, "the front let go of the worker before it said what to run"
            self._frames += self._decoder.feed(chunk)
        return Program.from_wire(wire.decode_object(self._frames[-1]))

    async def say(self, data: bytes) -> None:
        """Write to the front, as far as it lets us."""
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.socket, data), PATIENCE)
        except (BrokenPipeError, ConnectionResetError):
            return

    async def answer(self) -> str:
        """Take a program, answer 42 whatever it is; the program's code."""
        code = (await self.program()).code
        await self.say(ANSWER)
        return code

    def die(self, number: signal.Signals = signal.SIGKILL) -> wire.Exited:
        """End the process, if it lives, and say what its zygote would."""
        self.process.send_signal(number)
        return self.reap()

    def reap(self) -> wire.Exited:
        """Wait for the process, which somebody has killed, and say what its zygote would."""
        code = self.process.wait(PATIENCE)
        return wire.Exited(self.serial, -code if code < 0 else code << 8, 0.01, 1 << 20, starved=False)

    def hang_up(self) -> None:
        """Close the job socket."""
        self.socket.close()

    def close(self) -> None:
        """Leave nothing of it. It may be closed already."""
        self.hang_up()
        self.process.kill()
        self.process.wait(PATIENCE)
        while self._files:
            os.close(self._files.pop())


class PuppetZygote:
    """A zygote's side. ``theirs`` is the front's end."""

    def __init__(self) -> None:
        self.socket, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setblocking(False)
        self.requests: list[int] = []
        self.workers: list[PuppetWorker] = []

    def hear(self) -> int:
        """How many workers it has been asked for so far."""
        while True:
            try:
                message = self.socket.recv(wire.CONTROL_MESSAGE_BYTES)
            except (BlockingIOError, ConnectionResetError):
                return sum(self.requests)
            if not message:
                return sum(self.requests)
            request = wire.decode_control(message)
            assert isinstance(request, wire.Spawn)
            self.requests.append(request.count)

    @property
    def let_go(self) -> bool:
        """Whether the front has closed its end."""
        self.hear()
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def bear(self, *, descriptors: int = 4) -> PuppetWorker:
        """A worker is ready: announce it, with that many of its descriptors."""
        worker = PuppetWorker(len(self.workers) + 1)
        self.workers.append(worker)
        given = worker.descriptors[:descriptors]
        socket.send_fds(self.socket, [wire.encode_control(wire.Ready(worker.serial, 7))], given)
        for descriptor in worker.descriptors:
            os.close(descriptor)
        return worker

    def say(self, message: wire.ControlMessage | dict[str, object]) -> None:
        """Send a control message, well-formed or not."""
        self.socket.send(orjson.dumps(message) if isinstance(message, dict) else wire.encode_control(message))

    def close(self) -> None:
        """Die, with all workers."""
        self.socket.close()
        for worker in self.workers:
            worker.close()
