"""Bodies: the cap holds before and while reading, and only JSON objects come through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.http.body import read_body, read_json_text
from tests.service.http.harness import Exchange, HeaderList
from tests.service.http.stack import application, logged

LIMIT = 1000
JSON: HeaderList = [("Content-Type", "application/json")]


async def size(request: Request) -> Response:
    """Answers the number of bytes read."""
    return JSONResponse({"size": len(await read_body(request, LIMIT))})


async def echo(request: Request) -> Response:
    """Answers the object that was read."""
    return Response(orjson.dumps((await read_json_text(request, LIMIT))[1]), media_type="application/json")


async def post(body: bytes, headers: HeaderList = JSON) -> Exchange:
    """The answer of ``echo``."""
    return await Exchange(method="POST", headers=headers, chunks=[body]).run(application(echo))


@pytest.mark.parametrize("chunks", [[b""], [b"x" * LIMIT], [b"x"] * LIMIT, [b"x" * 999, b"", b"x"]])
async def test_up_to_the_limit(chunks: list[bytes]) -> None:
    """However it arrives, exactly the limit is read."""
    exchange = await Exchange(method="POST", chunks=chunks).run(application(size))
    assert exchange.json == {"size": sum(map(len, chunks))}


async def test_a_declared_length_over_the_limit() -> None:
    """413 before the first byte is pulled."""
    exchange = await Exchange(
        method="POST", headers=[("Content-Length", "1001")], chunks=[b"x" * LIMIT, b"x"]
    ).run(application(size))
    assert exchange.status == 413
    assert exchange.pulled == 0
    assert (exchange.json["field"], exchange.json["limit"]) == ("body", LIMIT)
    assert exchange.json["detail"] == (
        "body is 1001 bytes, more than the limit of 1000 bytes; send less, or have LARS_MAX_BODY_BYTES raised"
    )


async def test_a_chunked_upload_over_the_limit() -> None:
    """Without a length the bytes are counted, and the chunk that goes over is the last one pulled."""
    exchange = await Exchange(method="POST", chunks=[b"x" * 100] * 5000).run(application(size))
    assert exchange.status == 413
    assert exchange.pulled == 11


async def test_a_length_that_lies() -> None:
    """A small Content-Length does not let a large body through."""
    exchange = await Exchange(
        method="POST", headers=[("Content-Length", "10")], chunks=[b"x" * 600] * 50
    ).run(application(size))
    assert (exchange.status, exchange.pulled) == (413, 2)


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "", "0x10", "\u00b2", "9" * 30])
async def test_a_length_that_is_no_number(length: str) -> None:
    """400, before reading."""
    exchange = await Exchange(method="POST", headers=[("Content-Length", length)]).run(application(size))
    assert (exchange.status, exchange.json["code"], exchange.pulled) == (400, "bad_request", 0)


@given(st.lists(st.binary(max_size=400), max_size=12))
def test_any_chunking(chunks: list[bytes]) -> None:
    """The body is the chunks joined, or 413 exactly when they are over the limit."""
    exchange = asyncio.run(Exchange(method="POST", chunks=chunks or [b""]).run(application(size)))
    total = sum(map(len, chunks))
    assert exchange.status == (200 if total <= LIMIT else 413)
    if total <= LIMIT:
        assert exchange.json == {"size": total}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=utf-8",
        "application/problem+json",
        "application/vnd.lars.v1+json ; q=1",
    ],
)
async def test_json_types(content_type: str) -> None:
    """JSON by its own name or by a structured suffix (RFC 6839), parameters aside."""
    exchange = await post(b'{"a":1}', [("Content-Type", content_type)])
    assert exchange.json == {"a": 1}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "")],
        [("Content-Type", "text/json")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "application/jsonx")],
        [("Content-Type", "application/+json")],
        [("Content-Type", "application/json, text/plain")],
        [*JSON, ("Content-Encoding", "gzip")],
    ],
)
async def test_other_types(headers: HeaderList) -> None:
    """415 with the header to send, before the body is read."""
    exchange = await post(b'{"a":1}', headers)
    assert (exchange.status, exchange.json["code"], exchange.pulled) == (415, "unsupported_media_type", 0)
    assert exchange.json["detail"].endswith(
        ("send the header Content-Type: application/json", "uncompressed")
    )


async def test_identity_is_no_encoding() -> None:
    """Content-Encoding: identity says nothing."""
    assert (await post(b"{}", [*JSON, ("Content-Encoding", "identity")])).status == 200


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b'{"a":}', 1, 6),
        (b'{\n  "a": 1,,\n}', 2, 10),
        (b'{"a":1', 1, 7),
        (b'{"a":NaN}', 1, 6),
        (b'{"a":"\xff"}', 1, 1),
        (b"\xef\xbb\xbf{}", 1, 1),
        (b" ", 1, 1),
        (b"{} {}", 1, 4),
        (b'{"a":"\\ud800"}', 1, 7),
        (b'{"a":1e999,"b":"\\ud800"}', 1, 1),
    ],
)
async def test_not_json(body: bytes, line: int, column: int) -> None:
    """400 with the position."""
    exchange = await post(body)
    assert (exchange.status, exchange.json["code"]) == (400, "malformed_json")
    assert (exchange.json["line"], exchange.json["column"]) == (line, column)
    assert exchange.json["detail"].endswith(f"at line {line}, column {column}")


async def test_the_error_does_not_repeat_the_body() -> None:
    """It may be someone's program."""
    assert b"hush" not in (await post(b'{"password": "hush", }')).body


