"""Starting one zygote: exec a fresh base Python, send it its jail, learn what came into force.

Both sides of the start are in ``sandbox_runtime/zygote.py`` and here:

    us → launcher   config (layers, BPF, ceilings, forks), once it is in its cgroup; a descriptor of that
                    one's memory.events, where it has one
    launcher → us   launched {pid}       then it exits; we reap it and thereby become the zygote's parent
    us → zygote     go
    zygote → us     hello {layers, modules}   or, at any point,   failed {message}
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import orjson

import sandbox_runtime
from sandbox_runtime.layers import Layer, LayerState, states_from_json
from service.cgroup.quarters import Quarters
from service.supervisor.introduction import introduce

_MESSAGE_BYTES = 512 * 1024
LAUNCH_SECONDS = 20.0
# All that a zygote's environment says. Numerical libraries must start no threads in a process that forks; one
# malloc arena, because each more would take 64 MB of a program's address space with its first thread.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class ZygoteFailed(Exception):
    """The zygote could not start; the text says which step of what failed."""


@dataclass(frozen=True, slots=True)
class ZygoteSpec:
    """What every zygote of this service is made from. BPF programs as bytes, ceilings in bytes and counts.
    ``quarters``: where it lives with its workers."""

    zygote_filter: bytes
    worker_filter: bytes
    scratch: int
    file_size: int
    open_files: int
    threads: int
    forks: int = 50_000
    layers: frozenset[Layer] = field(default_factory=lambda: frozenset(Layer))
    quarters: Quarters = field(default_factory=Quarters)

    def message(self) -> bytes:
        """The config message."""
        return orjson.dumps(
            {
                "layers": [layer.value for layer in self.layers],
                "filters": {"zygote": self.zygote_filter.hex(), "worker": self.worker_filter.hex()},
                "ceilings": {
                    "scratch": self.scratch,
                    "file_size": self.file_size,
                    "open_files": self.open_files,
                    "threads": self.threads,
                },
                "forks": self.forks,
                "cgroup": self.quarters.state.as_json(),
            }
        )


@dataclass(frozen=True, slots=True)
class Hello:
    """What a zygote says of itself when it stands."""

    layers: tuple[LayerState, ...]
    modules: tuple[str, ...]


class Zygote:
    """One zygote process: start, introduce fronts to it, retire it, kill it.

    Starting takes two messages from it: call ``advance`` when ``control`` is readable, until it says hello.
    """

    def __init__(self, spec: ZygoteSpec) -> None:
        """ZygoteFailed when the base Python cannot be run, or has no place to live."""
        self.pid: int | None = None
        self._pidfd: int | None = None
        self._quarters = spec.quarters
        try:
            self._room = spec.quarters.room()
        except OSError as error:
            raise ZygoteFailed(f"no cgroup can be made for a zygote: {error}") from error
        try:
            self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as error:
            self._quarters.clear(self._room)
            raise ZygoteFailed(f"no channel to a zygote can be made: {error}") from error
        self.control.settimeout(LAUNCH_SECONDS)
        try:
            with theirs:
                self._launcher = _exec_python(theirs)
        except OSError as error:
            self.forget()
            raise ZygoteFailed(f"the base Python cannot be run: {error}") from error
        self._begin(spec)

    def _begin(self, spec: ZygoteSpec) -> None:
        """It gets no word, and so forks nothing, before it is where it belongs."""
        events = None
        try:
            if self._room is not None:
                with contextlib.suppress(ProcessLookupError):  # it died at once: its end of file says so
                    self._room.take_in(self._launcher.pid)
                events = self._room.open_events()
        except OSError as error:
            self.close()
            raise ZygoteFailed(f"the zygote cannot be moved into its cgroup: {error}") from error
        with contextlib.suppress(OSError):  # it died at once
            socket.send_fds(self.control, [spec.message()], [] if events is None else [events])
        if events is not None:
            os.close(events)

    def advance(self) -> Hello | None:
        """Take its next message: its hello, or None when there is one more to come. ZygoteFailed when it
        could not start; then ``close`` it."""
        body = self._receive()
        if self.pid is None:
            self._launched(body)
            return None
        if body.get("t") != "hello":
            raise ZygoteFailed(str(body.get("message", body)))
        return _hello(body)

    def hello(self) -> Hello:
        """``advance`` to its hello. Blocks."""
        while (hello := self.advance()) is None:
            continue
        return hello

    def introduce(self) -> socket.socket:
        """A new channel to this zygote; the returned end is for a front. OSError when it is gone."""
        return introduce(self.control, socket.SOCK_SEQPACKET)

    def retire(self) -> None:
        """Let it end by itself when the last front has let go of it."""
        with contextlib.suppress(OSError):
            self.control.send(b"retire")

    def kill(self) -> None:
        """SIGKILL; as PID 1 of their namespace it takes its workers with it, and so does its cgroup."""
        if self._room is not None:
            self._room.kill()
        if self._pidfd is None:
            self._launcher.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Kill it, reap it, close our descriptors."""
        self.kill()
        self._launcher.wait()
        if self.pid is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        self.forget()

    def forget(self) -> None:
        """Close our descriptors of a zygote that has been reaped, and give its cgroup back."""
        self._quarters.clear(self._room)
        self._room = None
        self.control.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None

    def _launched(self, body: dict[str, object]) -> None:
        pid = body.get("pid")
        if body.get("t") != "launched" or not isinstance(pid, int):
            raise ZygoteFailed(str(body.get("message", body)))
        self._launcher.wait()
        try:
            self._pidfd = os.pidfd_open(pid)
            self.pid = pid
            self.control.send(b"go")
        except OSError as error:
            raise ZygoteFailed(f"the zygote ended as it was launched: {error}") from error

    def _receive(self) -> dict[str, object]:
        try:
            message = self.control.recv(_MESSAGE_BYTES)
        except (TimeoutError, ConnectionError) as error:
            raise ZygoteFailed(f"no word from the zygote: {error}") from error
        if not message:
            raise ZygoteFailed("the zygote ended before it was ready; its stderr says why")
        try:
            body = orjson.loads(message)
        except ValueError as error:
            raise ZygoteFailed(f"its message is no JSON: {error}") from error
        if not isinstance(body, dict):
            raise ZygoteFailed(f"unexpected message {body!r}")
        return body


def _hello(body: dict[str, object]) -> Hello:
    """ZygoteFailed for one that this program does not understand: the zygote runs what is on the disk now."""
    try:
        modules = body["modules"]
        if not isinstance(modules, list):
            raise TypeError("its modules are no list")
        return Hello(states_from_json(body["layers"]), tuple(modules))
    except (KeyError, TypeError, ValueError) as error:
        raise ZygoteFailed(
            f"its hello is of another version than this process; restart it ({error!r})"
        ) from error


def _exec_python(control: socket.socket) -> subprocess.Popen[bytes]:
    """The base interpreter, not the virtual environment's, with only our package and orjson to import."""
    package = Path(sandbox_runtime.__file__).parent
    orjson_at = Path(orjson.__file__).parent.parent
    python = getattr(sys, "_base_executable", sys.executable)
    return subprocess.Popen(
        [
            python,
            *("-I", "-S", "-u", "-X", "utf8"),
            str(package / "boot.py"),
            str(control.fileno()),
            str(package.parent),
            str(orjson_at),
        ],
        pass_fds=(control.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
    )
