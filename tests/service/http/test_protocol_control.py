"""What uvicorn's own protocol lets through: attacks with the bounds off, and on. The application answers each
request with its path."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.connections import Connections
from service.http.limits import Limits
from service.http.protocol import bounded
from tests.service.http.serving import served
from tests.service.http.stack import application

LIMITS = Limits(
    4096, 20, header_seconds=5, body_seconds=5, write_seconds=5, connections=8, buffer_bytes=1 << 20
)
HOST = b"Host: x\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def path(request: Request) -> Response:
    """Answers the path, and how often there was a host."""
    return PlainTextResponse(f"{request.url.path} {len(request.headers.getlist('host'))}")


async def told(port: int, pieces: Sequence[bytes]) -> bytes:
    """All that comes back when ``pieces`` are sent, the next after the first byte of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    text = b""
    for piece in pieces:
        writer.write(piece)
        text += await asyncio.wait_for(reader.read(1), 10)
    text += await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return text


# Name: what is sent, how the answer ends without the bounds, and the status with them.
ATTACKS: Mapping[str, tuple[Sequence[bytes], bytes, int]] = {
    "bytes": (
        [b"GET / HTTP/1.1\r\n%sX: %s\r\nConnection: close\r\n\r\n" % (HOST, b"a" * 1_000_000)],
        b"/ 1",
        431,
    ),
    "target": ([b"GET /%s HTTP/1.0\r\n\r\n" % (b"a" * 60_000)], b"aaa 0", 414),
    "fields": ([b"GET / HTTP/1.0\r\n%s\r\n" % (b"X: \r\n" * 5000)], b"/ 0", 431),
    "two hosts": ([b"GET / HTTP/1.1\r\n%s%sConnection: close\r\n\r\n" % (HOST, HOST)], b"/ 2", 400),
    "no host": ([b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"], b"/ 0", 400),
    "HTTP/0.9": ([b"GET /\r\n\r\n"], b"/ 0", 400),
    "coding": (
        [b"GET / HTTP/1.0\r\n%sTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n" % HOST],
        b"/ 1",
        400,
    ),
    "a body read as a request": (
        [
            b"GET / HTTP/1.1\r\n%sConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 56\r\n\r\n" % HOST,
            SMUGGLED,
        ],
        b"/smuggled 1",
        400,
    ),
}


async def test_without_and_with_bounds() -> None:
    """The application answers, or there is nothing but the refusal."""
    app = application(path, "/{rest:path}")
    async with (
        served(app, HttpToolsProtocol) as without,
        served(app, bounded(Connections(LIMITS))) as within,
    ):
        for name, (pieces, passes, status) in ATTACKS.items():
            answer = await told(without, pieces)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), name
            assert answer.endswith(passes), name
            refused = await told(within, pieces)
            assert refused.startswith(b"HTTP/1.1 %d " % status), name
            assert refused.count(b"HTTP/1.1 ") == 1, name
