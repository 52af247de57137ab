"""Idempotency-Key: one effect, one answer, whatever is sent again."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import httpx
import pytest

from tests.rest.clients import client_of
from tests.supervisor.serving import serving

KEY = {"Idempotency-Key": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


def test_a_post_is_replayed(client: httpx.Client) -> None:
    first = client.post("/orders", json={"n": 1}, headers=KEY)
    again = client.post("/orders", json={"n": 1}, headers=KEY)
    assert (first.status_code, first.json()) == (201, {"id": 1, "n": 1})
    assert (again.status_code, again.json()) == (201, {"id": 1, "n": 1})
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert client.get("/orders").json()["page"]["total"] == 1


def test_a_patch_is_replayed(client: httpx.Client) -> None:
    client.post("/orders", json={"n": 1})
    for _ in range(2):
        assert client.patch("/orders/1", json={"n": 2}, headers=KEY).json() == {"id": 1, "n": 2}
        client.patch("/orders/1", json={"n": 3})
    assert client.get("/orders/1").json() == {"id": 1, "n": 3}


@pytest.mark.parametrize(
    "change", [{"json": {"n": 2}}, {"url": "/others"}, {"headers": {**KEY, "Prefer": "return=minimal"}}]
)
def test_a_key_is_for_one_request(change: dict[str, object], client: httpx.Client) -> None:
    asked: dict[str, object] = {"url": "/orders", "json": {"n": 1}, "headers": KEY}
    assert client.post(**asked).status_code == 201  # type: ignore[arg-type]
    other = client.post(**{**asked, **change})  # type: ignore[arg-type]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert client.get("/orders").json()["page"]["total"] == 1


def test_what_failed_may_be_tried_again(client: httpx.Client) -> None:
    client.post("/orders", json={"id": 5})
    assert client.post("/orders", json={"id": 5}, headers=KEY).status_code == 409
    client.delete("/orders/5")
    assert client.post("/orders", json={"id": 5}, headers=KEY).status_code == 201


def test_at_the_same_time(client: httpx.Client) -> None:
    """Of many at once one has the effect; the others are told so, or that it still runs."""
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: client.post("/orders", json={"n": 1}, headers=KEY), range(64)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {201, 409}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {1}
    refused = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert refused <= {"idempotency_conflict"}
    assert client.get("/orders").json()["page"]["total"] == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none(key: str, client: httpx.Client) -> None:
    answer = client.post("/orders", json={}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


def test_a_key_survives_a_restart(tmp_path: Path) -> None:
    for total in (1, 1):
        with serving(tmp_path) as service, client_of(service, "restart") as client:
            assert client.post("/orders", json={"n": 1}, headers=KEY).json() == {"id": 1, "n": 1}
            assert client.get("/orders").json()["page"]["total"] == total
            assert service.stop() == 0
