"""A change was announced, and a front cannot read what it is: nobody is served by what may be of yesterday,
probes are answered, and nothing is left of it afterwards."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.access.keyed import connections_to_fronts, with_key
from tests.functions.hostile.served import MODULE, Served, hash_of, load_body
from tests.functions.hostile.test_at_once import get, text_of
from tests.support import wait_until

AT_ONCE = 0.5  # seconds: nothing is waited for
_READERS = (123, 5)  # the locks of readers in SQLite's wal-index (walformat.html, section 2.3.1)


@contextmanager
def no_table(database: Path) -> Iterator[None]:
    """Every look fails at once."""
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        connection.execute("ALTER TABLE lars_revision RENAME TO hidden")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE hidden RENAME TO lars_revision")


@contextmanager
def no_reader(database: Path) -> Iterator[None]:
    """Every look hangs."""
    with database.with_name(f"{database.name}-shm").open("r+b") as index:
        fcntl.lockf(index, fcntl.LOCK_EX, _READERS[1], _READERS[0])
        yield


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """It does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("ban", [no_table, no_reader])
def test_a_front_that_cannot_look_serves_nobody(
    ban: Callable[[Path], AbstractContextManager[None]], fronts: Served
) -> None:
    name = ban.__name__
    path, database = f"/function/{hash_of(name)}/f", fronts.keyed.data / "control.db"
    assert fronts.bring(name, text_of(1), method="GET").status_code == 200
    with ExitStack() as stack:
        found = connections_to_fronts(fronts.keyed.service, stack)
        (_, first), (pid, second) = found.items()
        assert [get(one, path) for one in (first, second)] == [(200, 1)] * 2
        with ExitStack() as both:
            with stopped(pid):
                assert _load(first, fronts, name, text_of(2)) == 200
                assert get(first, path) == (200, 2)
                both.enter_context(ban(database))
            _refuses_all_but_probes(second, fronts, path)
        wait_until(lambda: get(second, path)[0] == 200, "the end of doubt", 15)
        assert get(second, path) == (200, 2)
        assert get(first, path) == (200, 2)


def _load(connection: HTTPConnection, served: Served, name: str, text: str) -> int:
    """By this very front."""
    headers = {**with_key(served.keyed.all), "Content-Type": "application/json"}
    connection.request("PUT", f"/uploads/{hash_of(name)}/{MODULE}.py", text, headers)
    connection.getresponse().read()
    connection.request("POST", "/load-function", json.dumps(load_body(name, method="GET")), headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _refuses_all_but_probes(connection: HTTPConnection, served: Served, path: str) -> None:
    status, body = get(connection, path)  # which may have waited for a look
    assert (status, body["code"]) == (503, "control_unavailable")
    began = time.monotonic()
    assert [get(connection, probe)[0] for probe in ("/health", "/healthz", "/readyz")] == [200] * 3
    for key in (None, served.keyed.all):
        connection.request("GET", path, headers=with_key(key))
        answer = connection.getresponse()
        assert b"control_unavailable" in answer.read()
        assert answer.status == 503
    assert time.monotonic() - began < AT_ONCE
