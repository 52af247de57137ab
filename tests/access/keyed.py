"""A real service whose keys the command line makes, and requests on connections of their own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx

from tests.service_process import ROOT, Service, descendants, running_service

COMMAND_SECONDS = 30.0
AT_ONCE = 1.0  # seconds within which a change counts in every front
PROBE = "/_/keys"  # a key without the scope admin is told so before anything of it is counted


def lars(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``lars`` over the data root ``data``, with no other setting but ``variables``."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env={**environ, "LARS_DATA_ROOT": str(data), **variables},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def make_key(data: Path, *options: str, **variables: str) -> str:
    """A key's text, from ``lars keys add``."""
    done = lars(data, "keys", "add", "--name", "a caller", "--env", "prod", *options, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def id_of(key: str) -> str:
    """The part of a key that may be shown."""
    return key.split("_")[2]


def with_key(key: str | None) -> dict[str, str]:
    """The header that carries it."""
    return {} if key is None else {"X-API-Key": key}


class Lines:
    """Connections to the fronts of a service, which closes those that have been idle for long."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stack = ExitStack()
        self._open: dict[int, HTTPConnection] = {}

    def open(self) -> Mapping[int, HTTPConnection]:
        """One to each front, by its process id: those that were opened before, if none was closed."""
        if not self._open or any(is_closed(connection) for connection in self._open.values()):
            self.close()
            self._open = connections_to_fronts(self._service, self._stack)
        return self._open

    def close(self) -> None:
        """All of them."""
        self._stack.close()
        self._open = {}


def is_closed(connection: HTTPConnection) -> bool:
    """Whether the other end is: nothing else can be read while no answer is due."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


@dataclass(frozen=True, slots=True)
class Keyed:
    """A running service, its data root, a key with every scope, and connections to its fronts."""

    service: Service
    data: Path
    all: str
    lines: Lines

    def key(self, **fields: object) -> str:
        """One more, with these members of POST /_/keys."""
        made = self.ask(self.all, "/_/keys", "POST", json={"name": "a caller", "env": "prod", **fields})
        assert made.status_code == 201, made.text
        return str(made.json()["key"])

    @property
    def fronts(self) -> Mapping[int, HTTPConnection]:
        """A connection to each front, by its process id."""
        return self.lines.open()

    def settled(self, key: str, code: str) -> None:
        """Within a second every front answers this key with this code."""
        deadline = time.monotonic() + AT_ONCE
        for pid, connection in self.fronts.items():
            while (given := code_on(connection, key)) != code:
                assert time.monotonic() < deadline, f"front {pid} still says {given}"

    def codes(self, key: str) -> set[str]:
        """What the fronts answer to the probe, all of which are asked at once."""
        with ThreadPoolExecutor() as pool:
            return {*pool.map(lambda connection: code_on(connection, key), self.fronts.values())}

    def code(self, key: str | None, path: str = "/_/plans", method: str = "GET", **options: Any) -> str:
        """``ok``, or the error's code, of a request on a connection of its own."""
        answer = self.ask(key, path, method, **options)
        return "ok" if answer.status_code < 400 else str(answer.json()["code"])

    def ask(self, key: str | None, path: str, method: str = "GET", **options: Any) -> httpx.Response:
        """The answer, on a connection of its own."""
        headers = {**with_key(key), **options.pop("headers", {})}
        with self.service.client() as client:
            return client.request(method, path, headers=headers, **options)

    def audit(self) -> list[dict[str, Any]]:
        """The audit log, which verifies."""
        assert lars(self.data, "audit", "verify").returncode == 0
        done = lars(self.data, "audit", "list", "--last", "1000", "--json")
        assert done.returncode == 0, done.stderr
        entries = json.loads(done.stdout)
        return list(entries["entries"] if isinstance(entries, dict) else entries)


@contextmanager
def keyed_service(directory: Path, **settings: str) -> Iterator[Keyed]:
    """A service that has one key, with every scope."""
    data = directory / "data"
    key = make_key(data, "--scope", "*", **settings)
    with running_service(directory, settings) as service, ExitStack() as stack:
        yield Keyed(service, data, key, stack.enter_context(closing(Lines(service))))


def connections_to_fronts(service: Service, stack: ExitStack) -> dict[int, HTTPConnection]:
    """One to each front, by its process id: connections are made until every front has taken one."""
    fronts = {pid for pid, _ in descendants(service.pid) if b"service.front" in command_of(pid)}
    found: dict[int, HTTPConnection] = {}
    url = httpx.URL(service.url)
    deadline = time.monotonic() + COMMAND_SECONDS
    while found.keys() < fronts:
        assert time.monotonic() < deadline, f"connections to {found.keys()} of {fronts} only"
        connection = HTTPConnection(url.host, url.port)
        stack.callback(connection.close)
        code_on(connection, None)
        found.setdefault(taker_of(connection, fronts), connection)
    return found


def taker_of(connection: HTTPConnection, fronts: Iterable[int]) -> int:
    """Which front has the other end: proc_net_tcp has its inode, proc_pid_fd who holds that."""
    far, near = connection.sock.getpeername()[1], connection.sock.getsockname()[1]
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    # A set: a table that changes while it is read shows rows twice.
    (inode,) = {row[9] for row in rows if row[1].endswith(f":{far:04X}") and row[2].endswith(f":{near:04X}")}
    (pid,) = [pid for pid in fronts if f"socket:[{inode}]" in open_files_of(pid)]
    return pid


def open_files_of(pid: int) -> set[str]:
    """What its descriptors lead to; some are closed while this looks."""
    found: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(os.readlink(entry))
    return found


def command_of(pid: int) -> bytes:
    """Its arguments; nothing of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def code_on(connection: HTTPConnection, key: str | None, path: str = PROBE) -> str:
    """``ok``, or the error's code."""
    connection.request("GET", path, headers=with_key(key))
    answer = connection.getresponse()
    body = json.loads(answer.read())
    return "ok" if answer.status < 400 else str(body["code"])