async def test_an_empty_body() -> None:
    """400 that says so, without a position."""
    exchange = await post(b"")
    assert (exchange.status, exchange.json["line"], exchange.json["column"]) == (400, None, None)
    assert exchange.json["detail"] == "the body is empty; send a JSON object"


async def test_nesting_is_bounded() -> None:
    """Deep nesting is a 400, not a crash."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse((await read_json_text(request, 10_000_000))[1])

    body = b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"
    exchange = await Exchange(method="POST", headers=JSON, chunks=[body]).run(application(endpoint))
    assert (exchange.status, exchange.json["code"]) == (400, "malformed_json")
    assert exchange.json["detail"] == "the body is nested deeper than 500 levels; send flatter JSON"
    assert exchange.json["line"] is None


@pytest.mark.parametrize(
    ("body", "value"),
    [(b"[1]", "an array of 1"), (b'"x"', "x"), (b"1", 1), (b"null", None), (b"true", True)],
)
async def test_json_but_no_object(body: bytes, value: object) -> None:
    """422: it is JSON, but not what is taken."""
    exchange = await post(body)
    assert (exchange.status, exchange.json["code"]) == (422, "validation_failed")
    assert exchange.json["errors"] == [
        {"field": "body", "message": "is not a JSON object", "value": value, "remedy": "send {...}"}
    ]


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53) | st.text(max_size=10), max_size=5))
def test_any_object(value: dict[str, object]) -> None:
    """What was sent is what the endpoint gets."""
    exchange = asyncio.run(post(orjson.dumps(value)))
    assert exchange.json == value


async def test_the_client_leaves_while_sending() -> None:
    """No answer, and the access line says why."""
    with logged() as lines:
        exchange = await Exchange(method="POST", headers=JSON, chunks=[b'{"a":'], leaves=True).run(
            application(echo)
        )
    assert exchange.sent == []
    assert [line["status"] for line in lines] == [499]


async def test_over_a_socket() -> None:
    """A caller who sends far more than the limit over a real connection gets the 413 and may go on."""

    async def upload() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 1_000_000

    with socket.create_server(("127.0.0.1", 0)) as listener, logged():
        config = uvicorn.Config(application(size), log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=base_url, timeout=20) as client:
                refused = await client.post("/", content=upload())
                accepted = await client.post("/", content=b"x" * LIMIT)
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
    assert accepted.json() == {"size": LIMIT}
