"""The supervisor: one loop over signals, zygotes, fronts and the planner.

    lars serve (this process)
      ├── errand        sees to what fronts need, once; none of them serves before it has
      ├── front x N     serves HTTP on the listening socket it inherited
      ├── zygote x M    forks workers for the fronts it has been introduced to
      └── planner       asks language models for the fronts; only where one is configured

A signal handler only records; the loop acts, and never waits for one child while another may need it. A child
that dies is replaced; one that cannot start is tried a few times and then ends the service with its reason,
except the planner, without which the service serves. SIGTERM and SIGINT end the service when what it has
accepted is finished, and a second one at once; SIGHUP replaces all children.
Every child also dies with this process, however that ends: fronts and zygotes ask the kernel for it, workers
are in their zygote's PID namespace.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from sandbox_runtime.layers import Layer
from service.listen import url_of
from service.supervisor.front import Front
from service.supervisor.fronts import Fronts, Making
from service.supervisor.kernel import become_subreaper, raise_open_files
from service.supervisor.loop import Loop, Signals
from service.supervisor.notify import Notifier
from service.supervisor.planner import PlannerSpec
from service.supervisor.planner_keeper import PlannerKeeper
from service.supervisor.renewal import Children, Renewal
from service.supervisor.report import Report
from service.supervisor.upgrade import Errand, Upgrade
from service.supervisor.zygote import Hello, ZygoteSpec
from service.supervisor.zygotes import Zygotes
from service.telemetry.process import ProcessFigures
from service.turning_away import turn_away

_FIGURES_SECONDS = 5.0


class StartFailed(Exception):
    """The service could not start, or could not go on; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. ``environ`` and the descriptors ``handed`` are what every front gets; ``drain`` is in
    seconds. ``own``: nobody else goes on with the listener. ``planner``: None where no language model is
    configured. ``errand`` starts one, and ``upgrade`` one before fronts with other code are started, OSError
    when that cannot be done; None where fronts need nothing."""

    listener: socket.socket
    zygote: ZygoteSpec
    zygotes: int
    fronts: int
    floor: tuple[Layer, ...]
    environ: Mapping[str, str]
    handed: tuple[int, ...]
    drain: float
    planner: PlannerSpec | None = None
    own: bool = True
    notifier: Notifier = field(default_factory=lambda: Notifier({}))
    errand: Callable[[], Errand] | None = None
    upgrade: Callable[[], Errand] | None = None


class Supervisor:
    """All children. ``on_ready`` is called once, when every front has run a program: the connections of
    whoever comes at once are shared by all."""

    def __init__(self, plan: Plan, on_ready: Callable[[Hello], None]) -> None:
        self._plan = plan
        self._on_ready: Callable[[Hello], None] | None = on_ready
        self._loop = Loop()
        self._zygotes = Zygotes(self._loop, plan.zygote, plan.floor, self)
        self._planner = None if plan.planner is None else PlannerKeeper(self._loop, plan.planner, self)
        making = Making(partial(Front, plan.listener, plan.environ, plan.handed), plan.drain)
        self._fronts = Fronts(self._loop, making, self._zygotes, self, self._planner)
        self._upgrade = None if plan.upgrade is None else Upgrade(self._loop, plan.upgrade)
        others = (self._fronts, self._upgrade, self._planner)
        self._reapers = [children for children in others if children is not None]
        children = Children(self._upgrade, self._zygotes, self._planner, self._fronts)
        self._renewal = Renewal(self._loop, children, self)
        self._report = Report(plan.notifier, url_of(plan.listener), (plan.fronts, plan.zygotes))
        self._hung_up = False  # before there was anything to replace
        self._errand: Errand | None = None
        self._stands = False
        self._stopping = False
        self._failure: str | None = None
        self._figures = ProcessFigures()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. StartFailed when the service cannot start or go on; also what the
        errand raises."""
        become_subreaper()
        raise_open_files()
        with Signals() as signals:
            self._loop.watch(signals, lambda: self._on_signals(signals.take()))
            try:
                self._start()
                self._tell_figures()
                while not (self._stopping and not self._fronts):
                    self._report.counted(len(self._fronts.serving), len(self._zygotes.usable()))
                    self._loop.turn()
            finally:
                self._fronts.close()
                if self._upgrade is not None:
                    self._upgrade.close()
                if self._errand is not None:
                    self._errand.close()
                if self._planner is not None:
                    self._planner.close()
                self._zygotes.close()
                self._loop.close()
                self._report.close()
        if self._failure is not None:
            raise StartFailed(self._failure)

    def _start(self) -> None:
        """All at once: a front imports for longer than everything else takes together."""
        if self._plan.errand is not None:
            try:
                self._errand = self._plan.errand()
            except OSError as error:
                self.on_hopeless(f"the child that sees to the control database could not start: {error}")
                return
        for _ in range(self._plan.fronts):
            self._fronts.start()
        for _ in range(self._plan.zygotes):
            self._zygotes.start()
        if self._planner is not None:
            self._planner.start()

    # -- what the children tell --------------------------------------------------------------------------

    def on_stands(self, identity: int) -> None:
        """A zygote stands: fronts meet it, and may serve from the first on."""
        if not self._stands:
            self._stands = True
            self._let_serve()
        self._fronts.introduce(identity)

    def on_retires(self, identity: int) -> None:
        """A zygote is worn, and its successor stands."""
        self._fronts.retire_zygote(identity)

    def on_proved(self, identity: object) -> None:
        """A front has run a program in a worker of this zygote."""
        self._zygotes.proved(identity)
        usable = self._zygotes.usable()
        if self._on_ready is not None and usable and self._fronts.proved >= self._plan.fronts:
            ready, self._on_ready = self._on_ready, None
            ready(self._zygotes.hello(usable[0]))
            self._report.ready()
            self._live()
            if self._hung_up:
                self._hang_up()

    def on_broken(self, identity: object) -> None:
        """No worker of this zygote can run a program."""
        self._zygotes.broken(identity)

    def on_planner(self) -> None:
        """The planner stands."""
        self._fronts.introduce_planner()

    def on_renewed(self, why_not: str | None) -> None:
        """All children have been replaced, or one could not be."""
        self._report.ready(why_not)

    def on_hopeless(self, why: str) -> None:
        """One kind of child cannot be had."""
        self._failure = self._failure or why
        self._stop()

    def _let_serve(self) -> None:
        if self._stands and self._errand is None:
            self._fronts.let_serve()

    def _tell_figures(self) -> None:
        with contextlib.suppress(OSError):  # no descriptor for a moment: the next look will do
            self._figures.tell()
        self._loop.after(_FIGURES_SECONDS, self._tell_figures)

    # -- signals and the end -----------------------------------------------------------------------------

    def _on_signals(self, numbers: frozenset[int]) -> None:
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            if self._stopping:
                self._fronts.cut()
            self._stop()
        elif signal.SIGHUP in numbers and not self._stopping:
            self._hang_up()
        self._reap()

    def _hang_up(self) -> None:
        if self._on_ready is not None:
            self._hung_up = True
            return
        self._report.renewing()
        self._renewal.ask()

    def _live(self) -> None:
        """Say so for as long as this loop turns and a front answers."""
        if self._report.watchdog is None:
            return
        if self._fronts.answers:
            self._report.alive()
        self._loop.after(self._report.watchdog, self._live)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (child := os.waitpid(-1, os.WNOHANG))[0]:
                self._reaped(*child)

    def _reaped(self, pid: int, status: int) -> None:
        if self._errand is not None and self._errand.pid == pid:
            if not self._stopping:  # whoever told us to stop may have told it too
                errand, self._errand = self._errand, None
                errand.reaped(status)
                self._let_serve()
        elif not any(children.reaped(pid, status) for children in self._reapers):
            self._zygotes.reaped(pid, status)

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._report.stopping(self._plan.drain)
        self._renewal.stop()
        self._zygotes.stop()
        if self._plan.own and self._plan.listener.family != socket.AF_UNIX:
            turn_away(self._plan.listener)
        self._fronts.stop()
        if self._planner is not None:
            self._planner.stop()  # fronts that finish what they serve may still ask it
        # Fronts hold it until they have taken who waits in its queue. Held here, it would keep new callers
        # waiting for nobody; closed, they are refused at once.
        self._plan.listener.close()
