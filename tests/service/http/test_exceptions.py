"""The error layer: what each exception becomes for the caller and for the log."""

from __future__ import annotations

import httpx
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from service.errors import NotFound, Overloaded, WorkerLost
from service.http.edge import Edge
from tests.service.http.harness import Exchange
from tests.service.http.stack import application, logged

SECRET = "postgres://user:hush@db"


async def answer_to(error: Exception, method: str = "GET") -> tuple[Exchange, list[dict[str, object]]]:
    """What a caller gets when the endpoint raises ``error``, and the log lines beside the access line."""

    async def endpoint(request: Request) -> Response:
        raise error

    with logged() as lines:
        exchange = await Exchange(method=method, headers=[("X-Request-ID", "r1")]).run(application(endpoint))
    return exchange, [dict(line) for line in lines if line["event"] != "request"]


async def test_an_error_of_ours() -> None:
    """Its own status, headers and members, the request's id, and no line beside the access line."""
    exchange, lines = await answer_to(Overloaded(retry_after=7))
    assert exchange.status == 503
    assert exchange.answer_headers["retry-after"] == "7"
    assert exchange.answer_headers["content-type"] == "application/problem+json"
    assert exchange.json["code"] == "overloaded"
    assert exchange.json["instance"] == "urn:lars:request:r1"
    assert lines == []


async def test_anything_else_is_a_500_without_internals() -> None:
    """The caller gets the request id; the log gets the traceback under the same id."""
    error = RuntimeError(SECRET)
    exchange, lines = await answer_to(error)
    assert exchange.status == 500
    assert exchange.json["code"] == "internal_error"
    assert exchange.json["request_id"] == "r1"
    assert b"hush" not in exchange.body
    assert b"RuntimeError" not in exchange.body
    (line,) = lines
    assert (line["log_level"], line["request_id"], line["exc_info"]) == ("error", "r1", error)


@pytest.mark.parametrize("status", [401, 418, 503])
async def test_a_framework_error_that_is_not_in_the_table(status: int) -> None:
    """Not supported is refused: 500, and logged."""
    exchange, lines = await answer_to(HTTPException(status, detail=SECRET))
    assert exchange.status == 500
    assert b"hush" not in exchange.body
    assert len(lines) == 1


async def test_a_framework_400() -> None:
    """Starlette's word for a request that it could not read."""
    exchange, lines = await answer_to(HTTPException(400, detail="no boundary"))
    assert (exchange.status, exchange.json["code"], exchange.json["detail"]) == (
        400,
        "bad_request",
        "no boundary",
    )
    assert lines == []


async def test_no_such_path() -> None:
    """404 as a problem that names the path, shortened."""

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("")

    app = application(endpoint)
    exchange = await Exchange(path="/nowhere").run(app)
    assert (exchange.status, exchange.json["code"]) == (404, "not_found")
    assert exchange.json["detail"] == "nothing is served at /nowhere; check the path"
    assert len((await Exchange(path="/" + "x" * 5000).run(app)).body) < 1500


async def test_no_such_method() -> None:
    """405 as a problem with Allow (RFC 9110 section 15.5.6)."""

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("")

    exchange = await Exchange(method="PUT").run(application(endpoint, methods=["POST", "GET"]))
    assert (exchange.status, exchange.json["code"]) == (405, "method_not_allowed")
    assert exchange.answer_headers["allow"] == "GET, HEAD, POST"
    assert exchange.json["detail"] == "PUT is not allowed on this path; use GET, HEAD, POST"


async def test_an_error_below_another_layer() -> None:
    """Raised before the router, it is answered the same way."""

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise NotFound("gone")

    exchange = await Exchange().run(Edge(inner))
    assert (exchange.status, exchange.json["detail"]) == (404, "gone")
    assert exchange.json["request_id"] == exchange.answer_headers["x-request-id"]


@pytest.mark.parametrize("error", [RuntimeError("late"), WorkerLost("late"), HTTPException(404)])
async def test_too_late_for_an_answer(error: Exception) -> None:
    """Once the response has begun nothing is added; the error is logged and raised on to the server."""

    class Half(Response):
        async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise error

    async def endpoint(request: Request) -> Response:
        return Half()

    exchange = Exchange()
    with logged() as lines, pytest.raises((type(error), RuntimeError)):
        await exchange.run(application(endpoint))
    assert [message["type"] for message in exchange.sent] == ["http.response.start", "http.response.body"]
    assert [line["event"] for line in lines] == ["error_after_response_started", "request"]
    assert lines[1]["status"] == 200


async def test_through_a_client() -> None:
    """The same over httpx, which sees no exception: the layer answers, the server has nothing to do."""

    async def endpoint(request: Request) -> Response:
        raise RuntimeError("boom")

    transport = httpx.ASGITransport(application(endpoint))
    with logged():
        async with httpx.AsyncClient(transport=transport, base_url="http://lars") as client:
            answer = await client.get("/")
    assert answer.status_code == 500
    assert answer.json()["error"] == answer.json()["detail"]
