"""Request ids: which are accepted, that each response has one, and that log lines do."""

from __future__ import annotations

import re

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from service.http.edge import Edge
from service.http.request_id import accepted_id, make_id, request_id_of
from tests.service.http.harness import Exchange
from tests.service.http.stack import application, logged

MADE = re.compile(r"[0-9a-f]{32}")


async def show(request: Request) -> Response:
    """Answers the id that the endpoint sees, and logs a line."""
    structlog.get_logger().info("seen")
    return PlainTextResponse(
        str(request_id_of(request.scope)), headers={"X-Request-ID": "the endpoint's own"}
    )


@pytest.mark.parametrize("given_id", ["a", "A-Z_0.9~x", "x" * 128])
async def test_accepted_and_returned(given_id: str) -> None:
    """The caller's id is the id of the request, of its lines and of its response."""
    with logged() as lines:
        exchange = await Exchange(headers=[("X-Request-ID", given_id)]).run(application(show))
    assert exchange.body.decode() == given_id
    assert exchange.answer_headers["x-request-id"] == given_id
    assert [line["request_id"] for line in lines] == [given_id, given_id]


@pytest.mark.parametrize("given_id", ["", "x" * 129, "a b", "a\tb", "a/b", "<x>", "caf\u00e9", "a,b", '"'])
async def test_replaced(given_id: str) -> None:
    """An id of another form is not repeated anywhere; the request gets one of ours."""
    exchange = await Exchange(headers=[("X-Request-ID", given_id)]).run(application(show))
    assert MADE.fullmatch(exchange.answer_headers["x-request-id"])


async def test_two_ids_are_none() -> None:
    """Which of two the caller means cannot be known."""
    exchange = await Exchange(headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")]).run(application(show))
    assert MADE.fullmatch(exchange.answer_headers["x-request-id"])


async def test_on_every_response() -> None:
    """Success, 404, 405 and 500 all have the header, and two requests never share a made one."""

    async def fail(request: Request) -> Response:
        raise RuntimeError

    app = application(fail)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lars") as client:
        with logged():
            answers = [await client.get("/"), await client.get("/nowhere"), await client.delete("/")]
    assert [answer.status_code for answer in answers] == [500, 404, 405]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 3
    assert [answer.json()["request_id"] for answer in answers] == [
        answer.headers["x-request-id"] for answer in answers
    ]


async def test_nothing_stays_bound() -> None:
    """After the request, log lines of the same context have no id."""
    await Exchange(headers=[("X-Request-ID", "a")]).run(application(show))
    assert "request_id" not in structlog.contextvars.get_contextvars()


async def test_what_the_lifespan_left_is_kept() -> None:
    """The request's state is its own copy."""
    exchange = await Exchange().run(application(show))
    assert exchange.scope["state"]["of_the_lifespan"] is True


async def test_other_scopes_pass() -> None:
    """Lifespan and websocket scopes are none of its business."""
    seen: list[Scope] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    exchange = Exchange()
    await Edge(inner)({"type": "lifespan"}, exchange._receive, exchange._send)
    assert seen == [{"type": "lifespan"}]


@given(st.binary(max_size=140))
def test_any_header(value: bytes) -> None:
    """What is accepted is safe to repeat in a header, a URI and a log line."""
    accepted = accepted_id([(b"x-request-id", value)])
    if accepted is not None:
        assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", accepted, re.ASCII)


def test_made_ids_are_accepted() -> None:
    """Another service of ours takes over the id that this one made."""
    made = make_id()
    assert accepted_id([(b"x-request-id", made.encode())]) == made
