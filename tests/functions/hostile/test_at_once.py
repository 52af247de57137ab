"""A change of a function counts in every front with the next request, and costs none that is under way.

LARS_AT_ONCE_LOADS (15) versions are loaded while clients call without a pause.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.access.keyed import code_on, connections_to_fronts, id_of
from tests.functions.hostile.served import Served, hash_of, said

LOADS = int(os.environ.get("LARS_AT_ONCE_LOADS", "15"))
CLIENTS_OF_EACH = 2
Connections = Mapping[int, HTTPConnection]


def text_of(value: object) -> str:
    """A module whose functions return this."""
    return f"def f(): return {value!r}\ndef other(): return {value!r}"


def get(connection: HTTPConnection, path: str) -> tuple[int, Any]:
    """Status and body, as anybody."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.fixture
def connections(fronts: Served) -> Iterator[Connections]:
    """One to each front."""
    with ExitStack() as stack:
        yield connections_to_fronts(fronts.keyed.service, stack)


class Callers:
    """Clients that call one path again and again. ``least``: what was answered to the last load, below which
    no call that begins now may be answered."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.least = 0
        self.calls = 0
        self.wrong: list[object] = []
        self._ending = threading.Event()

    def run(self, connection: HTTPConnection) -> None:
        while not self._ending.is_set():
            least = self.least
            found = get(connection, self.path)
            self.calls += 1
            if found[0] != 200 or not least <= found[1] <= self.least + 1:
                self.wrong.append((least, found))
                return

    @contextmanager
    def at_work(self, served: Served) -> Iterator[None]:
        with ExitStack() as stack:
            each = [connections_to_fronts(served.keyed.service, stack) for _ in range(CLIENTS_OF_EACH)]
            taken = [connection for found in each for connection in found.values()]
            running: list[Future[None]] = []
            pool = stack.enter_context(ThreadPoolExecutor(len(taken)))
            try:
                running += [pool.submit(self.run, connection) for connection in taken]
                yield
            finally:
                self._ending.set()
                for one in running:
                    one.result(20)


@pytest.mark.timeout(300)
def test_loads_cost_no_call_and_count_at_once(fronts: Served, connections: Connections) -> None:
    """Whoever asks after the answer of a load gets what was loaded, on whichever front."""
    name = "loads"
    assert fronts.bring(name, text_of(0), method="GET").status_code == 200
    callers = Callers(f"/function/{hash_of(name)}/f")
    with callers.at_work(fronts):
        for value in range(1, LOADS + 1):
            loaded = fronts.bring(name, text_of(value), method="GET")
            assert loaded.json()["loaded_version"] == value + 1
            callers.least = value
            answers = [get(connection, callers.path) for connection in connections.values()]
            assert answers == [(200, value)] * len(connections)
    assert callers.wrong == []
    assert callers.calls > LOADS


def test_rollback_and_canary_count_at_once(fronts: Served, connections: Connections) -> None:
    name, about = "rolled", f"/_/functions/{hash_of('rolled')}/f"
    for value in (1, 2, 3):
        assert fronts.bring(name, text_of(value), method="GET").status_code == 200
    path = f"/function/{hash_of(name)}/f"
    for to in (1, 3, 2, 1, 2):
        assert fronts.ask("POST", f"{about}/rollback", json={"to": to}).status_code == 200
        assert [get(one, path) for one in connections.values()] == [(200, to)] * len(connections)
    assert fronts.ask("PUT", f"{about}/canary", json={"version": 3, "weight": 99}).status_code == 200
    found = {get(one, path)[1] for one in connections.values() for _ in range(20)}
    assert found <= {2, 3}
    assert 3 in found  # 40 calls, each of which meets it 99 times of 100
    assert fronts.ask("DELETE", f"{about}/canary").status_code == 200
    assert {get(one, path)[1] for one in connections.values() for _ in range(5)} == {2}


def test_unloading_counts_at_once(fronts: Served, connections: Connections) -> None:
    """One of two functions of a module: the other is called all the while."""
    name = "unloaded"
    contract = hash_of(name)
    assert fronts.bring(name, text_of(0), "other", method="GET").status_code == 200
    callers = Callers(f"/function/{contract}/other")
    own = f"/unloaded/{contract[:8]}"
    with callers.at_work(fronts):
        for _ in range(5):
            assert fronts.load(name, method="GET", endpoint_path=own).status_code == 200
            for path in (own, f"/function/{contract}/f", f"/agent/{contract}/f"):
                assert [get(one, path) for one in connections.values()] == [(200, 0)] * len(connections)
            assert fronts.ask("DELETE", f"/unload-function/{contract}/f").status_code == 200
            for path in (f"/function/{contract}/f", f"/agent/{contract}/f"):
                gone = [get(one, path) for one in connections.values()]
                assert [(status, body["code"]) for status, body in gone] == [(404, "not_found")] * len(gone)
            # Nobody's path is a resource of a session, for which a key is needed.
            assert {get(one, own)[1]["code"] for one in connections.values()} == {"key_missing"}
    assert callers.wrong == []


def test_a_path_that_moves_is_never_at_both_places(fronts: Served, connections: Connections) -> None:
    name = "moved"
    assert fronts.bring(name, text_of(1)).status_code == 200
    places = [f"/moved/{number}" for number in range(2)]
    for turn in range(6):
        here, there = places[turn % 2], places[1 - turn % 2]
        assert fronts.load(name, endpoint_path=here, method="GET").status_code == 200
        assert [get(one, here) for one in connections.values()] == [(200, 1)] * len(connections)
        assert {get(one, there)[1]["code"] for one in connections.values()} == {"key_missing"}


def test_two_functions_change_places(fronts: Served, connections: Connections) -> None:
    """By a third place, as a path is one function's; nobody is served the other's meanwhile."""
    for name, value in (("left", 1), ("right", 2)):
        assert fronts.bring(name, text_of(value)).status_code == 200
        assert fronts.load(name, endpoint_path=f"/swap/{name}", method="GET").status_code == 200
    taken = fronts.load("left", endpoint_path="/swap/right", method="GET")
    assert said(taken) == (409, "conflict")
    for name, path in (("left", "/swap/aside"), ("right", "/swap/left"), ("left", "/swap/right")):
        assert fronts.load(name, endpoint_path=path, method="GET").status_code == 200
    for one in connections.values():
        assert [get(one, f"/swap/{name}")[1] for name in ("left", "right")] == [2, 1]


def test_keys_count_at_once(fronts: Served, connections: Connections) -> None:
    """Made, replaced and revoked over HTTP: the next request knows it, on whichever front."""
    for _ in range(2):
        key = fronts.keyed.key()
        assert _codes(connections, key) == {"scope_missing"}
        new = fronts.ask("POST", f"/_/keys/{id_of(key)}/rotate", json={"overlap": "0"}).json()["key"]
        assert _codes(connections, new) == {"scope_missing"}
        assert _codes(connections, key) == {"key_unknown"}
        assert fronts.ask("DELETE", f"/_/keys/{id_of(key)}").status_code == 200
        assert _codes(connections, new) == {"key_revoked"}


def _codes(connections: Connections, key: str) -> set[str]:
    return {code_on(connection, key) for connection in connections.values()}
