"""Keeps one planner: starts it, has fronts meet it, replaces it when it is dead. While there is none, the
service serves without, and it is tried again for as long as the service lives."""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import Protocol

import structlog

from sandbox_runtime.planning import Standing
from service.supervisor.loop import Loop
from service.supervisor.planner import LAUNCH_SECONDS, PlannerNotStarted, PlannerProcess, PlannerSpec
from service.supervisor.restarts import Restarts
from service.telemetry.catalog import PLANNER_CONFIGURED, PLANNER_UP, RESTARTS

log = structlog.get_logger(__name__)
# Between tries when several in a row have failed: each costs the imports of three libraries, and most
# reasons are the operator's to remove.
RETRY_SECONDS = 30.0
_DYING_SECONDS = 2.0
# A planner that is stopped, or whose loop hangs, takes questions and answers none: it is noticed after some
# ten seconds, long after anything that it may do in one go.
PING_SECONDS = 2.0
_MOST_UNANSWERED = 5


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
        self._why: str | None = None  # of the one that is dying
        self._told: str | None = None
        self._stopped = False
        PLANNER_CONFIGURED.set(1.0)

    def start(self) -> None:
        """Start it. The listener is told when it stands."""
        if self._stopped:
            return
        try:
            process = self._process = PlannerProcess(self._spec)
        except OSError as error:
            self._failed(f"its Python cannot be run: {error}")
            return
        self._loop.watch(process.control, partial(self._hear, process))
        self._loop.after(LAUNCH_SECONDS, partial(self._too_slow, process))

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
        """A child has been waited for. Whether it was the planner."""
        process = self._process
        if process is None or process.pid != pid:
            return False
        self._process = None
        PLANNER_UP.set(0.0)
        why, self._why = self._why, None
        self._loop.mute(process.control)
        process.reaped(status)
        if not self._stopped:
            self._replace(process, os.waitstatus_to_exitcode(status), why)
        return True

    def stop(self) -> None:
        """Start no other. This one serves until it is closed."""
        self._stopped = True

    def close(self) -> None:
        """End it and wait for that."""
        self._stopped = True
        if self._process is not None:
            self._loop.mute(self._process.control)
            self._process.end()
            self._process = None

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
            self._stands(process, standing)

    def _stands(self, process: PlannerProcess, standing: Standing) -> None:
        self._restarts.started(process.pid, time.monotonic())
        self._restarts.proved()
        self._told = None
        PLANNER_UP.set(1.0)
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
        if process is self._process:
            self._kill(process, "it had closed its end and went on")

    def _kill(self, process: PlannerProcess, why: str) -> None:
        self._why = self._why or why
        self._loop.mute(process.control)
        process.kill()

    def _too_slow(self, process: PlannerProcess) -> None:
        if process is self._process and process.standing is None:
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
