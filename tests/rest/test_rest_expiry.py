"""Sessions that nobody asks for go by themselves; those in use stay, and leftovers of crashes go."""

from __future__ import annotations

import os
import time
from pathlib import Path

from service.sessions.expiry import _sweep, _unused
from tests.rest.clients import client_of, session_id
from tests.supervisor.serving import serving, wait_until


def test_a_session_without_requests_expires(tmp_path: Path) -> None:
    settings = {"LARS_SESSION_EXPIRY": "1.5", "LARS_SESSION_IDLE": "0.3", "LARS_FRONTS": "2"}
    with serving(tmp_path, **settings) as service:
        with client_of(service, "rests") as rests, client_of(service, "used") as used:
            assert rests.post("/posts", json={}).status_code == 201
            assert used.post("/posts", json={}).status_code == 201
            dialect = rests.patch(f"/_/sessions/{session_id('rests')}", json={"dialect": "json-server"})
            assert dialect.status_code == 200, dialect.text
            assert isinstance(rests.get("/posts").json(), list)
            sessions = tmp_path / "data" / "sessions"
            wait_until(
                lambda: used.get("/posts/1").is_success and len(list(sessions.glob("*/*/data.db"))) == 1,
                "one goes",
            )
            assert used.get("/posts/1").status_code == 200
            assert rests.get("/posts/1").status_code == 404
            assert "page" in rests.get("/posts").json()
            assert rests.post("/posts", json={}).json() == {"id": 1}
        assert [line["event"] for line in service.log if line["event"].startswith("session_")] == [
            "session_expired"
        ]


def test_last_use_is_the_youngest_time(tmp_path: Path) -> None:
    root, now = tmp_path / "sessions", time.time()
    for name in ("old", "written", "bound"):
        directory = root / "ab" / (name.encode().hex().ljust(62, "0"))
        directory.mkdir(parents=True)
        (directory / "data.db").touch()
        for path in (directory / "data.db", directory):
            os.utime(path, (now - 100, now - 100))
    os.utime(root / "ab" / (b"written".hex().ljust(62, "0")) / "data.db")
    os.utime(root / "ab" / (b"bound".hex().ljust(62, "0")))
    (root / "ab" / f"{'0' * 62}.options").touch()
    assert _unused(root, now - 50) == ["ab" + b"old".hex().ljust(62, "0")]


def test_what_crashes_left_is_swept(tmp_path: Path) -> None:
    root, now = tmp_path / "sessions", time.time()
    kept, empty, left = "a" * 62, "b" * 62, f"{'c' * 62}.{'d' * 16}"
    for name in (kept, empty, left):
        (root / "ab" / name).mkdir(parents=True)
    for name in (kept, left):
        (root / "ab" / name / "data.db").touch()
    _sweep(root, now - 50)
    assert len(list((root / "ab").iterdir())) == 3
    _sweep(root, now + 50)
    assert [path.name for path in (root / "ab").iterdir()] == [kept]
