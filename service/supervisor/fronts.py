"""The set of fronts: start, introduce to zygotes and planner, replace when dead, give up when none starts."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog

from service.supervisor.front import Front
from service.supervisor.loop import Loop
from service.supervisor.planner_keeper import PlannerKeeper
from service.supervisor.restarts import Restarts
from service.supervisor.zygotes import Zygotes
from service.telemetry.catalog import RESTARTS

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Whom the set tells."""

    def on_proved(self, identity: object) -> None: ...
    def on_broken(self, identity: object) -> None: ...
    def on_hopeless(self, why: str) -> None: ...


class Fronts:
    """All fronts of one service. ``start_front`` makes one more. ``planner``: None where there is none."""

    def __init__(
        self,
        loop: Loop,
        start_front: Callable[[], Front],
        zygotes: Zygotes,
        listener: Listener,
        planner: PlannerKeeper | None,
    ) -> None:
        self._loop = loop
        self._start_front = start_front
        self._zygotes = zygotes
        self._listener = listener
        self._planner = planner
        self._restarts = Restarts()
        self._fronts: dict[int, Front] = {}
        self._may_serve = False
        self._stopped = False

    def __len__(self) -> int:
        return len(self._fronts)

    def start(self) -> None:
        """Start one more. It serves when ``let_serve`` has been called."""
        if self._stopped:
            return
        try:
            front = self._start_front()
        except OSError as error:
            self._failed(str(error))
            return
        self._fronts[front.pid] = front
        self._loop.watch(front.control, partial(self._hear, front))
        if self._may_serve:
            _let_serve(front)

    def let_serve(self) -> None:
        """Those that were started, and those that will be."""
        self._may_serve = True
        for front in self._fronts.values():
            _let_serve(front)

    def introduce(self, identity: int) -> None:
        """Every front that has said hello meets this zygote."""
        for front in self._fronts.values():
            if front.said_hello:
                self._introduce(front, identity)

    def introduce_planner(self) -> None:
        """Every front that has said hello gets a line to the planner."""
        for front in self._fronts.values():
            if front.said_hello:
                self._introduce_planner(front)

    def retire_zygote(self, identity: int) -> None:
        """Every front asks this zygote for nothing more."""
        for front in self._fronts.values():
            try:
                front.retire_zygote(identity)
            except OSError:
                _end_deaf(front)

    def reaped(self, pid: int, status: int) -> bool:
        """A child has been waited for. Whether it was a front."""
        front = self._fronts.pop(pid, None)
        if front is None:
            return False
        self._loop.mute(front.control)
        front.reaped(status)
        if not self._stopped:
            self._replace(front, os.waitstatus_to_exitcode(status))
        return True

    def stop(self) -> None:
        """Start no more; let each finish what it serves."""
        self._stopped = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all of them now."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """End all of them and wait for it."""
        self._stopped = True
        self.kill()
        for pid in list(self._fronts):
            with contextlib.suppress(ChildProcessError):
                self.reaped(*os.waitpid(pid, 0))
        self._fronts.clear()

    def _replace(self, front: Front, code: int) -> None:
        if front.said_hello:
            delay = self._restarts.died(front.pid, time.monotonic())
            RESTARTS.add("front", "died")
            log.error("front_died", pid=front.pid, exit_code=code, restart_in=delay)
            self._loop.after(delay, self.start)
        else:
            self._failed(f"it ended with exit code {code} before it said hello")

    def _failed(self, why: str) -> None:
        RESTARTS.add("front", "could_not_start")
        delay = self._restarts.could_not_start()
        log.error("front_could_not_start", reason=why, restart_in=delay)
        if delay is None:
            self._listener.on_hopeless("the HTTP front could not start; its last lines above say why")
        else:
            self._loop.after(delay, self.start)

    def _hear(self, front: Front) -> None:
        body = front.receive()
        if body is None:
            self._loop.mute(front.control)  # it is dying, which SIGCHLD reports
            return
        kind, identity = body.get("t"), body.get("id")
        if kind == "hello":
            front.said_hello = True
            self._restarts.started(front.pid, time.monotonic())
            self._restarts.proved()
            for known in self._zygotes.usable():
                self._introduce(front, known)
            self._introduce_planner(front)
        elif kind == "proven":
            self._listener.on_proved(identity)
        elif kind == "broken":
            self._listener.on_broken(identity)

    def _introduce(self, front: Front, identity: int) -> None:
        try:
            front.meet(self._zygotes, identity)
        except OSError:
            _end_deaf(front)

    def _introduce_planner(self, front: Front) -> None:
        line = self._planner.line() if self._planner is not None else None
        if line is None:
            return
        standing, end = line
        with end:
            try:
                front.meet_planner(standing, end)
            except OSError:
                _end_deaf(front)

    def _signal(self, number: signal.Signals) -> None:
        for front in self._fronts.values():
            front.signal(number)


def _let_serve(front: Front) -> None:
    with contextlib.suppress(OSError):  # it is dying, which SIGCHLD reports
        front.let_serve()


def _end_deaf(front: Front) -> None:
    """It is gone, or has stopped reading for so long that its socket is full: another serves better."""
    log.error("front_deaf", pid=front.pid)
    front.signal(signal.SIGKILL)
