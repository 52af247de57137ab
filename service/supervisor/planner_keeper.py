"""Keeps one planner: starts it, has fronts meet it, replaces it when it is dead or when it is asked to. While
there is none, the service serves without, and it is tried again for as long as the service lives."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import structlog

from sandbox_runtime.planning import Standing
from service.supervisor.loop import Loop
from service.supervisor.planner import LAUNCH_SECONDS, PlannerNotStarted, PlannerProcess, PlannerSpec
from service.supervisor.restarts import Restarts
from service.telemetry.catalog import PLANNER_CONFIGURED, PLANNER_UP, PROVIDERS, RESTARTS

log = structlog.get_logger(__name__)
# Between tries when several in a row have failed: each costs the imports of three libraries, and most
# reasons are the operator's to remove.
RETRY_SECONDS = 30.0
_DYING_SECONDS = 2.0
# A planner that is stopped, or whose loop hangs, takes questions and answers none: it is noticed after some
# ten seconds, long after anything that it may do in one go.
PING_SECONDS = 2.0
_MOST_UNANSWERED = 5
_LAST_ASKS = 2  # times LLM_TIMEOUT, for what a planner was asked before another had its place


class Listener(Protocol):
    """Whom the keeper tells."""

    def on_planner(self) -> None: ...


class PlannerKeeper:
    """The planner of one service."""

    def __init__(self, loop: Loop, spec: PlannerSpec, listener: Listener) -> None:
        self._loop = loop
        self._spec = spec
        self._listener = listener
        self._restarts = Restarts()
        self._process: PlannerProcess | None = None
        self._successor: PlannerProcess | None = None
        self._then: Callable[[str | None], None] = _ignore  # told what became of the successor
        self._former: list[PlannerProcess] = []
        self._told: str | None = None
        self._stopped = False
        PLANNER_CONFIGURED.set(1.0)

    def start(self) -> None:
        """Start it. The listener is told when it stands."""
        if self._stopped or self._process is not None:
            return
        try:
            self._process = self._launch()
        except OSError as error:
            self._failed(f"its Python cannot be run: {error}")

    def renew(self, then: Callable[[str | None], None]) -> None:
        """Start another in its place, which it keeps until that one stands. ``then`` is told why none does,
        or None."""
        if self._process is None or self._process.standing is None:
            then(None)  # one is being started anyway
            return
        try:
            self._successor = self._launch()
        except OSError as error:
            then(f"its Python cannot be run: {error}")
            return
        self._then = then

    def line(self) -> tuple[Standing, socket.socket] | None:
        """What it says of itself, and an end of a new line to it; None while there is none."""
        process = self._process
        if process is None or process.standing is None:
            return None
        try:
            return process.standing, process.line()
        except BlockingIOError:
            self._kill(process, "it has not read for so long that its socket is full")
        except OSError:  # it is dying, which SIGCHLD reports
            pass
        return None

    def reaped(self, pid: int, status: int) -> bool:
        """A child has been waited for. Whether it was the planner, or another that is to have or had its
        place."""
        process = next((each for each in self._all() if each.pid == pid), None)
        if process is None:
            return False
        self._loop.mute(process.control)
        process.reaped(status)
        code = os.waitstatus_to_exitcode(status)
        if process is self._successor:
            self._successor, then, self._then = None, self._then, _ignore
            then(process.why or f"it ended with exit code {code} before it stood; its last lines say why")
        elif process is self._process:
            self._process = None
            _tell(None)
            if not self._stopped:
                self._replace(process, code, process.why)
        else:
            self._former.remove(process)
            self._restarts.ended(pid)
        return True

    def stop(self) -> None:
        """Start no other. This one serves until it is closed."""
        self._stopped = True

    def close(self) -> None:
        """End it and wait for that."""
        self._stopped = True
        for process in self._all():
            self._loop.mute(process.control)
            process.end()
        self._process, self._successor, self._former = None, None, []

    def _all(self) -> list[PlannerProcess]:
        return [each for each in (self._process, self._successor, *self._former) if each is not None]

    def _launch(self) -> PlannerProcess:
        process = PlannerProcess(self._spec)
        self._loop.watch(process.control, partial(self._hear, process))
        self._loop.after(LAUNCH_SECONDS, partial(self._too_slow, process))
        return process

    def _hear(self, process: PlannerProcess) -> None:
        stood = process.standing is not None
        try:
            standing = process.receive()
        except PlannerNotStarted as error:
            self._kill(process, str(error))
            return
        if standing is None:
            self._loop.mute(process.control)  # it is dying, which SIGCHLD reports
            self._loop.after(_DYING_SECONDS, partial(self._see_off, process))
        elif not stood:
            self._take_place(process)
            self._stands(process, standing)

    def _take_place(self, process: PlannerProcess) -> None:
        """Where it is a successor: nobody is sent to the former one any more."""
        if process is not self._successor:
            return
        former, self._process, self._successor = self._process, process, None
        then, self._then = self._then, _ignore
        self._loop.after(0, partial(then, None))  # when fronts have met it
        if former is not None:
            self._former.append(former)
            self._loop.after(0, former.retire)
            self._loop.after(_LAST_ASKS * self._spec.config.timeout, partial(self._see_out, former))

    def _see_out(self, former: PlannerProcess) -> None:
        if former in self._former:
            self._kill(former, "it had not ended when all that it was asked had to be answered")

    def _stands(self, process: PlannerProcess, standing: Standing) -> None:
        self._restarts.started(process.pid, time.monotonic())
        self._restarts.proved()
        self._told = None
        _tell(standing)
        log.info("planner_ready", pid=process.pid, providers=list(standing.ready))
        for provider, why in standing.why.items():
            log.warning("planner_without_provider", provider=provider, reason=why)
        for layer, why in standing.layers.items():
            if why:
                log.warning("planner_without_layer", layer=layer, reason=why)
        self._listener.on_planner()
        self._loop.after(PING_SECONDS, partial(self._ping, process))

    def _ping(self, process: PlannerProcess) -> None:
        if process is not self._process:
            return
        if process.unanswered >= _MOST_UNANSWERED:
            self._kill(process, f"it did not answer for {_MOST_UNANSWERED * PING_SECONDS:g} s")
            return
        process.ping()
        self._loop.after(PING_SECONDS, partial(self._ping, process))

    def _see_off(self, process: PlannerProcess) -> None:
        if process in self._all():
            self._kill(process, "it had closed its end and went on")

    def _kill(self, process: PlannerProcess, why: str) -> None:
        process.why = process.why or why
        self._loop.mute(process.control)
        process.kill()

    def _too_slow(self, process: PlannerProcess) -> None:
        if process in self._all() and process.standing is None:
            self._kill(process, f"it did not stand within {LAUNCH_SECONDS:g} s")

    def _replace(self, process: PlannerProcess, code: int, why: str | None) -> None:
        if process.standing is None:
            self._failed(why or f"it ended with exit code {code} before it stood; its last lines say why")
            return
        delay = self._restarts.died(process.pid, time.monotonic())
        RESTARTS.add("planner", "died")
        log.error("planner_died", pid=process.pid, exit_code=code, reason=why, restart_in=delay)
        self._loop.after(delay, self.start)

    def _failed(self, why: str) -> None:
        RESTARTS.add("planner", "could_not_start")
        delay = self._restarts.could_not_start()
        wait = RETRY_SECONDS if delay is None else delay
        if delay is not None or why != self._told:
            log.error("planner_could_not_start", reason=why, restart_in=wait)
            self._told = why
        self._loop.after(wait, self.start)


def _tell(standing: Standing | None) -> None:
    """Figures of the planner that has the place; None: of none."""
    PLANNER_UP.set(float(standing is not None))
    PROVIDERS.set(float(len(standing.ready)) if standing else 0.0, "ready")
    PROVIDERS.set(float(len(standing.why.keys() - {"otlp"})) if standing else 0.0, "unusable")


def _ignore(_: str | None) -> None:
    """Nobody asked to be told."""
