"""Sessions as a whole: what they hold, their end, copies, archives, options, quota."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import httpx
import pytest

from tests.rest.clients import client_of
from tests.supervisor.serving import Service, serving


def own(client: httpx.Client) -> str:
    return f"/_/sessions/{client.headers['x-session-id']}"


def in_session(client: httpx.Client, name: str) -> dict[str, str]:
    return {"X-Session-ID": f"{client.headers['x-session-id']}-{name}"}


def test_what_a_session_holds(client: httpx.Client) -> None:
    assert client.get(own(client)).status_code == 404
    client.post("/posts", json={"title": "a", "n": 1})
    client.post("/posts", json={"title": "b"})
    body = client.get(own(client)).json()
    assert (body["id"], body["dialect"]) == (client.headers["x-session-id"], "default")
    assert 0 < body["bytes"] <= body["quota"] == 4 << 20
    posts = body["collections"]["posts"]
    assert (posts["records"], posts["next_id"]) == (2, 3)
    assert posts["fields"]["title"] == {"types": {"string": 2}, "required": 1.0}
    assert posts["fields"]["n"] == {"types": {"integer": 1}, "required": 0.5}


def test_a_session_ends(client: httpx.Client) -> None:
    for _ in range(3):  # on both fronts
        assert client.post("/posts", json={}).json()["id"] == 1
        assert client.get("/posts/1").status_code == 200
        assert client.delete(own(client)).status_code == 204
        for _ in range(8):
            with httpx.Client(base_url=client.base_url, headers=client.headers) as fresh:
                assert fresh.get("/posts").json()["items"] == []
    assert client.delete("/_/sessions/never-was").status_code == 404


def test_another_principal_has_another_session(service: Service, client: httpx.Client) -> None:
    client.post("/posts", json={})
    other = {"Authorization": "Bearer other"}
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/export"), ("POST", "/fork")):
        assert client.request(method, own(client) + path, headers=other).status_code == 404, path
    assert client.get("/posts/1").status_code == 200


def test_a_fork_is_a_copy(client: httpx.Client) -> None:
    client.post("/posts", json={"n": 1})
    new = in_session(client, "fork")["X-Session-ID"]
    made = client.post(f"{own(client)}/fork", json={"id": new})
    assert (made.status_code, made.json()["id"]) == (201, new)
    assert made.headers["location"] == f"/_/sessions/{new}"
    client.patch("/posts/1", json={"n": 2})
    there = in_session(client, "fork")
    assert client.get("/posts/1", headers=there).json() == {"id": 1, "n": 1}
    assert client.post("/posts", json={}, headers=there).json() == {"id": 2}
    assert client.get("/posts").json()["page"]["total"] == 1
    again = client.post(f"{own(client)}/fork", json={"id": new})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    fresh = client.post(f"{own(client)}/fork").json()["id"]
    assert client.get("/posts/1", headers={"X-Session-ID": fresh}).json() == {"id": 1, "n": 2}


@pytest.mark.parametrize("body", [{"id": 5}, {"id": "a/b"}, {"name": "x"}, {"id": "x", "more": 1}])
def test_a_fork_into_what_is_no_session(body: dict[str, object], client: httpx.Client) -> None:
    client.post("/posts", json={})
    assert client.post(f"{own(client)}/fork", json=body).status_code == 400


def test_an_archive_makes_the_same_session(client: httpx.Client) -> None:
    client.post("/posts", json=[{"title": "ä"}, {"id": "own", "deep": {"x": [1, None, 0.1]}}])
    client.post("/comments", json={"postId": "own"})
    client.delete("/comments/1")
    archive = client.get(f"{own(client)}/export")
    assert (archive.status_code, archive.headers["content-type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(archive.content)) as tar:
        assert {"posts.json", "comments.json"} <= set(tar.getnames())
    there = in_session(client, "import")
    path = f"/_/sessions/{there['X-Session-ID']}"
    imported = client.post(
        f"{path}/import", content=archive.content, headers={"Content-Type": "application/x-tar"}
    )
    assert (imported.status_code, imported.json()["records"]) == (200, 2)
    assert client.get("/posts", headers=there).json() == client.get("/posts").json()
    copied = client.get(f"{path}/export", headers=there)
    for name in ("posts.json", "comments.json"):
        assert _read(copied.content, name) == _read(archive.content, name)
    assert client.post("/comments", json={}, headers=there).json() == {"id": 2}


def test_a_json_object_is_imported(client: httpx.Client) -> None:
    database = {"posts": [{"id": "a"}, {"id": 7}, {"title": "none"}], "empty": []}
    done = client.post(f"{own(client)}/import", json=database)
    assert (done.status_code, done.json()["collections"]) == (200, {"posts": 3, "empty": 0})
    assert [post["id"] for post in client.get("/posts").json()["items"]] == ["a", 7, 8]
    again = client.post(f"{own(client)}/import", json={"posts": [{"id": 1}]})
    assert (again.status_code, "posts" in again.json()["detail"]) == (409, True)
    assert client.get("/posts").json()["page"]["total"] == 3
    replaced = client.post(f"{own(client)}/import?replace=true", json={"posts": [{"id": 1}]})
    assert replaced.status_code == 200
    assert client.get("/posts").json()["items"] == [{"id": 1}]


def _read(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        file = tar.extractfile(name)
        assert file is not None
        return file.read()


def _tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


HOSTILE = {
    "symlink": _tar((_member("posts.json", tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "hard link": _tar((_member("posts.json", tarfile.LNKTYPE, "../data.db"), b"")),
    "up": _tar((_member("../posts.json"), b"[]")),
    "absolute": _tar((_member("/posts.json"), b"[]")),
    "device": _tar((_member("posts.json", tarfile.CHRTYPE), b"")),
    "no archive": b"no archive at all" * 100,
    "half": _tar((_member("posts.json"), json.dumps([{"id": 1}]).encode() * 100))[:700],
    "gzip": b"\x1f\x8b\x08" + b"\0" * 600,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_changes_nothing(name: str, client: httpx.Client) -> None:
    client.post("/posts", json={"n": 1})
    answer = client.post(
        f"{own(client)}/import?replace=true",
        content=HOSTILE[name],
        headers={"Content-Type": "application/x-tar"},
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert client.get("/posts").json()["items"] == [{"id": 1, "n": 1}]


def test_an_import_of_what_is_neither(client: httpx.Client) -> None:
    assert client.post(f"{own(client)}/import", content=b"x").status_code == 415
    wrong = client.post(f"{own(client)}/import?replace=maybe", json={})
    assert (wrong.status_code, "replace" in wrong.json()["detail"]) == (400, True)
    large = client.post(f"{own(client)}/import", json={"posts": [{"x": "y" * (5 << 20)}]})
    assert (large.status_code, "LARS_SESSION_QUOTA" in large.json()["detail"]) == (413, True)


def test_a_session_speaks_a_dialect(client: httpx.Client) -> None:
    client.post("/posts", json={"n": 1})
    assert client.patch(own(client), json={"dialect": "json-server"}).json()["dialect"] == "json-server"
    listed = client.get("/posts", params={"_page": 1})
    assert (listed.json(), listed.headers["x-total-count"]) == ([{"id": 1, "n": 1}], "1")
    assert client.get("/posts", headers={"Prefer": "dialect=default"}).json()["page"]["total"] == 1
    assert client.get(own(client)).json()["dialect"] == "json-server"
    for body in ({"dialect": "odata"}, {"other": 1}):
        assert client.patch(own(client), json=body).status_code == 422


def test_the_quota_holds(client: httpx.Client) -> None:
    full = None
    for _ in range(40):
        answer = client.post("/blobs", json={"x": "y" * 200_000})
        if answer.status_code != 201:
            full = answer
            break
    assert full is not None
    assert (full.status_code, full.json()["code"]) == (507, "quota_exceeded")
    total = client.get("/blobs", params={"limit": 1, "fields": "id"}).json()["page"]["total"]
    assert 5 < total < 22
    assert client.delete("/blobs/1").status_code == 204
    assert client.post("/blobs", json={"x": 1}).status_code == 201


def test_nothing_reads_across_sessions(service: Service, client: httpx.Client) -> None:
    client.post("/secrets", json={"word": "swordfish"})
    mine = client.headers["x-session-id"]
    with client_of(service, f"{mine}-other") as other:
        targets = [
            "/secrets",
            "/secrets/1",
            f"/{mine}/secrets",
            "/secrets?q=swordfish",
            "/secrets/search?word=x",
        ]
        targets += [f"/secrets?sort={mine}", f"/secrets?x={mine}", "/secrets?_expand=secret&_embed=secrets"]
        for target in targets:
            assert "swordfish" not in other.get(target).text, target
        for header in ("X-Session-Id2", "X-Forwarded-For", "X-Original-URL", "Cookie"):
            assert "swordfish" not in other.get("/secrets/1", headers={header: mine}).text, header


def test_without_a_data_root_programs_run_and_sessions_say_why(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.touch()
    with serving(tmp_path, LARS_DATA_ROOT=str(root)) as service, client_of(service, "none") as client:
        assert (
            f"no sessions: LARS_DATA_ROOT={root} cannot be written: {root} is no directory of ours"
            in service.output
        )
        assert service.answers()
        for method, path in (("POST", "/posts"), ("PATCH", "/posts/1"), ("GET", "/posts")):
            answer = client.request(method, path, json=None if method == "GET" else {})
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable"), path
            assert "LARS_DATA_ROOT" in answer.json()["detail"]
