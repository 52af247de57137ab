"""A real ``python -m service serve`` with its process tree, for tests that kill parts of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.supervisor.processes import Process, children, process, tree

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0


def wait_until(ready: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Return when ``ready()`` is true; fail, naming ``what``, when that takes longer."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.005)


def environment(directory: Path, **variables: str) -> dict[str, str]:
    """What a service is started with: settings from ``variables`` only, temporary files in its ``tmp``,
    data in its ``data``."""
    (directory / "tmp").mkdir(exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
    paths = [path for path in (variables.pop("PYTHONPATH", ""), str(ROOT)) if path]
    own = {"TMPDIR": str(directory / "tmp"), "LARS_DATA_ROOT": str(directory / "data")}
    return clean | own | {"PYTHONPATH": os.pathsep.join(paths)} | variables


class Service:
    """A service that runs, or has run. ``directory`` holds its streams, and its tmp; ``descriptors`` are
    inherited by its main process."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        environ: dict[str, str],
        descriptors: Sequence[int] = (),
    ) -> None:
        self.directory = directory
        self._out, self._err = directory / "stdout", directory / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.popen = subprocess.Popen(
                command, cwd=directory, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                start_new_session=True, pass_fds=descriptors,
            )  # fmt: skip
        self.supervisor = process(self.popen.pid)

    @property
    def output(self) -> str:
        """Its stdout so far."""
        return self._out.read_text()

    @property
    def errors(self) -> str:
        """Its stderr so far."""
        return self._err.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The whole log lines among ``errors``: of the last, part may have been written."""
        *lines, _ = self.errors.split("\n")
        return [orjson.loads(line) for line in lines if line.startswith("{")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of this event."""
        return [line for line in self.log if line["event"] == name]

    @property
    def url(self) -> str:
        """Where it serves, known when it is ready."""
        return self.output.split("LARS is ready at ", 1)[1].split("\n", 1)[0]

    def wait_ready(self) -> None:
        """Return when it has said that it is ready, with a whole line."""
        wait_until(
            lambda: "curl" in self.output or self.popen.poll() is not None,
            "ready",
        )
        assert self.popen.poll() is None, self.errors

    @property
    def fronts(self) -> list[Process]:
        """Living front processes."""
        return [child for child in children(self.supervisor) if "service.front" in child.command]

    @property
    def zygotes(self) -> list[Process]:
        """Living zygotes; a launcher, which has the same command, is not in a PID namespace of its own."""
        mine = [child for child in children(self.supervisor) if "boot.py" in child.command]
        return [child for child in mine if child.is_first_in_its_namespace]

    @property
    def workers(self) -> list[Process]:
        """Living workers, idle and busy."""
        return [worker for zygote in self.zygotes for worker in children(zygote)]

    def execute(self, code: str, **members: object) -> httpx.Response:
        """POST /execute."""
        return httpx.post(f"{self.url}/execute", json={"code": code, **members}, timeout=PATIENCE)

    def answers(self) -> bool:
        """Whether a program runs."""
        return bool(self.execute("result = 42").json()["result"] == 42)

    def settle(self, idle: int) -> None:
        """Return when ``idle`` workers stand by and none is busy."""
        wait_until(lambda: len(self.workers) == idle, f"{idle} idle workers")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to the supervisor; its exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(PATIENCE)


@contextmanager
def ending(service: Service) -> Iterator[Service]:
    """A process tree that is all dead on return."""
    try:
        yield service
    finally:
        alive = tree(service.supervisor) if service.popen.poll() is None else []
        if alive:
            service.popen.kill()
        service.popen.wait(PATIENCE)
        wait_until(lambda: not any(member.lives for member in alive), "the process tree ends")


@contextmanager
def running(command: Sequence[str], directory: Path, **variables: str) -> Iterator[Service]:
    """The same, started for it."""
    directory.mkdir(exist_ok=True)
    with ending(Service(command, directory, environment(directory, **variables))) as service:
        yield service


@contextmanager
def serving(directory: Path, **variables: str) -> Iterator[Service]:
    """A service that is ready, on a port of the kernel's choice."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0"]
    with running(command, directory, **({"LARS_POOL_SIZE": "4"} | variables)) as service:
        service.wait_ready()
        yield service
