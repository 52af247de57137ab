"""The set of fronts: start, introduce to zygotes and planner, replace when dead, hung or asked to, give up
when none starts."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from service.supervisor.front import Front
from service.supervisor.loop import Loop
from service.supervisor.planner_keeper import PlannerKeeper
from service.supervisor.restarts import LONGEST_WAIT, Restarts
from service.supervisor.zygote_entries import Then
from service.supervisor.zygotes import Zygotes
from service.telemetry.catalog import RESTARTS

log = structlog.get_logger(__name__)
PING_SECONDS = 2.0
LAUNCH_SECONDS = 30.0  # from when it may serve to its hello, on a machine that may be busy
# One that is stopped, or whose loop hangs, keeps callers waiting: it is ended after some ten seconds, long
# after anything that it may do in one go.
_MOST_UNANSWERED = 5
_MEET_AGAIN = 1.0  # seconds
_LAST_WORDS = 3.0  # seconds for a front to answer and log what it cut off when the time was up


class Listener(Protocol):
    """Whom the set tells."""

    def on_proved(self, identity: object) -> None: ...
    def on_broken(self, identity: object) -> None: ...
    def on_hopeless(self, why: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Making:
    """How one more front is made, and how long one that leaves may take, in seconds."""

    start: Callable[[], Front]
    drain: float


@dataclass(frozen=True, slots=True)
class _Heir:
    """``former``: who leaves when this one has proved itself. ``then`` is told why it has not, or None."""

    former: Front
    then: Then


class Fronts:
    """All fronts of one service. ``planner``: None where there is none."""

    def __init__(
        self,
        loop: Loop,
        making: Making,
        zygotes: Zygotes,
        listener: Listener,
        planner: PlannerKeeper | None,
    ) -> None:
        self._loop = loop
        self._making = making
        self._zygotes = zygotes
        self._listener = listener
        self._planner = planner
        self._restarts = Restarts()
        self._fronts: dict[int, Front] = {}
        self._heirs: dict[int, _Heir] = {}
        self._may_serve = False
        self._stopped = False
        loop.after(PING_SECONDS, self._ping)

    def __len__(self) -> int:
        return len(self._fronts)

    def start(self) -> None:
        """Start one more. It serves when ``let_serve`` has been called."""
        if self._stopped:
            return
        try:
            self._launch()
        except OSError as error:
            self._failed(str(error))

    def renew(self, former: Front, then: Then) -> None:
        """Start another in the place of this one, which it keeps until that one has had a program run.
        ``then`` is told why none has, or None."""
        try:
            front = self._launch()
        except OSError as error:
            then(str(error))
            return
        self._heirs[front.pid] = _Heir(former, then)
        self._loop.after(LAUNCH_SECONDS, partial(self._unproved, front))

    def let_serve(self) -> None:
        """Those that were started, and those that will be."""
        self._may_serve = True
        for front in self._fronts.values():
            self._let_one_serve(front)

    @property
    def serving(self) -> list[Front]:
        """Those that take new callers."""
        return [front for front in self._fronts.values() if front.said_hello and not front.leaving]

    @property
    def proved(self) -> int:
        """How many of them have had a program run."""
        return sum(front.proved for front in self.serving)

    @property
    def present(self) -> list[Front]:
        """Those that are not leaving: serving, or on their way to it."""
        return [front for front in self._fronts.values() if not front.leaving]

    @property
    def leaving(self) -> int:
        """How many have a successor and have not ended yet."""
        return sum(front.leaving for front in self._fronts.values())

    @property
    def answers(self) -> bool:
        """Whether one of those that serve has said so when it was asked last, or the time before."""
        return any(front.unanswered < 2 for front in self.serving)

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
        if front.leaving:
            self._restarts.ended(pid)
        elif not self._stopped:
            self._replace(front, os.waitstatus_to_exitcode(status))
        return True

    def stop(self) -> None:
        """Start no more; let each finish what it serves, for as long as it may."""
        self._stopped = True
        for front in self._fronts.values():
            front.order("drain")
        self._loop.after(self._making.drain + _LAST_WORDS, self._kill)

    def cut(self) -> None:
        """Let none finish what it serves."""
        for front in self._fronts.values():
            front.order("cut")
        self._loop.after(_LAST_WORDS, self._kill)

    def close(self) -> None:
        """End all of them and wait for it."""
        self._stopped = True
        self._kill()
        for pid in list(self._fronts):
            with contextlib.suppress(ChildProcessError):
                self.reaped(*os.waitpid(pid, 0))
        self._fronts.clear()

    def _launch(self) -> Front:
        front = self._making.start()
        self._fronts[front.pid] = front
        self._loop.watch(front.control, partial(self._hear, front))
        if self._may_serve:
            self._let_one_serve(front)
        return front

    def _let_one_serve(self, front: Front) -> None:
        with contextlib.suppress(OSError):  # it is dying, which SIGCHLD reports
            front.let_serve()
        self._loop.after(LAUNCH_SECONDS, partial(self._too_slow, front))

    def _too_slow(self, front: Front) -> None:
        if self._fronts.get(front.pid) is front and not front.said_hello:
            front.overdue = True
            front.signal(signal.SIGKILL)

    def _replace(self, front: Front, code: int) -> None:
        heir = self._heirs.pop(front.pid, None)
        if heir is not None:
            if heir.former.pid not in self._fronts:
                self.start()
            heir.then(f"it ended with exit code {code} before a program had run for it")
        elif any(each.former is front for each in self._heirs.values()):
            RESTARTS.add("front", "died")
            log.error("front_died", pid=front.pid, exit_code=code, restart_in=0)  # its successor comes
        elif front.said_hello:
            delay = self._restarts.died(front.pid, time.monotonic())
            RESTARTS.add("front", "died")
            log.error("front_died", pid=front.pid, exit_code=code, restart_in=delay)
            self._loop.after(delay, self.start)
        elif front.overdue:
            self._failed(f"it did not say hello within {LAUNCH_SECONDS:g} s")
        else:
            self._failed(f"it ended with exit code {code} before it said hello")

    def _failed(self, why: str) -> None:
        RESTARTS.add("front", "could_not_start")
        delay = self._restarts.could_not_start()
        if delay is None and self.serving:
            delay = LONGEST_WAIT  # those that serve lack nothing of what this one does
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
        front.unanswered = 0
        kind, identity = body.get("t"), body.get("id")
        if kind == "hello":
            front.said_hello = True
            self._restarts.started(front.pid, time.monotonic())
            self._restarts.proved()
            for known in self._zygotes.usable():
                self._introduce(front, known)
            self._introduce_planner(front)
        elif kind == "proven":
            front.proved = True
            self._listener.on_proved(identity)
            self._take_place(front)
        elif kind == "broken":
            self._listener.on_broken(identity)

    def _introduce(self, front: Front, identity: int) -> None:
        if identity not in self._zygotes.usable() or front.pid not in self._fronts:
            return
        try:
            if not front.meet(self._zygotes, identity):
                self._loop.after(_MEET_AGAIN, partial(self._introduce, front, identity))
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

    def _take_place(self, front: Front) -> None:
        """Where it is a successor: it has proved itself."""
        heir = self._heirs.pop(front.pid, None)
        if heir is None:
            return
        if heir.former.pid in self._fronts:
            heir.former.leaving = True
            heir.former.order("leave")
            self._loop.after(self._making.drain + _LAST_WORDS, partial(self._see_out, heir.former))
        heir.then(None)

    def _see_out(self, front: Front) -> None:
        if self._fronts.get(front.pid) is front:
            log.error("front_did_not_leave", pid=front.pid)
            front.signal(signal.SIGKILL)

    def _unproved(self, front: Front) -> None:
        if front.pid in self._heirs:
            front.signal(signal.SIGKILL)

    def _ping(self) -> None:
        for front in self.serving:
            if front.unanswered >= _MOST_UNANSWERED:
                log.error("front_hung", pid=front.pid, seconds=_MOST_UNANSWERED * PING_SECONDS)
                front.signal(signal.SIGKILL)
            front.ping()
        self._loop.after(PING_SECONDS, self._ping)

    def _kill(self) -> None:
        for front in self._fronts.values():
            front.signal(signal.SIGKILL)


def _end_deaf(front: Front) -> None:
    """It is gone, or has stopped reading for so long that its socket is full: another serves better."""
    log.error("front_deaf", pid=front.pid)
    front.signal(signal.SIGKILL)
