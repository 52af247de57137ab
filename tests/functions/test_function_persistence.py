"""What is loaded outlives the service, however that ends, and what was uploaded."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx

from service.functions.call_store import CallStore
from service.functions.sources import digest_of
from tests.access.keyed import with_key
from tests.functions.api import ADD, STARGATE, hash_of, load_body, own_path
from tests.improvement.improving import body_of
from tests.supervisor.processes import tree
from tests.supervisor.serving import Service, serving, wait_until

HASH, GONE = hash_of(__name__), hash_of(f"{__name__} gone")
SETTINGS = {"STARGATE_API_KEY": STARGATE, "LARS_FRONTS": "1", "LARS_ZYGOTES": "1", "LARS_POOL_SIZE": "1"}
IMPROVED = "/improved/agent/other"
RECORDING = f"/self-improve/recording/{GONE}/other"
CHANGES = ("a + b", "a * b", "a - b")


def write(client: httpx.Client, method: str, path: str, body: object = None) -> None:
    """One change, which succeeds; ``body``: JSON, or a module's text."""
    content = {"content": body} if isinstance(body, str) else {"json": body}
    answer = client.request(method, path, headers=with_key(STARGATE), **content)
    assert answer.status_code in (200, 201), answer.text


def load_all(client: httpx.Client) -> None:
    """Three versions of one function, the second of which is current, the third its canary; one by POST; one
    that was unloaded; and one that is an improvement."""
    for change in CHANGES:
        write(client, "PUT", f"/uploads/{HASH}/agent.py", ADD.replace("a + b", change))
        write(client, "POST", "/load-function", load_body(HASH, "add"))
    one = f"/_/functions/{HASH}/add"
    write(client, "POST", f"{one}/rollback")
    write(client, "PUT", f"{one}/canary", {"version": 3, "weight": 1})
    write(client, "POST", "/load-function", load_body(HASH, "other") | {"method": "POST"})
    write(client, "PUT", f"/uploads/{GONE}/agent.py", ADD)
    write(client, "POST", "/load-function", load_body(GONE, "add"))
    write(client, "DELETE", f"/unload-function/{GONE}/add")
    write(client, "POST", "/self-improve/load", body_of(GONE, "other", "agent"))
    write(client, "PUT", RECORDING, {"max_calls": 1})
    write(client, "GET", IMPROVED)
    assert recorded(client)["recorded"]["calls"] == 1


def recorded(client: httpx.Client) -> dict[str, Any]:
    """What is kept of the improvement's calls."""
    found: dict[str, Any] = client.get(RECORDING, headers=with_key(STARGATE)).json()
    return found


def told(client: httpx.Client) -> list[object]:
    """The list, that of improvements, and what calls of every version and every path answer."""
    kept = recorded(client)
    assert (kept["recording"], kept["recorded"]["calls"]) == ({"sample_percent": 100, "max_calls": 1}, 1)
    answers = [client.get("/list-functions"), client.get(f"/_/functions/{HASH}/add/versions")]
    improvements = client.get("/self-improve/status").json()["agent_improvements"]
    assert [each["endpoint_path"] for each in improvements] == [IMPROVED]
    assert [client.get(IMPROVED).json(), client.post(IMPROVED).json()] == ["other"] * 2
    path = f"/function/{HASH}/add?a=5&b=3"
    answers += [client.get(f"{path}&version={number}") for number in (1, 2, 3, 4)]
    answers += [client.post(own_path(HASH, "other")), client.get(f"/function/{GONE}/add?a=5")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 404, 200, 404]
    assert [answer.json() for answer in answers[2:5]] == [8, 15, 2]
    return [answer.json() if answer.status_code == 200 else answer.json()["code"] for answer in answers]


def kill_all(service: Service) -> None:
    """Every process of it at once, none of which gets to do anything more."""
    members = tree(service.supervisor)
    assert len(members) > 3
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in members:
            with suppress(ProcessLookupError):  # one whose parent is gone may be gone too
                os.kill(member.pid, number)
    service.popen.wait()
    wait_until(lambda: not any(member.lives for member in members), "the end of all processes")


def move_by_hand(database: Path, path: str) -> None:
    """A function at a path that is the service's own: it may have been loaded when that was free."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE lars_revision SET number = number + 1")
        connection.execute(
            "UPDATE lars_functions SET path = ?, revision = (SELECT number FROM lars_revision) "
            "WHERE name = 'other' AND loaded AND improvement IS NULL",
            (path,),
        )


def test_functions_outlive_the_service(tmp_path: Path) -> None:
    """Killed without a warning, and then stopped in order: each time all are back, and answer, though what
    was uploaded is gone."""
    with serving(tmp_path, **SETTINGS) as service, httpx.Client(base_url=service.url) as client:
        load_all(client)
        before = told(client)
        kill_all(service)
    shutil.rmtree(tmp_path / "data" / "uploads")
    with serving(tmp_path, **SETTINGS) as service, httpx.Client(base_url=service.url) as client:
        after_a_kill = told(client)
        before_the_last = time.time()
        assert client.get(IMPROVED).json() == "other"
        assert service.stop() == 0
    (call,) = CallStore(tmp_path / "data").calls(GONE, "other", digest_of(ADD.encode()))
    assert (call.time > before_the_last, call.value) == (True, b'"other"')
    with serving(tmp_path, **SETTINGS) as service, httpx.Client(base_url=service.url) as client:
        after_a_stop = told(client)
        move_by_hand(tmp_path / "data" / "control.db", "/health")
        wait_until(lambda: "/health" in client.get("/list-functions").text, "what was changed by hand")
        assert client.get("/health").json() == {"status": "healthy"}
        assert client.post("/health").status_code == 405
        assert client.post(f"/function/{HASH}/other").json() == "other"
    assert after_a_kill == before
    assert after_a_stop == before
    assert not (tmp_path / "data" / "uploads").exists()
