"""The supervisor of a host's workers: ``python -m service.embedding.supervisor CONTROL``, a child of an
application that serves functions. It has zygotes and no front: the host asks them itself.

    host → us    plan, then as a supervisor is told by a front (``service.supervisor.guest``)
    us → host    as to a front, and at most once hopeless {why}

It ends when the host's end of ``CONTROL`` is closed, and with the host however that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys

import orjson

from seccomp import CompilerUnavailableError, ProfileError
from service.embedding.plan import PLAN_BYTES, Plan
from service.sandbox_spec import spec_of
from service.supervisor.guest import Guest
from service.supervisor.kernel import (
    become_subreaper,
    die_with_parent,
    forbid_core_dumps,
    raise_open_files,
)
from service.supervisor.loop import Loop, Signals
from service.supervisor.zygote import ZygoteSpec
from service.supervisor.zygotes import Zygotes
from service.telemetry.logs import configure_logging


class EmbeddedSupervisor:
    """Zygotes for one guest, which is the host."""

    def __init__(self, host: Guest, plan: Plan, spec: ZygoteSpec) -> None:
        self._host = host
        self._count = plan.zygotes
        self._loop = Loop()
        self._zygotes = Zygotes(self._loop, spec, plan.floor, self)
        self._stopping = False
        self._failed = False

    def run(self) -> int:
        """Until the host has closed its end, or SIGTERM. Exit status 1 when no zygote can be had."""
        with Signals() as signals:
            self._loop.watch(signals, lambda: self._on_signals(signals.take()))
            self._loop.watch(self._host.control, self._hear)
            try:
                for _ in range(self._count):
                    self._zygotes.start()
                while not self._stopping:
                    self._loop.turn()
            finally:
                self._zygotes.close()
                self._loop.close()
        return 1 if self._failed else 0

    # -- what zygotes tell -------------------------------------------------------------------------------

    def on_stands(self, identity: int) -> None:
        """The host meets it."""
        if self._host.said_hello:
            self._introduce(identity)

    def on_retires(self, identity: int) -> None:
        """It is worn, and its successor stands."""
        try:
            self._host.retire_zygote(identity)
        except OSError:
            self._stopping = True

    def on_hopeless(self, why: str) -> None:
        """The host is told, and may try again with another supervisor."""
        tell_hopeless(self._host.control, why)
        self._failed = self._stopping = True

    # -- what the host tells -----------------------------------------------------------------------------

    def _hear(self) -> None:
        body = self._host.receive()
        if body is None:
            self._stopping = True
            return
        kind, identity = body.get("t"), body.get("id")
        if kind == "hello":
            self._host.said_hello = True
            for known in self._zygotes.usable():
                self._introduce(known)
        elif kind == "proven":
            self._zygotes.proved(identity)
        elif kind == "broken":
            self._zygotes.broken(identity)

    def _introduce(self, identity: int) -> None:
        try:
            self._host.meet(self._zygotes, identity)
        except OSError:  # gone, or its loop has stood still for so long that the socket is full
            self._stopping = True

    # -- signals -----------------------------------------------------------------------------------------

    def _on_signals(self, numbers: frozenset[int]) -> None:
        if numbers & {signal.SIGTERM, signal.SIGINT}:
            self._stopping = True
        with contextlib.suppress(ChildProcessError):
            while (child := os.waitpid(-1, os.WNOHANG))[0]:
                self._zygotes.reaped(*child)


def tell_hopeless(control: socket.socket, why: str) -> None:
    """The last message."""
    with contextlib.suppress(OSError):
        control.send(orjson.dumps({"t": "hopeless", "why": why}))


def main() -> int:
    """Entry point of the process. What a host may have blocked or made its children inherit is undone."""
    die_with_parent(signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    text = control.recv(PLAN_BYTES)
    if not text:
        return 0
    plan = Plan.from_json(text)
    configure_logging(plan)
    forbid_core_dumps()
    become_subreaper()
    raise_open_files()
    try:
        spec = spec_of(plan.sizes)
    except (ProfileError, CompilerUnavailableError) as error:
        tell_hopeless(control, str(error))
        return 1
    return EmbeddedSupervisor(Guest(control), plan, spec).run()


if __name__ == "__main__":
    sys.exit(main())
