"""A real service whose keys the command line makes, and requests on connections of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.service_process import ROOT, Service, running_service

COMMAND_SECONDS = 30.0
AT_ONCE = 1.0  # seconds within which a change counts in every front
CONNECTIONS = 12  # in a row: that all of them land on one of two fronts happens once in two thousand times
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


@dataclass(frozen=True, slots=True)
class Keyed:
    """A running service, its data root, and a key with every scope."""

    service: Service
    data: Path
    all: str

    def key(self, **fields: object) -> str:
        """One more, with these members of POST /_/keys, which both fronts know when it is back."""
        made = self.ask(self.all, "/_/keys", "POST", json={"name": "a caller", "env": "prod", **fields})
        assert made.status_code == 201, made.text
        key = str(made.json()["key"])
        self.settled(key, "key_unknown", same=False)
        return key

    def settled(self, key: str, code: str, *, same: bool = True) -> None:
        """Within a second, ``CONNECTIONS`` in a row are answered with this code, or all with another."""
        deadline = time.monotonic() + AT_ONCE
        streak = 0
        while streak < CONNECTIONS:
            given = self.code(key, PROBE)
            streak = streak + 1 if (given == code) == same else 0
            assert streak or time.monotonic() < deadline, f"{given} after {AT_ONCE} s"

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
    with running_service(directory, settings) as service:
        yield Keyed(service, data, key)
