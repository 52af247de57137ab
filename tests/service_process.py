"""A real service: ``python -m service serve`` in its own process, spoken to over TCP, ended with SIGTERM."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support import wait_until

ROOT = Path(__file__).resolve().parent.parent
_READY = re.compile(rb"^LARS is ready at (http://\S+)$", re.MULTILINE)
STOP_SECONDS = 20.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once: never used, and costly to make for each client


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its URL, its main process, and the file its log goes to."""

    url: str
    pid: int
    log: Path

    def client(self, **options: Any) -> httpx.Client:
        """A client of this service; close it."""
        return httpx.Client(base_url=self.url, timeout=40.0, trust_env=False, verify=NO_TLS, **options)

    def execute(self, code: str, **fields: Any) -> httpx.Response:
        """One POST /execute on a connection of its own."""
        with self.client() as client:
            return client.post("/execute", json={"code": code, **fields})

    def ran(self, code: str, **fields: Any) -> dict[str, Any]:
        """The reply to a program that ran; fails for any status but 200."""
        response = self.execute(code, **fields)
        assert response.status_code == 200, response.text
        body = response.json()
        assert isinstance(body, dict)
        return body

    def log_lines(self) -> list[dict[str, Any]]:
        """Every whole line that the service has logged."""
        text = self.log.read_text("utf-8")
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def requests_logged(self, request_id: str) -> list[dict[str, Any]]:
        """The access lines of one request; waits for the first, which is written after the answer."""

        def found() -> list[dict[str, Any]]:
            lines = self.log_lines()
            return [x for x in lines if x["event"] == "request" and x["request_id"] == request_id]

        wait_until(lambda: bool(found()), f"a log line of {request_id}")
        return found()


@contextmanager
def running_service(directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[Service]:
    """Start it, wait for its ready line, yield; then SIGTERM, exit status 0, and no process of it left."""
    log, out = directory / "service.log", directory / "service.out"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
    own = {"LARS_LOG_FORMAT": "json", "LARS_ZYGOTES": "1", "LARS_DATA_ROOT": str(directory / "data")}
    environ |= {**own, **(settings or {})}
    with log.open("wb") as stderr, out.open("wb") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", "0", "--host", "127.0.0.1"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        service = Service(_ready_url(process, out, log), process.pid, log)
        family = descendants(process.pid)
        assert family, "a service without children"
        yield service
        family |= descendants(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert status == 0, log.read_text("utf-8")
    wait_until(lambda: not alive(family), f"the end of {family}", STOP_SECONDS)


def _ready_url(process: subprocess.Popen[bytes], out: Path, log: Path) -> str:
    wait_until(
        lambda: process.poll() is not None or bool(_READY.search(out.read_bytes())), "the ready line", 30
    )
    found = _READY.search(out.read_bytes())
    assert found, f"exit {process.poll()}: {log.read_text('utf-8')}"
    return found[1].decode()


def descendants(pid: int) -> set[tuple[int, int]]:
    """Every process below ``pid`` as (pid, start time), which no later process repeats."""
    found: set[tuple[int, int]] = set()
    todo = [pid]
    while todo:
        tasks = Path(f"/proc/{todo.pop()}/task")
        try:
            names = os.listdir(tasks)
        except OSError:  # it has ended meanwhile
            continue
        for name in names:
            try:
                children = [int(child) for child in (tasks / name / "children").read_text().split()]
            except OSError:
                continue
            found |= {(child, started) for child in children if (started := _started(child))}
            todo += children
    return found


def alive(processes: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of ``processes`` that still run."""
    return {(pid, started) for pid, started in processes if _started(pid) == started}


def _started(pid: int) -> int | None:
    """proc_pid_stat(5): field 22, in clock ticks; None for a process that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
