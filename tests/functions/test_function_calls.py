"""Calling functions over HTTP: the ways to one, whose fault an end is, and what stays between calls."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.functions.api import (
    ADD,
    FRONTS,
    MAX_BODY,
    QUEUE,
    SECONDS,
    Api,
    hash_of,
    own_path,
    refusal,
    value,
)
from tests.support import wait_until

HASH = hash_of(__name__)
MODULE = '''
import asyncio
import time

calls = 0
kept = []

def fibonacci(n: int) -> int:
    """The nth."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

def descend(n: int = 0):
    return descend(n + 1)

def fail(message: str = "it went wrong"):
    raise ValueError(
        message
    )

def say(text: str):
    return text

def spin():
    while True:
        pass

async def rest(seconds: float = 60.0):
    if seconds < 0:
        raise ValueError(seconds)
    await asyncio.sleep(seconds)

def grow():
    kept.append(bytearray(1 << 40))

def count():
    global calls
    calls += 1
    return calls
'''
NAMES = ("fibonacci", "descend", "fail", "say", "spin", "rest", "grow")


@pytest.fixture(scope="module")
def served(api: Api) -> Api:
    """With the functions of the module."""
    api.serve(HASH, MODULE, *NAMES)
    return api


def test_every_way_to_a_function(served: Api) -> None:
    """Two names by GET and POST, and its own path; the version is in the answer."""
    named = [f"/{what}/{HASH}/fibonacci" for what in ("function", "agent")]
    for path in (*named, own_path(HASH, "fibonacci")):
        answer = served.ask("GET", path, params={"n": "10"})
        assert value(answer) == 55
        assert answer.headers["x-function-version"] == "1"
    for path in named:
        assert value(served.ask("POST", path, json={"n": 10})) == 55


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods_of_a_function(api: Api, contract: str, method: str) -> None:
    """The one that it was loaded with, and no other; GET has HEAD."""
    api.serve(contract, ADD, "add", method=method)
    path = own_path(contract, "add")
    if method == "GET":
        assert value(api.ask(method, path, params={"a": "1"})) == 3
    else:
        assert value(api.ask(method, path, json={"a": 1})) == 3
        assert value(api.ask(method, path, params={"a": "1"})) == 3
    allowed = {method, "HEAD"} if method == "GET" else {method}
    for other in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - allowed:
        answer = api.ask(other, path, params={"a": "1"})
        assert answer.status_code == 405, other
        assert answer.headers["allow"] == ", ".join(sorted(allowed))


@pytest.mark.parametrize("path", [f"/function/{HASH}/fibonacci", own_path(HASH, "fibonacci")])
def test_head(served: Api, path: str) -> None:
    """Status and headers of GET, and nothing after them."""
    got, head = (served.ask(method, path, params={"n": "10"}) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    changing = {"date", "x-request-id"}
    shown = [{**answer.headers} for answer in (got, head)]
    assert {name for name in shown[0] if shown[0][name] != shown[1].get(name)} <= changing
    assert served.ask("HEAD", path).status_code == 422


def test_spellings_of_a_path(served: Api) -> None:
    """One slash at the end of its own path means nothing; what is percent-encoded is the same."""
    own = own_path(HASH, "fibonacci")
    encoded = own.replace("fib", "%66i%62")
    for path in (f"{own}/", encoded, f"/function/{HASH.upper()}/%66ibonacci", f"/%61gent/{HASH}/fibonacci"):
        assert value(served.ask("GET", f"{path}?n=7")) == 13, path
    for path in (
        f"/function/{HASH}/fibonacci/",
        f"/function/{HASH}//fibonacci",
        f"/function/{HASH}/Fibonacci",
    ):
        assert refusal(served.ask("GET", f"{path}?n=7")) == (404, "not_found")
    for path in (f"{own}//", own.replace("/fib", "//fib"), own.upper()):
        assert served.ask("GET", f"{path}?n=7").status_code >= 400


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b'{"n": ', "application/json", (400, "malformed_json")),
        (b'{"n": 1} x', "application/json", (400, "malformed_json")),
        (b"[1]", "application/json", (422, "validation_failed")),
        (b"n=1", "application/x-www-form-urlencoded", (415, "unsupported_media_type")),
        (b'{"n": 1}', "", (415, "unsupported_media_type")),
        (b"[" * 600 + b"]" * 600, "application/json", (400, "malformed_json")),
        (b'{"n": ' + b" " * MAX_BODY + b"1}", "application/json", (413, "payload_too_large")),
    ],
    ids=["cut", "more", "array", "form", "no type", "deep", "large"],
)
def test_bodies_that_are_refused(served: Api, content: bytes, kind: str, expected: tuple[int, str]) -> None:
    path = f"/function/{HASH}/fibonacci"
    headers = {"Content-Type": kind} if kind else {}
    assert refusal(served.ask("POST", path, content=content, headers=headers)) == expected
    assert value(served.post(HASH, "fibonacci", n=1)) == 1


@pytest.mark.parametrize("query", ["text=%ff", "text=" + "&a=" * 1001], ids=["no UTF-8", "too many"])
def test_queries_that_are_refused(served: Api, query: str) -> None:
    assert refusal(served.ask("GET", f"/function/{HASH}/say?{query}")) == (400, "bad_request")


def test_what_the_function_raises(served: Api) -> None:
    """500 with type, message and line, and no word of the service's own code."""
    answer = served.get(HASH, "fail", message="caf\u00e9 \U0001f600")
    assert refusal(answer) == (500, "function_error")
    line = MODULE.splitlines().index("    raise ValueError(") + 1
    said = {"type": "ValueError", "message": "caf\u00e9 \U0001f600", "line": line}
    assert answer.json()["exception"] == said
    assert "Traceback" not in answer.text
    assert "sandbox_runtime" not in answer.text


def test_recursion(served: Api) -> None:
    """The right number; without end a RecursionError; the next call is answered."""
    assert value(served.get(HASH, "fibonacci", n=20)) == 6765
    answer = served.get(HASH, "descend")
    assert refusal(answer) == (500, "function_error")
    assert answer.json()["exception"]["type"] == "RecursionError"
    assert value(served.get(HASH, "fibonacci", n=10)) == 55


def test_too_much_memory(served: Api) -> None:
    """The function's error, too."""
    answer = served.get(HASH, "grow")
    assert refusal(answer) == (500, "function_error")
    assert answer.json()["exception"]["type"] == "MemoryError"
    assert value(served.get(HASH, "say", text="still here")) == "still here"


def test_deadline(served: Api) -> None:
    """What computes, what recurs and what rests is ended with 504; so is what has waited behind it; the next
    call works."""
    names = {"spin": {}, "rest": {}, "fibonacci": {"n": 60}}
    contracts = [hash_of(f"{__name__} {name}") for name in names]
    for contract, name in zip(contracts, names, strict=True):
        served.serve(contract, MODULE, name, "say")
    with ThreadPoolExecutor() as threads, served.client_of_its_own() as client:

        def call(contract: str, name: str) -> httpx.Response:
            return client.get(f"/function/{contract}/{name}", params=names[name])

        answers = [*threads.map(call, contracts, names)]
        next_ones = [client.get(f"/function/{contract}/say?text=x") for contract in contracts]
    for answer in answers:
        assert refusal(answer) == (504, "function_timeout")
        assert answer.elapsed.total_seconds() >= SECONDS * 0.9
    assert [value(answer) for answer in next_ones] == ["x"] * 3


def test_state_of_a_module(api: Api, contract: str) -> None:
    """Is there with the next call on the same front; it goes with the last function of the contract."""
    api.serve(contract, MODULE, "count", "say")
    assert [value(api.get(contract, "count")) for _ in range(3)] == [1, 2, 3]
    api.unload(contract, "count")
    api.load(contract, "count")
    assert value(api.get(contract, "count")) == 4
    for name in ("count", "say"):
        assert api.unload(contract, name).status_code == 200
    api.load(contract, "count")
    assert value(api.get(contract, "count")) == 1


def test_state_after_a_fault(api: Api, contract: str) -> None:
    """An exception costs the module nothing, the caller's fault neither; another contract has its own."""
    api.serve(contract, MODULE, "count", "fail")
    other = hash_of(f"{contract} other")
    api.serve(other, MODULE, "count")
    assert value(api.get(contract, "count")) == 1
    assert api.get(contract, "fail").status_code == 500
    assert api.get(contract, "count", unknown="1").status_code == 422
    assert value(api.get(contract, "count")) == 2
    assert value(api.get(other, "count")) == 1


def test_whose_fault_it_is(served: Api, contract: str) -> None:
    """Four kinds of ends, which are counted apart: ok, the caller's (422), the function's (500), the
    platform's (503)."""
    served.serve(contract, MODULE, "rest")
    codes = [refusal(served.get(contract, "rest", seconds=seconds)) for seconds in ("x", "-1")]
    assert codes == [(422, "validation_failed"), (500, "function_error")]
    many = 8
    with ThreadPoolExecutor(many) as threads:

        def call(_: int) -> httpx.Response:
            with served.client_of_its_own() as client:
                return client.get(f"/function/{contract}/rest", params={"seconds": "0.2"})

        answers = [*threads.map(call, range(many))]
    ends = Counter(answer.status_code for answer in answers)
    assert set(ends) == {200, 503}
    assert 1 + QUEUE <= ends[200] <= FRONTS * (1 + QUEUE)
    refused = [answer for answer in answers if answer.status_code == 503]
    assert {refusal(answer) for answer in refused} == {(503, "overloaded")}
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    counted = {"calls": 2 + many, "ok": ends[200], "caller_error": 1, "function_error": 1}
    counted["platform_error"] = ends[503]

    def are_counted() -> bool:
        figures = value(served.ask("GET", served.about(contract, "rest")))["stats"].get("1", {})
        return {name: figures.get(name) for name in counted} == counted

    wait_until(are_counted, f"figures that are {counted}", 10)
