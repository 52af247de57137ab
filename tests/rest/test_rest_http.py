"""Resources over HTTP: what the front adds to what plans say."""

from __future__ import annotations

import concurrent.futures
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.rest.clients import client_of, session_id
from tests.supervisor.serving import Service, serving
from tests.support import wait_until

ALICE = {"name": "Alice", "email": "alice@example.com"}


def test_a_record_lives(client: httpx.Client) -> None:
    created = client.post("/members/", json=ALICE)
    assert (created.status_code, created.headers["location"]) == (201, "/members/1")
    assert created.json() == {"id": 1, **ALICE}
    assert client.get("/members/1").json() == {"id": 1, **ALICE}
    listed = client.get("/members/", params={"limit": 10, "offset": 0, "sort": "name"}).json()
    assert listed == {"items": [{"id": 1, **ALICE}], "page": {"limit": 10, "offset": 0, "total": 1}}
    assert client.get("/members/search", params={"name": "Alice"}).json() == [{"id": 1, **ALICE}]
    assert client.put("/members/1", json={"name": "A"}).json() == {"id": 1, "name": "A"}
    assert client.patch("/members/1", json={"age": 3}).json() == {"id": 1, "name": "A", "age": 3}
    deleted = client.delete("/members/1")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert client.get("/members/1").status_code == 404


def test_one_plan_serves_every_value_of_a_shape(client: httpx.Client) -> None:
    first = client.post("/shapes", json={"a": 1})
    second = client.post("/shapes", json={"b": [2, 3]})
    assert first.headers["x-plan-id"] == second.headers["x-plan-id"]
    plans = {client.get(f"/shapes/{number}").headers["x-plan-id"] for number in (1, 2, 3, "four")}
    assert len(plans) == 1
    assert client.get("/shapes/1", params={"fields": "a"}).headers["x-plan-id"] not in plans


def test_where_a_plan_came_from(service: Service, client: httpx.Client) -> None:
    sources = [client.get("/sources/1").headers["x-plan-source"] for _ in range(20)]
    assert sources[0] == "builtin"
    assert set(sources[1:]) == {"cache"}
    timing = client.get("/sources/1").headers["server-timing"]
    assert [part.partition(";dur=")[0] for part in timing.split(", ")] == ["plan", "run"]


def test_a_plan_can_be_looked_at(client: httpx.Client) -> None:
    made = client.post("/looks", json={})
    plan = client.get(f"/_/plans/{made.headers['x-plan-id']}").json()
    assert (plan["id"], plan["source"], plan["verdict"]) == (made.headers["x-plan-id"], "builtin", "allowed")
    assert (plan["action"], plan["resource"], plan["code"]["language"]) == ("create", "looks", "python")
    assert "REPLY = make_response(201" in plan["code"]["block"]
    assert client.get("/_/plans/none").status_code == 404
    listed = [each["id"] for _ in range(10) for each in client.get("/_/plans").json()["plans"]]
    assert plan["id"] in listed


def test_many_at_once_make_one_plan(tmp_path: Path) -> None:
    """Single flight: of all that arrive before the plan stands, one makes it."""
    with serving(tmp_path, LARS_FRONTS="1") as service, client_of(service, "many") as client:
        with concurrent.futures.ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda number: client.get(f"/crowd/{number}"), range(32)))
        assert {answer.status_code for answer in answers} == {404}
        plans = client.get("/_/plans").json()["plans"]
        (plan,) = (each for each in plans if each["resource"] == "crowd")
        assert plan["hits"] == 32
        judged = [answer for answer in answers if answer.headers["x-plan-source"] == "builtin"]
        assert 1 <= len(judged) <= 32


BROKEN = (b"", b"{", b"null", b'{"plan": {"action": "get"}}')


