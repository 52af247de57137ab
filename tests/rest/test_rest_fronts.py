"""Whichever front takes a request, it is answered alike. Each client here is on a connection to a front of
its own, and what one does, the other sees."""

from __future__ import annotations

import concurrent.futures
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.rest.clients import client_of
from tests.supervisor.processes import Process
from tests.supervisor.serving import Service, wait_until

KEY = {"Idempotency-Key": "4a3f86b3-98a9-49b5-9a40-2d2f9b1e3d51"}
Pair = tuple[httpx.Client, httpx.Client]


@contextmanager
def alone(front: Process, fronts: list[Process]) -> Iterator[None]:
    """Only this front takes new connections meanwhile."""
    others = [other for other in fronts if other != front]
    for other in others:
        os.kill(other.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            os.kill(other.pid, signal.SIGCONT)


@pytest.fixture
def pair(service: Service, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two clients of one session, each on a connection that its front keeps."""
    wait_until(lambda: len(service.fronts) == 2, "both fronts")
    with ExitStack() as stack:
        clients = []
        for front in service.fronts:
            client = stack.enter_context(client_of(service, request.node.nodeid))
            with alone(front, service.fronts):
                assert client.get("/health").status_code == 200
            clients.append(client)
        for front, client in zip(service.fronts, clients, strict=True):
            with alone(front, service.fronts):
                assert client.get("/health").status_code == 200, "kept"
        yield clients[0], clients[1]


def test_records_and_what_their_shape_was_learned_from(pair: Pair) -> None:
    one, other = pair
    made = one.post("/orders", json={"n": 1, "paid": False})
    assert made.status_code == 201
    assert other.get("/orders/1").json() == {"id": 1, "n": 1, "paid": False}
    assert other.patch("/orders/1", json={"paid": True}).status_code == 200
    assert one.get("/orders/1").json() == {"id": 1, "n": 1, "paid": True}
    shapes = [client.get("/openapi.json").json()["paths"] for client in pair]
    assert "/orders" in shapes[0]
    assert shapes[0] == shapes[1]


def test_a_plan_that_was_made_at_one_is_known_at_the_other(pair: Pair) -> None:
    one, other = pair
    plan = one.post("/orders", json={"n": 1}).headers["x-plan-id"]
    shown = other.get(f"/_/plans/{plan}")
    assert (shown.status_code, shown.json()["id"]) == (200, plan)
    assert other.post("/orders", json={"n": 2}).headers["x-plan-id"] == plan


def test_a_key_has_one_effect(pair: Pair) -> None:
    one, other = pair
    first, again = (client.post("/orders", json={"n": 1}, headers=KEY) for client in (one, other))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert other.post("/orders", json={"n": 2}, headers=KEY).json()["code"] == "idempotency_key_reused"
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        for number in range(20):
            key = {"Idempotency-Key": f"at-once-{number}"}
            both = list(threads.map(lambda c, key=key: c.post("/bills", json={}, headers=key), pair))
            assert {answer.status_code for answer in both} == {201}
            assert both[0].json() == both[1].json() == {"id": number + 1}


def test_a_session_that_was_deleted_at_one_is_empty_at_the_other(pair: Pair, service: Service) -> None:
    one, other = pair
    session = one.headers["x-session-id"]
    for turn in range(3):
        assert one.post("/orders", json={"turn": turn}).json() == {"id": 1, "turn": turn}
        assert other.get("/orders").json()["page"]["total"] == 1
        deleter, reader = (one, other) if turn % 2 else (other, one)
        assert deleter.delete(f"/_/sessions/{session}").status_code == 204
        assert reader.get("/orders/1").status_code == 404
    assert other.post("/orders", json={"n": 1}).json() == {"id": 1, "n": 1}
    assert one.get("/orders/1").json() == {"id": 1, "n": 1}


def test_a_dialect_is_followed_by_the_next_request(pair: Pair) -> None:
    """On whichever front; and by the first one of a session of the same name that is new."""
    one, other = pair
    session = f"/_/sessions/{one.headers['x-session-id']}"
    for turn in range(6):
        changer, reader = (one, other) if turn % 2 else (other, one)
        changer.post("/orders", json={"n": turn})
        assert "page" in reader.get("/orders").json()
        assert changer.patch(session, json={"dialect": "json-server"}).status_code == 200
        assert isinstance(reader.get("/orders").json(), list)
        assert isinstance(changer.get("/orders").json(), list)
        assert changer.delete(session).status_code == 204
