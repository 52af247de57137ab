"""The supervisor: one selector over signals, zygotes and fronts.

    lars serve (this process)
      ├── front × N     serves HTTP on the listening socket it inherited
      └── zygote × M    forks workers for the fronts it has been introduced to

A signal handler only records; the loop acts. A child that dies is replaced; one that cannot start is tried a
few times and then ends the service with its reason. Every child also dies with this process, however that
ends: fronts and zygotes ask the kernel for it, workers are in their zygote's PID namespace.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import structlog

from sandbox_runtime.layers import Layer, below_floor
from service.supervisor.front import START_FAILURE, Front
from service.supervisor.kernel import become_subreaper
from service.supervisor.restarts import Restarts
from service.supervisor.zygote import Hello, Zygote, ZygoteFailed, ZygoteSpec

log = structlog.get_logger(__name__)


class StartFailed(Exception):
    """The service could not start, or could not go on; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. ``environ`` is what every front gets; ``shutdown`` is in seconds."""

    listener: socket.socket
    zygote: ZygoteSpec
    zygotes: int
    fronts: int
    floor: tuple[Layer, ...]
    environ: Mapping[str, str]
    shutdown: float


class Supervisor:
    """The set of children. ``on_ready`` is called once, when the first front has run a program."""

    def __init__(self, plan: Plan, on_ready: Callable[[Hello], None]) -> None:
        self._plan = plan
        self._on_ready: Callable[[Hello], None] | None = on_ready
        self._selector = selectors.DefaultSelector()
        self._zygotes: dict[int, tuple[Zygote, Hello]] = {}
        self._retiring: set[int] = set()
        self._fronts: dict[int, Front] = {}
        self._identities = count(1)
        self._zygote_restarts = Restarts()
        self._front_restarts = Restarts()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_ids = count()
        self._stopping = False
        self._failure: str | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. StartFailed when the service cannot start or go on."""
        become_subreaper()
        with _signals() as wake:
            self._selector.register(wake, selectors.EVENT_READ, self._on_signals)
            try:
                for _ in range(self._plan.zygotes):
                    self._start_zygote()
                for _ in range(self._plan.fronts):
                    self._start_front()
                self._loop(wake)
            finally:
                self._end_children()
        if self._failure is not None:
            raise StartFailed(self._failure)

    def _loop(self, wake: int) -> None:
        while not (self._stopping and not self._fronts):
            wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            for key, _ in self._selector.select(wait):
                key.data()
            self._fire_timers()

    # -- signals and deaths ------------------------------------------------------------------------------

    def _on_signals(self) -> None:
        for number in _Signals.take():
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
        self._reap()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._fronts:
                    self._front_ended(pid, status)
                else:
                    self._zygote_ended(pid, status)

    def _front_ended(self, pid: int, status: int) -> None:
        front = self._fronts.pop(pid)
        self._mute(front.control)
        front.reaped(status)
        if self._stopping:
            return
        code = os.waitstatus_to_exitcode(status)
        if front.said_hello:
            delay: float | None = self._front_restarts.died(pid, time.monotonic())
            log.error("front_died", pid=pid, exit_code=code, restart_in=delay)
        else:
            delay = None if code == START_FAILURE else self._front_restarts.could_not_start()
            log.error("front_could_not_start", pid=pid, exit_code=code, restart_in=delay)
        if delay is None:
            self._give_up("the HTTP front could not start; its last lines above say why")
        else:
            self._after(delay, self._start_front)

    def _zygote_ended(self, pid: int, status: int) -> None:
        for identity, (zygote, _) in list(self._zygotes.items()):
            if zygote.pid != pid:
                continue
            del self._zygotes[identity]
            self._mute(zygote.control)
            zygote.forget()
            if self._stopping or identity in self._retiring:
                self._retiring.discard(identity)
                return
            delay = self._zygote_restarts.died(pid, time.monotonic())
            log.error("zygote_died", pid=pid, exit_code=os.waitstatus_to_exitcode(status), restart_in=delay)
            self._after(delay, self._start_zygote)

    # -- zygotes -----------------------------------------------------------------------------------------

    def _start_zygote(self) -> None:
        if self._stopping:
            return
        try:
            zygote = Zygote(self._plan.zygote)
            hello = self._checked_hello(zygote)
        except ZygoteFailed as error:
            delay = self._zygote_restarts.could_not_start()
            if delay is None or self._on_ready is not None:
                self._give_up(f"the sandbox could not start: {error}")
                return
            log.error("zygote_could_not_start", reason=str(error), restart_in=delay)
            self._after(delay, self._start_zygote)
            return
        identity = next(self._identities)
        self._zygotes[identity] = (zygote, hello)
        self._zygote_restarts.started(zygote.pid, time.monotonic())
        self._selector.register(zygote.control, selectors.EVENT_READ, lambda: self._hear_zygote(identity))
        for front in self._fronts.values():
            if front.said_hello:
                self._introduce(front, identity)

    def _checked_hello(self, zygote: Zygote) -> Hello:
        try:
            hello = zygote.hello()
            missing = below_floor(hello.layers, self._plan.floor)
            if missing:
                reasons = "; ".join(f"{m.layer}: {m.reason} ({m.remedy})" for m in missing)
                raise ZygoteFailed(f"isolation is below LARS_SANDBOX_FLOOR: {reasons}")
        except ZygoteFailed:
            zygote.close()
            raise
        return hello

    def _hear_zygote(self, identity: int) -> None:
        zygote, _ = self._zygotes[identity]
        try:
            message = zygote.control.recv(64)
        except OSError:
            message = b""
        if message == b"worn":
            self._replace_zygote(identity)
        elif not message:
            # Its death is what SIGCHLD reports; until then there is nothing more to read.
            self._mute(zygote.control)

    def _mute(self, control: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(control)

    def _replace_zygote(self, identity: int) -> None:
        """The replacement first: it stands before the worn one is let go."""
        before = len(self._zygotes)
        self._start_zygote()
        if len(self._zygotes) <= before:
            return
        self._retiring.add(identity)
        self._zygotes[identity][0].retire()
        for front in self._fronts.values():
            front.retire_zygote(identity)

    # -- fronts ------------------------------------------------------------------------------------------

    def _start_front(self) -> None:
        if self._stopping:
            return
        front = Front(self._plan.listener, self._plan.environ)
        self._fronts[front.pid] = front
        self._selector.register(front.control, selectors.EVENT_READ, lambda: self._hear_front(front))

    def _hear_front(self, front: Front) -> None:
        body = front.receive()
        if body is None:
            self._mute(front.control)
        elif body["t"] == "hello":
            front.said_hello = True
            self._front_restarts.started(front.pid, time.monotonic())
            for identity in self._zygotes:
                if identity not in self._retiring:
                    self._introduce(front, identity)
        elif body["t"] == "proven" and self._on_ready is not None:
            ready, self._on_ready = self._on_ready, None
            ready(next(iter(self._zygotes.values()))[1])
        elif body["t"] == "broken":
            self._zygote_is_broken(body.get("id"))

    def _introduce(self, front: Front, identity: int) -> None:
        zygote, hello = self._zygotes[identity]
        with contextlib.suppress(OSError):
            with zygote.introduce() as channel:
                front.meet(identity, hello, channel)

    def _zygote_is_broken(self, identity: object) -> None:
        """Its workers cannot enter the jail: that is a failure to start, whoever noticed it."""
        entry = self._zygotes.get(identity) if isinstance(identity, int) else None
        if entry is None:
            return
        if self._zygote_restarts.could_not_start() is None or self._on_ready is not None:
            self._give_up("no worker could enter its jail; the lines above name the step")
        entry[0].kill()

    # -- the end -----------------------------------------------------------------------------------------

    def _give_up(self, why: str) -> None:
        self._failure = self._failure or why
        self._stop()

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        for front in self._fronts.values():
            front.signal(signal.SIGTERM)
        self._after(self._plan.shutdown, self._kill_fronts)

    def _kill_fronts(self) -> None:
        for front in self._fronts.values():
            front.signal(signal.SIGKILL)

    def _end_children(self) -> None:
        self._kill_fronts()
        for pid, front in list(self._fronts.items()):
            with contextlib.suppress(ChildProcessError):
                front.reaped(os.waitpid(pid, 0)[1])
        for zygote, _ in self._zygotes.values():
            zygote.close()
        self._fronts.clear()
        self._zygotes.clear()
        self._selector.close()

    # -- timers ------------------------------------------------------------------------------------------

    def _after(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._timer_ids), action))

    def _fire_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()


class _Signals:
    """Signals recorded by their handler, in order."""

    _pending: list[int] = []

    @classmethod
    def record(cls, number: int, _: object) -> None:
        cls._pending.append(number)

    @classmethod
    def take(cls) -> list[int]:
        taken, cls._pending = cls._pending, []
        return taken


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """Record SIGTERM, SIGINT, SIGHUP and SIGCHLD; yields a descriptor that is readable when one has come."""
    reader, writer = os.pipe()
    for descriptor in (reader, writer):
        os.set_blocking(descriptor, False)
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    previous = {number: signal.signal(number, _Signals.record) for number in numbers}
    old_wake = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(old_wake)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
