"""The set of zygotes: start, check against the floor, replace when worn, dead or asked to, give up when none
starts.

A zygote is ``starting`` until its hello and ``standing`` after it. It has proved itself when a front has run
a program in one of its workers; until then its failures are failures to start. One that is to have another's
place for no need keeps that one from nothing until it has proved itself.
"""

from __future__ import annotations

import os
import socket
import time
from functools import partial
from typing import Protocol

import structlog

from sandbox_runtime.layers import Layer, below_floor
from service.supervisor.loop import Loop
from service.supervisor.restarts import LONGEST_WAIT, Restarts
from service.supervisor.zygote import LAUNCH_SECONDS, Hello, Zygote, ZygoteFailed, ZygoteSpec
from service.supervisor.zygote_entries import Standing, Starting, Then
from service.telemetry.catalog import RESTARTS, ZYGOTES

log = structlog.get_logger(__name__)
_PROOF_SECONDS = 30.0
_LOOK_AGAIN = 0.1  # seconds


class Listener(Protocol):
    """Whom the set tells."""

    def on_stands(self, identity: int) -> None: ...
    def on_retires(self, identity: int) -> None: ...
    def on_hopeless(self, why: str) -> None: ...


class Zygotes:
    """All zygotes of one service. ``newest``: the identity of the one that was started last."""

    def __init__(self, loop: Loop, spec: ZygoteSpec, floor: tuple[Layer, ...], listener: Listener) -> None:
        self._loop = loop
        self._spec = spec
        self._floor = floor
        self._listener = listener
        self._restarts = Restarts()
        self.newest = 0
        self._starting: dict[int, Starting] = {}
        self._standing: dict[int, Standing] = {}
        self._any_proved = False
        self._stopped = False

    def start(self, replaces: int | None = None, then: Then | None = None) -> None:
        """Start one, instead of the zygote ``replaces`` where that is given."""
        if self._stopped:
            return
        try:
            zygote = Zygote(self._spec)
        except ZygoteFailed as error:
            self._failed(error, replaces, then)
            return
        identity = self.newest = self.newest + 1
        self._starting[identity] = Starting(zygote, replaces, then)
        self._loop.watch(zygote.control, partial(self._advance, identity))
        self._loop.after(LAUNCH_SECONDS, partial(self._too_slow, identity))

    def older(self, newest: int) -> list[int]:
        """The identities of those up to ``newest`` that have no successor on its way."""
        standing = (name for name, entry in self._standing.items() if not (entry.retiring or entry.followed))
        return [identity for identity in (*self._starting, *standing) if identity <= newest]

    def renew(self, identity: int, then: Then) -> None:
        """Start another in the place of this one, which it keeps until that one has proved itself. ``then``
        is told why none does, or None."""
        entry = self._standing.get(identity)
        if entry is not None:
            entry.followed = True
            self.start(identity, then)
        else:  # it is only starting, or has just died
            self._loop.after(_LOOK_AGAIN, partial(then, None))

    def usable(self) -> list[int]:
        """The identities of those that fronts may ask for workers."""
        return [identity for identity, entry in self._standing.items() if not entry.retiring]

    def hello(self, identity: int) -> Hello:
        """What a standing zygote said of itself."""
        return self._standing[identity].hello

    def has_proved(self, identity: int) -> bool:
        """Whether a program has run in a worker of it, for some front."""
        return self._standing[identity].proved

    def introduce(self, identity: int) -> socket.socket:
        """A channel to it, for a front. OSError when it is gone."""
        return self._standing[identity].zygote.introduce()

    def proved(self, identity: object) -> None:
        """A front says that it has run a program in a worker of it."""
        entry = self._standing.get(identity) if isinstance(identity, int) else None
        if entry is not None:
            entry.proved = self._any_proved = True
            self._restarts.proved()
            if entry.heir is not None:
                (former, then), entry.heir = entry.heir, None
                if former in self._standing:
                    self._retire(former)
                then(None)

    def broken(self, identity: object) -> None:
        """A front says that no worker of it can run a program: a failure to start, whoever noticed it."""
        entry = self._standing.get(identity) if isinstance(identity, int) else None
        if entry is None or entry.restart_in is not None or entry.retiring:
            return
        if entry.heir is not None:
            self._unproved(entry)
            return
        delay = self._restarts.could_not_start()
        if delay is None or not self._any_proved:
            self._listener.on_hopeless("no worker could run a program; the lines above name the step")
            return
        RESTARTS.add("zygote", "broken")
        log.error("zygote_broken", pid=entry.zygote.pid, restart_in=delay)
        entry.restart_in = delay
        entry.zygote.kill()

    def reaped(self, pid: int, status: int) -> None:
        """A child that is no front has been waited for."""
        for identity, entry in list(self._standing.items()):
            if entry.zygote.pid == pid:
                self._ended(identity, os.waitstatus_to_exitcode(status))

    def stop(self) -> None:
        """Start no more."""
        self._stopped = True

    def close(self) -> None:
        """End all of them."""
        self.stop()
        starting = [entry.zygote for entry in self._starting.values()]
        for zygote in (*starting, *(entry.zygote for entry in self._standing.values())):
            self._loop.mute(zygote.control)
            zygote.close()
        self._starting.clear()
        self._standing.clear()

    # -- starting ----------------------------------------------------------------------------------------

    def _advance(self, identity: int) -> None:
        entry = self._starting[identity]
        try:
            hello = entry.zygote.advance()
            if hello is not None:
                self._check_floor(hello)
        except ZygoteFailed as error:
            self._abandon(identity, error)
            return
        if hello is not None:
            self._stands(identity, hello)

    def _check_floor(self, hello: Hello) -> None:
        missing = below_floor(hello.layers, self._floor)
        if missing:
            reasons = "; ".join(f"{state.layer}: {state.reason} ({state.remedy})" for state in missing)
            raise ZygoteFailed(f"isolation is below LARS_SANDBOX_FLOOR: {reasons}")

    def _too_slow(self, identity: int) -> None:
        if identity in self._starting:
            self._abandon(identity, ZygoteFailed(f"it did not stand within {LAUNCH_SECONDS:g} s"))

    def _abandon(self, identity: int, error: ZygoteFailed) -> None:
        entry = self._starting.pop(identity)
        self._loop.mute(entry.zygote.control)
        entry.zygote.close()
        self._failed(error, entry.replaces, entry.then)

    def _failed(self, error: ZygoteFailed, replaces: int | None, then: Then | None = None) -> None:
        if then is not None:
            self._keep(replaces)
            then(str(error))
            return
        delay = self._restarts.could_not_start()
        if delay is None and self.usable():
            # Those that stand serve, also a worn one. What their workers use of the cgroup may be all that
            # another would need to start.
            delay = LONGEST_WAIT
        if delay is None or not self._any_proved:
            self._listener.on_hopeless(f"the sandbox could not start: {error}")
            return
        RESTARTS.add("zygote", "could_not_start")
        log.error("zygote_could_not_start", reason=str(error), restart_in=delay)
        self._loop.after(delay, partial(self.start, replaces))

    def _keep(self, identity: int | None) -> None:
        """The zygote that was to be replaced for no need; or another in its place, if it is needed by now."""
        if identity is None or identity not in self._standing:
            self.start()
            return
        entry = self._standing[identity]
        entry.followed = False
        if entry.worn:
            self._follow(identity)

    # -- standing ----------------------------------------------------------------------------------------

    def _stands(self, identity: int, hello: Hello) -> None:
        entry = self._starting.pop(identity)
        zygote = entry.zygote
        standing = self._standing[identity] = Standing(zygote, hello)
        ZYGOTES.set(len(self._standing))
        if zygote.pid is not None:
            self._restarts.started(zygote.pid, time.monotonic())
        self._loop.mute(zygote.control)
        self._loop.watch(zygote.control, partial(self._hear, identity))
        if entry.replaces is not None and entry.then is not None:
            standing.heir = entry.replaces, entry.then
            self._loop.after(_PROOF_SECONDS, partial(self._unproved, standing))
        self._listener.on_stands(identity)
        if standing.heir is None and entry.replaces is not None and entry.replaces in self._standing:
            self._retire(entry.replaces)

    def _unproved(self, entry: Standing) -> None:
        if entry.heir is not None:
            entry.zygote.kill()

    def _hear(self, identity: int) -> None:
        entry = self._standing[identity]
        try:
            message = entry.zygote.control.recv(64)
        except OSError:
            message = b""
        if message == b"worn":
            entry.worn = True
            if not entry.followed:
                self._follow(identity)
        elif not message:
            self._lost(identity)

    def _follow(self, identity: int) -> None:
        """The replacement first: it stands before the worn one is let go."""
        self._standing[identity].followed = True
        RESTARTS.add("zygote", "worn")
        self.start(replaces=identity)

    def _lost(self, identity: int) -> None:
        """It has closed its end, so it is dying. SIGCHLD will say so, unless that came before its hello."""
        zygote = self._standing[identity].zygote
        self._loop.mute(zygote.control)
        try:
            os.waitid(os.P_PID, zygote.pid or 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            self._ended(identity, None)

    def _retire(self, identity: int) -> None:
        entry = self._standing[identity]
        entry.retiring = True
        self._listener.on_retires(identity)
        entry.zygote.retire()

    def _ended(self, identity: int, exit_code: int | None) -> None:
        entry = self._standing.pop(identity)
        ZYGOTES.set(len(self._standing))
        pid = entry.zygote.pid or 0
        self._loop.mute(entry.zygote.control)
        entry.zygote.forget()
        if self._stopped or entry.retiring:
            self._restarts.ended(pid)
            return
        if entry.heir is not None:
            self._restarts.ended(pid)
            former, then = entry.heir
            why = f"it ended with exit code {exit_code}, or was ended, before a program had run in it"
            self._failed(ZygoteFailed(why), former, then)
        elif entry.followed:
            self._restarts.ended(pid)
        elif entry.restart_in is not None:
            self._loop.after(entry.restart_in, self.start)
        elif not entry.proved:
            why = f"it ended with exit code {exit_code} before it had run a program"
            self._failed(ZygoteFailed(why), None)
        else:
            delay = self._restarts.died(pid, time.monotonic())
            RESTARTS.add("zygote", "died")
            log.error("zygote_died", pid=pid, exit_code=exit_code, restart_in=delay)
            self._loop.after(delay, self.start)