def test_plans_survive_a_restart_and_broken_files_are_made_again(tmp_path: Path) -> None:
    """What is whole serves; each of the others is told of, and made anew."""
    with serving(tmp_path) as service, client_of(service, "restart") as client:
        first = client.post("/kept", json={"a": 1})
        assert first.headers["x-plan-source"] == "builtin"
        plans = [client.get(f"/broken{n}/1").headers["x-plan-id"] for n in range(len(BROKEN))]
        assert service.stop() == 0
    for plan, text in zip(plans, BROKEN, strict=True):
        (tmp_path / "data" / "plans" / plan).write_bytes(text)
    with serving(tmp_path) as service, client_of(service, "restart") as client:
        second = client.post("/kept", json={"a": 2})
        assert (second.json()["id"], second.headers["x-plan-source"]) == (2, "cache")
        assert second.headers["x-plan-id"] == first.headers["x-plan-id"]
        for n in range(len(BROKEN)):
            answer = client.get(f"/broken{n}/1")
            assert (answer.status_code, answer.headers["x-plan-source"]) == (404, "builtin")
        assert [line["plan"] for line in service.events("plan_unreadable")] == plans


def test_without_a_session(service: Service) -> None:
    answer = httpx.get(f"{service.url}/members")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert "X-Session-ID" in answer.json()["detail"]


