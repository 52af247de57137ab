"""Starting one zygote: exec a fresh base Python, send it its jail, learn what came into force.

Both sides of the start are in ``sandbox_runtime/zygote.py`` and here:

    us → launcher   config (layers, BPF, ceilings, modules)
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

_MESSAGE_BYTES = 512 * 1024
_LAUNCH_SECONDS = 20.0


class ZygoteFailed(Exception):
    """The zygote could not start; the text says which step of what failed."""


@dataclass(frozen=True, slots=True)
class ZygoteSpec:
    """What every zygote of this service is made from. BPF programs as bytes, ceilings in bytes and counts."""

    zygote_filter: bytes
    worker_filter: bytes
    scratch: int
    open_files: int
    threads: int
    forks: int = 50_000
    layers: frozenset[Layer] = field(default_factory=lambda: frozenset(Layer))

    def message(self) -> bytes:
        """The config message."""
        return orjson.dumps(
            {
                "layers": [layer.value for layer in self.layers],
                "filters": {"zygote": self.zygote_filter.hex(), "worker": self.worker_filter.hex()},
                "ceilings": {"scratch": self.scratch, "open_files": self.open_files, "threads": self.threads},
                "forks": self.forks,
            }
        )


@dataclass(frozen=True, slots=True)
class Hello:
    """What a zygote says of itself when it stands."""

    layers: tuple[LayerState, ...]
    modules: tuple[str, ...]


class Zygote:
    """One zygote process: start, introduce fronts to it, retire it, kill it."""

    def __init__(self, spec: ZygoteSpec) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(_LAUNCH_SECONDS)
        with theirs:
            self._launcher = _exec_python(theirs)
        self.control.send(spec.message())
        self.pid = self._launched()
        self.pidfd = os.pidfd_open(self.pid)
        self.control.send(b"go")

    def hello(self) -> Hello:
        """Its first words. ZygoteFailed when it could not start. Waits; call when ``control`` is readable."""
        body = self._receive()
        if body.get("t") != "hello":
            raise ZygoteFailed(str(body.get("message", body)))
        modules = body["modules"]
        if not isinstance(modules, list):
            raise ZygoteFailed("hello without modules")
        return Hello(states_from_json(body["layers"]), tuple(modules))

    def introduce(self) -> socket.socket:
        """A new channel to this zygote; the returned end is for a front."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self.control, [b"front"], [theirs.fileno()])
        return ours

    def retire(self) -> None:
        """Let it end by itself when the last front has let go of it."""
        with contextlib.suppress(OSError):
            self.control.send(b"retire")

    def kill(self) -> None:
        """SIGKILL; as PID 1 of their namespace it takes its workers with it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Kill it, reap it, close our descriptors. It must still be our unreaped child."""
        self.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.forget()

    def forget(self) -> None:
        """Close our descriptors of a zygote that has been reaped."""
        self.control.close()
        os.close(self.pidfd)

    def _launched(self) -> int:
        try:
            body = self._receive()
            if body.get("t") != "launched" or not isinstance(body.get("pid"), int):
                raise ZygoteFailed(str(body.get("message", body)))
        except ZygoteFailed:
            self.control.close()
            self._launcher.kill()
            self._launcher.wait()
            raise
        self._launcher.wait()
        return int(body["pid"])

    def _receive(self) -> dict[str, object]:
        try:
            message = self.control.recv(_MESSAGE_BYTES)
        except (TimeoutError, ConnectionError) as error:
            raise ZygoteFailed(f"no word from the zygote: {error}") from error
        if not message:
            raise ZygoteFailed("the zygote ended before it was ready; its stderr says why")
        body = orjson.loads(message)
        if not isinstance(body, dict):
            raise ZygoteFailed(f"unexpected message {body!r}")
        return body


def _exec_python(control: socket.socket) -> subprocess.Popen[bytes]:
    """The base interpreter, not the virtual environment's, with nothing but our package and orjson to import."""
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
        env={"LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        cwd="/",
    )
