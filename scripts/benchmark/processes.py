"""Starting and ending what is measured. Everything listens on loopback, on a port that the kernel chooses."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import orjson

from scripts.benchmark.load import Plan, Result

ROOT = Path(__file__).resolve().parent.parent.parent
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_LOAD_GRACE_SECONDS = 30.0
_READY = re.compile(r"ready at http://127\.0\.0\.1:(\d+)")


class BenchError(Exception):
    """What was to be measured could not be started or did not answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its port and its supervisor's process id."""

    port: int
    pid: int


def base_python() -> str:
    """The interpreter that zygotes are made from."""
    return getattr(sys, "_base_executable", sys.executable)


@contextmanager
def service(settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """``lars serve`` with default settings but these, whatever our environment, and without data unless they
    name a LARS_DATA_ROOT. BenchError when it cannot start."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "-m", "service", "serve", "--port", "0"]
    with tempfile.TemporaryFile() as log, data_root() as root:
        environ |= {"LARS_DATA_ROOT": str(root), **(settings or {})}
        process = _start(command, stdout=subprocess.PIPE, stderr=log, env=environ)
        try:
            yield Service(_port_of(process, log), process.pid)
        finally:
            _stop(process)


@contextmanager
def data_root() -> Iterator[Path]:
    """A directory on the disk that holds an operator's data by default: a sync there is a real one, while a
    temporary directory may be in memory. Gone at the end. BenchError when there is no room for it."""
    home = Path.home() / ".local" / "share"
    try:
        home.mkdir(parents=True, exist_ok=True)
        directory = tempfile.TemporaryDirectory(prefix="lars-bench-", dir=home)
    except OSError as error:
        raise BenchError(f"no data directory can be made in {home}: {error}") from error
    with directory as name:
        yield Path(name)


def make_key(root: Path, rates: Sequence[str]) -> str:
    """A key of the data root with every scope and these limits."""
    options = [word for text in rates for word in ("--rate", text)]
    command = [sys.executable, "-m", "service", "keys", "add", "--name", "bench", "--env", "test"]
    environ = {"PATH": os.environ.get("PATH", ""), "LARS_DATA_ROOT": str(root)}
    done = subprocess.run(
        [*command, "--scope", "*", *options],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"no key could be made: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


@contextmanager
def baseline_app() -> Iterator[int]:
    """The port of the echo and cold-start server."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        command = [sys.executable, "-m", "scripts.benchmark.baseline_app", str(listener.fileno())]
        process = _start(command, pass_fds=(listener.fileno(),))
        port = int(listener.getsockname()[1])
    try:
        yield port
    finally:
        _stop(process)


@contextmanager
def running(command: list[str], directory: str) -> Iterator[None]:
    """Some other program, for as long as this lasts. What it prints is thrown away."""
    process = _start(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        _stop(process)


def free_port() -> int:
    """One that nothing listens on now; for a program that cannot be handed a socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class ForkBaseline:
    """A process like the zygote that only forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def rate(self, in_flight: int, seconds: float) -> float:
        """Forks per second."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise BenchError("the fork baseline has no pipes")
        stdin.write(f"{in_flight} {seconds}\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise BenchError("the fork baseline has ended")
        return float(line)


@contextmanager
def fork_baseline() -> Iterator[ForkBaseline]:
    """Started as the supervisor starts a zygote, and not jailed."""
    script = Path(__file__).with_name("fork_baseline.py")
    paths = [str(ROOT), str(Path(orjson.__file__).parent.parent)]
    command = [base_python(), "-I", "-S", "-u", "-X", "utf8", str(script), *paths]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ForkBaseline(process)
        finally:
            _stop(process)


def load(plan: Plan) -> Result:
    """Run a load client to its end. BenchError when it fails or got no answer at all."""
    command = [sys.executable, "-m", "scripts.benchmark.load"]
    output = _run(command, plan.seconds + _LOAD_GRACE_SECONDS, orjson.dumps(asdict(plan)))
    result = Result(**orjson.loads(output))
    if not result.latencies:
        raise BenchError(f"nothing answered on port {plan.port}{plan.path}")
    return result


def pool_probe(count: int) -> list[float]:
    """Seconds that each of ``count`` programs took through a pool of its own, without HTTP."""
    output = _run([sys.executable, "-m", "scripts.benchmark.pool_probe", str(count)], _LOAD_GRACE_SECONDS)
    samples: list[float] = orjson.loads(output.splitlines()[-1])
    return samples


def _run(command: list[str], seconds: float, said: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            command, cwd=ROOT, input=said, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[2]} did not end within {seconds:.0f} s") from error
    if done.returncode != 0:
        raise BenchError(f"{command[2]} failed: {done.stderr.decode(errors='replace').strip()[-500:]}")
    return done.stdout


def _start(command: list[str], **options: object) -> subprocess.Popen[bytes]:
    options = {"cwd": ROOT, "stdin": subprocess.DEVNULL, **options}
    return subprocess.Popen(command, **options)  # type: ignore[call-overload, no-any-return]


def _port_of(process: subprocess.Popen[bytes], log: IO[bytes]) -> int:
    if process.stdout is None:
        raise BenchError("the service has no stdout")
    descriptor = process.stdout.fileno()
    deadline = time.monotonic() + _START_SECONDS
    said = b""
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(descriptor, 4096)
        said += chunk
        found = _READY.search(said.decode(errors="replace"))
        if found:
            return int(found[1])
        if not chunk:
            break
    log.seek(0)
    raise BenchError(f"the service did not start:\n{(said + log.read()).decode(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
