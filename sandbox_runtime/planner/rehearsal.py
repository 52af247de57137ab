"""Does once what will be done in earnest, so that all is imported that it needs: the SDKs import as they go,
and confined, the process can read no file of Python.

Each client sends a few requests through its real code, to a server of our own on loopback that lives as long
as this takes. What comes of them does not matter.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle
from typing import Final

from sandbox_runtime.planner import prompting, tracing
from sandbox_runtime.planner.guard import Hosts
from sandbox_runtime.planner.model import CallFailed, Model, ModelRequest, Prompt
from sandbox_runtime.planner.providers.opening import open_model
from sandbox_runtime.planning import ModelCall, Provider

_HOST: Final = "localhost"  # a name, so that the resolver is rehearsed too
_SECONDS: Final = 5.0
_KEY: Final = "rehearsal"
_DROP: Final = b""
_SPANS: Final = b"POST /v1/traces "
_TLS: Final = b"\x16"  # the first byte of a handshake (RFC 8446, 5.1)


def _answer(status: str, body: bytes, header: str = "content-type: application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


_ANSWERS: Final = (
    _answer("200 OK", b"{}"),
    _answer(
        "429 Too Many Requests", b'{"error":{"message":"wait"}}', "retry-after: Mon, 01 Jan 2001 00:00:00 GMT"
    ),
    _answer("200 OK", b"<p>", "content-type: text/html"),
    _answer("307 Temporary Redirect", b"", "location: /v1/elsewhere"),
    _answer("404 Not Found", b"{}"),
    _DROP,
)


def rehearse(providers: Iterable[Provider], tls: ssl.SSLContext, packages: tracing.Packages | None) -> None:
    """``providers``: those whose packages are installed. No thread is left when it is over. OSError where
    there is no loopback address."""
    asyncio.run(_rehearse(providers, tls, packages))


async def _rehearse(
    providers: Iterable[Provider], tls: ssl.SSLContext, packages: tracing.Packages | None
) -> None:
    answers = cycle(_ANSWERS)
    attending: set[asyncio.Task[None]] = set()

    def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attending.add(asyncio.ensure_future(_attend(reader, writer, answers)))

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    async with server:
        for provider in providers:
            await _rehearse_provider(provider, port, tls)
        if packages is not None:
            await asyncio.to_thread(_rehearse_tracing, packages, f"http://{_HOST}:{port}")
        await asyncio.to_thread(int)  # what a handler in the place of a model is run by
        if attending:
            await asyncio.wait(attending, timeout=_SECONDS)


async def _rehearse_provider(provider: Provider, port: int, tls: ssl.SSLContext) -> None:
    path = "/v1" if provider.name == "openai" else ""
    for scheme, times in (("http", len(_ANSWERS)), ("https", 1)):
        there = replace(provider, base_url=f"{scheme}://{_HOST}:{port}{path}")
        model = open_model(there, _KEY, Hosts([(_HOST, port)], [there.base_url]), tls)
        for _ in range(times):
            await _call(model)
        await model.close()


async def _call(model: Model) -> None:
    request = ModelRequest(Prompt("rules", (("user", "?"),)), prompting.schema_of("plan"), 16, "rehearsal")
    try:
        async with asyncio.timeout(_SECONDS):
            await model.call(request)
    except (CallFailed, TimeoutError):
        return


def _rehearse_tracing(packages: tracing.Packages, endpoint: str) -> None:
    spans = tracing.OtlpTracing(packages, endpoint)
    request = ModelRequest(Prompt("rules", ()), None, 16, "rehearsal")
    parent = f"00-{'1' * 32}-{'2' * 16}-01"
    for outcome in ("ok", "llm_failed"):
        spans.span(tracing.Asked("", "", (_HOST, 0)), request, parent).end(
            ModelCall("", "", outcome, 0, 0, 0, None, 0.0)
        )
    spans.close()


async def _attend(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Iterator[bytes]
) -> None:
    """Requests of one connection, until it is dropped."""
    try:
        while True:
            first = await reader.readexactly(1)
            if first == _TLS:
                break
            head = first + await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_content_length(head))
            # A collector that is busy would be asked again, after a while.
            answer = _ANSWERS[0] if head.startswith(_SPANS) else next(answers)
            if answer == _DROP:
                break
            writer.write(answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass  # it has ended
    finally:
        writer.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
