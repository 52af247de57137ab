"""Starting the planner: exec ``python -m sandbox_runtime.planner CONTROL KEYS`` with a channel to us and the
keys of language models, which nobody else has.

    us → planner    config, then front + one descriptor for each front that it meets, ping now and then,
                    and retire when another has its place: it ends when no front has a line to it
    planner → us    hello {ready, why, layers}   or   failed {message};   alive {} for each ping
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from sandbox_runtime.planning import PING, RETIRE, PlannerConfig, Standing
from sandbox_runtime.wire import WireError
from service.supervisor.introduction import introduce

LAUNCH_SECONDS = 30.0  # three libraries are imported, on a machine that may be busy
_LAST_SECONDS = 2.0  # to send the traces of what it did
_MESSAGE_BYTES = 64 * 1024
_INHERITED = (
    *("PATH", "LANG", "PYTHONPATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"),
)


class PlannerNotStarted(Exception):
    """The planner could not start; the text says why."""


@dataclass(frozen=True, slots=True)
class PlannerSpec:
    """What every planner of this service is made from. ``keys``: a descriptor (``service.handover``).
    ``environ``: all that its environment says. ``module``: what is run."""

    config: PlannerConfig
    keys: int
    environ: Mapping[str, str]
    module: str = "sandbox_runtime.planner"


def planner_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """What of the service's environment is the planner's: nothing that its libraries would take for a setting
    of theirs, but where traces go and how."""
    return {name: value for name, value in environ.items() if name in _INHERITED or name.startswith("OTEL_")}


class PlannerProcess:
    """One planner. ``standing``: what it has said of itself, None until then. ``unanswered``: pings since it
    was heard. ``why`` it was killed, where it was. OSError when it cannot be started."""

    def __init__(self, spec: PlannerSpec) -> None:
        self.standing: Standing | None = None
        self.unanswered = 0
        self.why: str | None = None
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)  # a planner that does not read must not stop the supervisor
        try:
            with theirs:
                self._process = _exec_planner(spec, theirs.fileno())
        except OSError:
            self.control.close()
            raise
        self.pid = self._process.pid
        with contextlib.suppress(OSError):  # it died at once: its end of file says so
            self.control.send(orjson.dumps(spec.config))

    def receive(self) -> Standing | None:
        """Its hello, also when it is only alive; None when its end is closed. PlannerNotStarted. Call when
        ``control`` is readable."""
        try:
            message = self.control.recv(_MESSAGE_BYTES)
        except OSError:
            return None
        if not message:
            return None
        self.unanswered = 0
        try:
            body = orjson.loads(message)
            if self.standing is not None and body["t"] == "alive":
                return self.standing
            if body["t"] != "hello":
                raise PlannerNotStarted(str(body["message"]))
            self.standing = Standing.from_wire(body)
        except (WireError, ValueError, KeyError, TypeError) as error:
            raise PlannerNotStarted(f"unexpected message {message!r:.200}") from error
        return self.standing

    def line(self) -> socket.socket:
        """A new line to it; the returned end is for a front. OSError when it is gone or does not read."""
        return introduce(self.control, socket.SOCK_STREAM)

    def ping(self) -> None:
        """Have it say that it is alive. One whose socket is full, or that is gone, will not."""
        self.unanswered += 1
        with contextlib.suppress(OSError):
            self.control.send(PING)

    def retire(self) -> None:
        """Let it end by itself when it has answered all that it was asked."""
        with contextlib.suppress(OSError):
            self.control.send(RETIRE)

    def kill(self) -> None:
        """SIGKILL; it is our unreaped child, so the pid is its."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def reaped(self, status: int) -> None:
        """It has been waited for; close what we have of it."""
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.control.close()

    def end(self) -> None:
        """Ask it to end, see to it that it does, and wait for that."""
        self._process.terminate()
        try:
            self._process.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.control.close()


@contextlib.contextmanager
def standing_planner(spec: PlannerSpec) -> Iterator[tuple[PlannerProcess, Standing]]:
    """One, and what it has said of itself; ended with the block. Blocks. PlannerNotStarted."""
    try:
        process = PlannerProcess(spec)
    except OSError as error:
        raise PlannerNotStarted(f"its Python cannot be run: {error}") from error
    try:
        if not select.select([process.control], [], [], LAUNCH_SECONDS)[0]:
            raise PlannerNotStarted(f"it did not stand within {LAUNCH_SECONDS:g} s")
        standing = process.receive()
        if standing is None:
            raise PlannerNotStarted("it ended before it stood; its last lines say why")
        yield process, standing
    finally:
        process.end()


def ask_standing(spec: PlannerSpec) -> Standing:
    """What one says of itself that is started for it, and ended. Blocks. PlannerNotStarted."""
    with standing_planner(spec) as (_, standing):
        return standing


def _exec_planner(spec: PlannerSpec, control: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", spec.module, str(control), str(spec.keys)],
        pass_fds=(control, spec.keys),
        stdin=subprocess.DEVNULL,
        stdout=2,  # ours is for who starts the service
        env=dict(spec.environ),
        process_group=0,  # Ctrl-C is for the supervisor; fronts that finish what they serve may still ask
    )
