"""Functions in a FastAPI application, the one that docs/functions.md shows, and in a Starlette one: real
uvicorn, real jail, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.functions.call_store import CallStore
from tests.embedding.hosting import HASH, KEYED, STARLETTE, Host, documented, hosted
from tests.supervisor.serving import wait_until

ADD = f"/function/{HASH}/add"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The one of the documentation, with a function loaded."""
    with hosted(tmp_path_factory.mktemp("host"), documented()) as host:
        loaded = host.load("add", "/math/add")
        assert loaded.status_code == 200, loaded.text
        yield host


@pytest.mark.parametrize("path", ["/math/add", "/math/add/", ADD, f"/agent/{HASH}/add"])
def test_a_function_answers_below_the_mount(host: Host, path: str) -> None:
    answer = host.ask("GET", path, params={"a": "4"})
    assert (answer.status_code, answer.json()) == (200, 5)
    assert answer.headers["x-function-version"] == "1"
    assert answer.headers["x-request-id"]


def test_a_function_takes_a_body(host: Host) -> None:
    assert host.ask("POST", ADD, json={"a": 4, "b": 5}).json() == 9


def test_calls_are_recorded(host: Host) -> None:
    """And written, though nobody asks for them."""
    path, store = f"/self-improve/recording/{HASH}/add", CallStore(host.data)
    assert host.ask("PUT", path, headers=KEYED).status_code == 200
    assert host.ask("GET", ADD, params={"a": "4"}).json() == 5
    wait_until(lambda: store.kept(HASH, "add").calls == 1, "it is written", 5)
    assert host.ask("DELETE", path, headers=KEYED).status_code == 200
    assert store.kept(HASH, "add").calls == 0


def test_what_is_loaded_is_listed_and_unloaded(host: Host) -> None:
    assert host.load("wait", "/take/time").status_code == 200
    listed = host.ask("GET", "/list-functions").json()["functions"]
    assert [function["function_name"] for function in listed] == ["add", "wait"]
    assert host.ask("GET", f"/_/functions/{HASH}/wait/versions", headers=KEYED).status_code == 200
    assert host.ask("DELETE", f"/unload-function/{HASH}/wait", headers=KEYED).status_code == 200
    assert host.ask("GET", "/take/time", params={"seconds": "0"}).status_code == 404


def test_the_host_answers_while_a_function_runs(host: Host) -> None:
    assert host.load("wait", "/wait").status_code == 200
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(host.ask, "GET", "/wait", params={"seconds": "1"})
        served = 0
        while not slow.done():
            assert host.hello() == 200
            served += 1
    assert (slow.result().json(), served > 3) == ("done", True)


@pytest.mark.parametrize("path", ["/execute", "/_/keys", "/_/sessions/one", "/members", "/readyz", "/"])
def test_nothing_else_of_the_service_is_there(host: Host, path: str) -> None:
    answer = host.ask("GET", path, headers=KEYED | {"X-Session-ID": "one"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_its_document_has_what_it_serves(host: Host) -> None:
    """And makes no session of whoever asks."""
    answer = host.ask("GET", "/openapi.json", headers=KEYED | {"X-Session-ID": "one"})
    assert answer.status_code == 200
    document = answer.json()
    assert document["servers"] == [{"url": "/dynamic"}]
    paths = document["paths"]
    assert {"/health", "/load-function", "/math/add"} <= set(paths)
    assert not {"/execute", "/_/keys", "/{resource}"} & set(paths)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_its_pages_find_their_files_below_the_mount(host: Host, page: str) -> None:
    links = re.findall(r'(?:src|href)="([^"#]+)"', host.ask("GET", page).text)
    files = [link.removeprefix("./") for link in links if not link.startswith("data:")]
    assert files
    assert {host.ask("GET", f"/{file}").status_code for file in files} == {200}


def test_without_a_key_nothing_is_loaded(host: Host) -> None:
    """Though it is this machine that asks, which `lars serve` without keys would let in."""
    answer = host.ask("POST", "/load-function", json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")


def test_errors_of_the_host_are_its_own(host: Host) -> None:
    answer = host.ask("GET", "/../nothing")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_a_killed_zygote_is_replaced(host: Host) -> None:
    (zygote,) = host.zygotes
    zygote.kill()
    wait_until(lambda: host.ask("GET", ADD, params={"a": "1"}).status_code == 200, "it answers again", 5)
    assert zygote not in host.zygotes
    assert len(host.supervisors) == 1


def test_a_killed_supervisor_is_replaced(host: Host) -> None:
    """Its zygotes go with it; the host hears of it and says so."""
    (supervisor,) = host.supervisors
    (zygote,) = host.zygotes
    supervisor.kill()
    wait_until(lambda: host.ask("GET", ADD, params={"a": "1"}).status_code == 200, "it answers again", 5)
    assert not zygote.lives
    assert len(host.supervisors) == 1
    assert "supervisor_died" in host.log


def test_while_no_supervisor_can_be_had_calls_are_told_so(host: Host) -> None:
    """The third death in a row is followed by a wait."""

    def refused() -> bool:
        for supervisor in host.supervisors:
            if supervisor.lives:
                supervisor.kill()
        answer = host.ask("GET", "/list-functions")
        return answer.status_code == 503 and answer.json()["code"] == "not_ready"

    wait_until(refused, "a refusal")
    assert host.ask("GET", "/health").status_code == 200
    assert host.hello() == 200
    wait_until(lambda: host.ask("GET", ADD, params={"a": "1"}).status_code == 200, "it answers again", 15)


def test_starlette_starts_it_with_the_first_request(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The host knows no lifespan; nothing of it is in the URL of the function but the mount."""
    with hosted(tmp_path_factory.mktemp("starlette"), STARLETTE) as host:
        assert host.hello() == 200
        assert host.supervisors == []
        with ThreadPoolExecutor(4) as pool:  # who comes at once waits for one start
            answers = [pool.submit(host.ask, "GET", "/list-functions") for _ in range(4)]
        assert [answer.result().status_code for answer in answers] == [200] * 4
        assert len(host.supervisors) == 1
        assert host.load("add", "/sum").json()["function"]["endpoint_path"] == "/sum"
        assert host.ask("GET", "/sum", params={"a": "2", "b": "3"}).json() == 5
