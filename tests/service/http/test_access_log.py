"""The line per request: exactly one, whatever happens, with what the endpoint added and without secrets."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from service.errors import Overloaded
from service.http.record import RequestRecord, record_of
from tests.service.http.harness import Exchange
from tests.service.http.stack import Endpoint, Log, application, behind_edge, logged


async def one_line(endpoint: Endpoint, exchange: Exchange, path: str = "/") -> dict[str, object]:
    """The single access line of the exchange."""
    with logged() as lines:
        await exchange.run(application(endpoint, path))
    (line,) = access(lines)
    return line


def access(lines: Log) -> list[dict[str, object]]:
    """Lines whose event is ``request``."""
    return [line for line in lines if line["event"] == "request"]


async def hello(request: Request) -> Response:
    """An endpoint with nothing to add."""
    return PlainTextResponse("hello")


async def test_fields() -> None:
    """The line of a plain request, complete; the route is the template, and the path is not told."""
    exchange = Exchange(path="/files/s3cret", headers=[("X-Request-ID", "r1")])
    line = await one_line(hello, exchange, "/files/{name}")
    total = line.pop("total_ms")
    assert isinstance(total, float)
    assert 0 <= total < 10_000
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "r1",
        "client": "127.0.0.1",
        "method": "GET",
        "route": "/files/{name}",
        "status": 200,
    }


async def test_what_the_endpoint_adds() -> None:
    """Fields of the record join the line; None stays out; times are rounded."""

    async def endpoint(request: Request) -> Response:
        record = record_of(request.scope)
        record.principal, record.domain, record.verdict = "anonymous", "one_shot", "ok"
        record.queue_ms, record.bind_ms, record.run_ms = 0.0, 1.23456, 2.0
        assert request.state.record is record
        return PlainTextResponse("")

    line = await one_line(endpoint, Exchange())
    added = {name: line[name] for name in ("principal", "domain", "verdict", "queue_ms", "bind_ms", "run_ms")}
    assert added == {
        "principal": "anonymous",
        "domain": "one_shot",
        "verdict": "ok",
        "queue_ms": 0.0,
        "bind_ms": 1.235,
        "run_ms": 2.0,
    }
    assert "error_code" not in line
    assert "disconnected" not in line


async def test_an_error_has_its_code() -> None:
    """The code that the caller got is in the line."""

    async def endpoint(request: Request) -> Response:
        raise Overloaded(retry_after=1)

    line = await one_line(endpoint, Exchange())
    assert (line["status"], line["error_code"]) == (503, "overloaded")


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [("GET", "/nowhere", "unmatched", 404), ("DELETE", "/", "/", 405), ("GET", "/", "/", 200)],
)
async def test_requests_that_reach_no_endpoint(method: str, path: str, route: str, status: int) -> None:
    """They have their line as well."""
    line = await one_line(hello, Exchange(method=method, path=path))
    assert (line["route"], line["status"]) == (route, status)


async def test_an_unhandled_error_is_one_access_line() -> None:
    """Beside the line with the traceback."""

    async def endpoint(request: Request) -> Response:
        raise RuntimeError("boom")

    line = await one_line(endpoint, Exchange())
    assert (line["status"], line["error_code"], line["log_level"]) == (500, "internal_error", "info")


async def test_the_client_leaves_before_the_answer() -> None:
    """499 and ``disconnected``: nobody got a status."""

    async def endpoint(request: Request) -> Response:
        await request.body()
        raise AssertionError("not reached")

    exchange = Exchange(method="POST", chunks=[b"half"], leaves=True)
    line = await one_line(endpoint, exchange)
    assert (line["status"], line["disconnected"]) == (499, True)
    assert exchange.sent == []


async def test_the_client_leaves_during_the_answer() -> None:
    """The status that was sent, and ``disconnected``."""

    async def endpoint(request: Request) -> Response:
        async def text() -> object:
            yield b"a"
            while (await request.receive())["type"] != "http.disconnect":
                pass
            yield b"b"

        return StreamingResponse(text())  # type: ignore[arg-type]

    line = await one_line(endpoint, Exchange(chunks=[b""]))
    assert (line["status"], line["disconnected"]) == (200, True)


async def test_a_disconnect_after_the_answer_is_none() -> None:
    """A server says "disconnect" to whoever asks once all is sent."""

    class Asks(PlainTextResponse):
        async def __call__(self, scope, receive, send):  # type: ignore[no-untyped-def]
            await super().__call__(scope, receive, send)
            while (await receive())["type"] != "http.disconnect":
                pass

    async def endpoint(request: Request) -> Response:
        return Asks("hello")

    line = await one_line(endpoint, Exchange())
    assert "disconnected" not in line


async def test_a_cancelled_request_has_its_line() -> None:
    """The line is written when the task ends, however it ends; the status is None."""
    reached = asyncio.Event()

    async def endpoint(request: Request) -> Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError("not reached")

    with logged() as lines:
        task = asyncio.create_task(Exchange().run(application(endpoint)))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (line,) = access(lines)
    assert line["status"] is None


async def test_one_line_each_for_requests_at_once() -> None:
    """Records and ids of requests in flight together do not mix."""
    gate = asyncio.Event()

    async def endpoint(request: Request) -> Response:
        record_of(request.scope).verdict = request.headers["x-request-id"]
        await gate.wait()
        return PlainTextResponse("")

    app = application(endpoint)
    names = {f"r{number}" for number in range(20)}
    with logged() as lines:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lars") as client:
            tasks = [asyncio.create_task(client.get("/", headers={"X-Request-ID": name})) for name in names]
            asyncio.get_running_loop().call_soon(gate.set)
            await asyncio.gather(*tasks)
    assert {line["request_id"] for line in access(lines)} == names
    assert len(access(lines)) == len(names)
    assert all(line["verdict"] == line["request_id"] for line in access(lines))


async def test_a_route_below_a_mount() -> None:
    """The template of the route that answered."""
    app = behind_edge([Mount("/v1", routes=[Route("/runs/{id}", hello)])])
    with logged() as lines:
        await Exchange(path="/v1/runs/7").run(app)
    assert access(lines)[0]["route"] == "/runs/{id}"


def test_a_record_without_a_log() -> None:
    """Endpoints work without the layer; they get the same record each time they ask."""
    scope: dict[str, object] = {}
    record_of(scope).verdict = "ok"
    assert record_of(scope) == RequestRecord(verdict="ok")
