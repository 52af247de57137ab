"""A copy of the data root is a backup: what docs/operations.md says of it, tried."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx

from tests.access.keyed import id_of, lars, make_key, with_key
from tests.functions.api import ADD, STARGATE, hash_of, load_body
from tests.functions.test_function_persistence import kill_all
from tests.supervisor.serving import serving

HASH = hash_of(__name__)
SETTINGS = {"STARGATE_API_KEY": STARGATE, "LARS_FRONTS": "1", "LARS_ZYGOTES": "1", "LARS_POOL_SIZE": "1"}
TASKS = [{"id": number, "title": f"task {number}"} for number in range(1, 21)]


def fill(client: httpx.Client, key: str) -> None:
    """Records of a session, and a function."""
    session = {"X-Session-ID": "kept", **with_key(key)}
    for task in TASKS:
        made = client.post("/tasks", json={"title": task["title"]}, headers=session)
        assert made.status_code == 201, made.text
    for method, path, body in (
        ("PUT", f"/uploads/{HASH}/agent.py", {"content": ADD}),
        ("POST", "/load-function", {"json": load_body(HASH, "add")}),
    ):
        assert client.request(method, path, headers=with_key(STARGATE), **body).status_code in (200, 201)


def test_a_copy_of_the_data_root_is_a_backup(tmp_path: Path) -> None:
    """Taken of a service that was killed, which is the worst moment there is, and begun with elsewhere: keys,
    sessions, functions and the audit log are what they were; and what comes after goes to the copy."""
    data, copy = tmp_path / "first" / "data", tmp_path / "second" / "data"
    for place in (data, copy):
        place.parent.mkdir()
    key = make_key(data, "--scope", "rest", "--scope", "functions:call")
    with (
        serving(tmp_path / "first", **SETTINGS) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        fill(client, key)
        kill_all(service)
    subprocess.run(["cp", "-a", "--", data, copy], check=True)
    with (
        serving(tmp_path / "second", **SETTINGS) as service,
        httpx.Client(base_url=service.url, headers=with_key(key)) as client,
    ):
        assert client.get("/tasks?_limit=50", headers={"X-Session-ID": "kept"}).json()["items"] == TASKS
        assert client.get(f"/function/{HASH}/add?a=5").json() == 7
        assert client.post("/tasks", json={}, headers={"X-Session-ID": "kept"}).json()["id"] == 21
        assert service.stop() == 0
    verified = lars(copy, "audit", "verify")
    assert verified.returncode == 0, verified.stderr
    assert lars(data, "audit", "verify").returncode == 0
    actions = lars(copy, "audit", "list", "--last", "9").stdout
    assert "key.add" in actions
    assert "function.load" in actions


def test_a_copy_without_the_key_of_the_audit_log(tmp_path: Path) -> None:
    """Programs and sessions are served, no key or function can be changed, and the log says why at once."""
    data = tmp_path / "data"
    key = make_key(data, "--scope", "rest")
    (data / "audit.key").unlink()
    with (
        serving(tmp_path, **SETTINGS) as service,
        httpx.Client(base_url=service.url, headers=with_key(key)) as client,
    ):
        (line,) = service.events("audit_log_foreign")
        assert "audit.key" in line["reason"]
        assert client.post("/tasks", json={}, headers={"X-Session-ID": "kept"}).status_code == 201
        assert lars(data, "keys", "revoke", id_of(key)).returncode == 1
        assert service.stop() == 0