def test_a_session_of_the_credential(service: Service) -> None:
    def as_(token: str, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {token}", **headers})

    with as_("one") as one, as_("two") as two, as_("one", **{"X-Session-ID": "default"}) as named:
        assert one.post("/things", json={"of": "one"}).json()["id"] == 1
        assert two.get("/things").json()["items"] == []
        assert named.get("/things/1").json()["of"] == "one"
    with as_("one", **{"X-Session-ID": "shared"}) as one, as_("two", **{"X-Session-ID": "shared"}) as two:
        assert one.post("/things", json={"of": "one"}).json()["id"] == 1
        assert two.get("/things/1").status_code == 404
    assert httpx.get(f"{service.url}/things/1", headers={"X-Session-ID": "shared"}).status_code == 404


@pytest.mark.parametrize("wrong", ["", "a" * 129, "a/b", "../x", "a b", "ä"])
def test_an_id_that_is_none(wrong: str, service: Service) -> None:
    answer = httpx.get(f"{service.url}/members", headers={b"X-Session-ID": wrong.encode()})
    assert answer.status_code == 400
    assert "1 to 128" in answer.json()["detail"]


def test_two_ids_at_once(service: Service) -> None:
    answer = httpx.get(f"{service.url}/members", headers=[("X-Session-ID", "a"), ("X-Session-ID", "b")])
    assert (answer.status_code, "send it once" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("name", ["a", "A" * 128, "a.b_c~d-e", "..", "."])
def test_an_id_is_no_path(name: str, service: Service, tmp_path: Path) -> None:
    with httpx.Client(base_url=service.url, headers={"X-Session-ID": name}) as client:
        assert client.post("/x", json={}).status_code == 201
    held = {path.name for path in (service.directory / "data" / "sessions").glob("*/*")}
    assert all(len(each) == 62 and set(each) <= set("0123456789abcdef") for each in held)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/execute", {"POST"}),
        ("GET", "/generate-and-execute", {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("DELETE", "/_/plans", {"GET", "HEAD"}),
        ("PUT", "/_/sessions/x", {"GET", "HEAD", "PATCH", "DELETE"}),
    ],
)
def test_paths_of_other_services(method: str, path: str, allow: set[str], client: httpx.Client) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == allow


@pytest.mark.parametrize(
    "path",
    [
        "/_/nope",
        "/execute/",
        "/execute/1",
        "/health/x",
        "/_",
        "/_/",
        "/generate-and-execute/1",
        "/function/a/b/c",
        "/metrics/x",
    ],
)
def test_names_of_other_services_are_no_collections(path: str, client: httpx.Client) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = client.request(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), method


def test_a_body_that_is_no_json(client: httpx.Client) -> None:
    json_type = {"Content-Type": "application/json"}
    assert client.post("/x", content=b"{", headers=json_type).json()["code"] == "malformed_json"
    assert client.post("/x", content=b"a=1").status_code == 415
    assert client.post("/x", content=b" " * (11 << 20), headers=json_type).status_code == 413


def test_a_request_is_logged_without_its_data(service: Service, client: httpx.Client) -> None:
    answer = client.post(
        "/secret-things", json={"secret": "swordfish"}, headers={"Authorization": "Bearer x"}
    )
    identity = answer.headers["x-request-id"]

    def found() -> list[dict[str, Any]]:
        return [line for line in service.events("request") if line["request_id"] == identity]

    wait_until(lambda: bool(found()), "the line of a request, which is written after its answer")
    (line,) = found()
    assert (line["domain"], line["status"], line["route"]) == ("session", 201, "/{path:path}")
    assert line["principal"].startswith("bearer:")
    assert "swordfish" not in service.errors
    assert "Bearer x" not in service.errors


def test_head_says_what_get_would(client: httpx.Client) -> None:
    client.post("/heads", json={"a": 1})
    get, head = client.get("/heads/1"), client.head("/heads/1")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "content-type"):
        assert head.headers[name] == get.headers[name]


def test_options(client: httpx.Client) -> None:
    answer = client.options("/heads/1")
    assert answer.status_code == 204
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"}
    assert "application/merge-patch+json" in answer.headers["accept-patch"]


def test_what_no_rule_covers(client: httpx.Client) -> None:
    answer = client.post("/orders/1/cancel")
    assert (answer.status_code, answer.json()["code"]) == (501, "planner_required")
    assert "a language model" in answer.json()["detail"]


def test_numbers_of_any_size_are_kept(client: httpx.Client) -> None:
    text = b'{"n": 123456789012345678901234567890, "f": 0.1, "deep": [[1e5, -0.0]]}'
    made = client.post("/numbers", content=text, headers={"Content-Type": "application/json"})
    assert made.status_code == 201
    assert b'"n":123456789012345678901234567890' in client.get("/numbers/1").content


def test_a_conditional_request(client: httpx.Client) -> None:
    tag = client.post("/tags", json={"a": 1}).headers["etag"]
    assert client.get("/tags/1", headers={"If-None-Match": tag}).status_code == 304
    assert client.put("/tags/1", json={"a": 2}, headers={"If-Match": '"other"'}).status_code == 412
    assert client.put("/tags/1", json={"a": 2}, headers={"If-Match": tag}).status_code == 200
    assert client.put("/tags/1", json={"a": 3}, headers={"If-Match": tag}).status_code == 412


def test_a_dry_run_changes_nothing(client: httpx.Client) -> None:
    answer = client.post("/dry", json={"a": 1}, headers={"Prefer": "tx=rollback"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (201, "tx=rollback")
    assert client.get("/dry").json()["page"]["total"] == 0


@pytest.mark.parametrize("target", ["/x/%2e%2e", "/x//1", "/%00", "/x/%ff", "/x?%ff=1", "/{a}/1"])
def test_targets_that_are_none(target: str, service: Service) -> None:
    """As bytes, because a client would mend them."""
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nX-Session-ID: {session_id('targets')}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]


def test_a_web_page_of_an_allowed_origin(tmp_path: Path) -> None:
    page = {"Origin": "https://app.example"}
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "x-session-id, prefer",
    }
    settings = {"LARS_CORS_ORIGINS": "https://app.example", "LARS_DEFAULT_SESSION": "shared"}
    with serving(tmp_path, **settings) as service, httpx.Client(base_url=service.url) as client:
        preflight = client.options("/posts/1", headers={**page, **asked})
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        assert "x-session-id" in preflight.headers["access-control-allow-headers"].lower()
        for answer in (client.post("/posts", json={}, headers=page), client.get("/posts/9", headers=page)):
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert "x-total-count" in answer.headers["access-control-expose-headers"].lower()
        other = client.get("/posts", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        with client_of(service, "other") as named:
            assert named.get("/posts").json()["page"]["total"] == 0


def test_without_the_setting_no_page_is_allowed(service: Service, client: httpx.Client) -> None:
    preflight = client.options(
        "/posts/1", headers={"Origin": "https://a.b", "Access-Control-Request-Method": "PUT"}
    )
    assert "access-control-allow-origin" not in preflight.headers
