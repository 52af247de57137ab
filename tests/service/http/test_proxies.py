"""Whose word counts for who the client is."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.http.proxies import behind
from tests.service.http.harness import Exchange
from tests.service.http.stack import application, logged

PEER = "127.0.0.1"


async def show(request: Request) -> Response:
    """Answers the client and the scheme that endpoints see."""
    return JSONResponse([request.client.host if request.client else None, request.url.scheme])


async def seen(trusted: tuple[str, ...], *forwarded: str, scheme: str = "https") -> list[str]:
    """What ``show`` answers to a request from PEER with these headers; the log says the same client."""
    headers = [("X-Forwarded-For", value) for value in forwarded] + [("X-Forwarded-Proto", scheme)]
    with logged() as lines:
        exchange = await Exchange(headers=headers).run(behind(trusted, application(show)))
    assert [line["client"] for line in lines] == [exchange.json[0]]
    return list(exchange.json)


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",), ("::1/128",), ("127.0.0.2/32",)])
async def test_an_untrusted_peer(trusted: tuple[str, ...]) -> None:
    """What it says of others is not read."""
    assert await seen(trusted, "203.0.113.7") == [PEER, "http"]


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (("203.0.113.7",), "203.0.113.7"),
        (("10.9.9.9, 203.0.113.7",), "203.0.113.7"),  # the left part is the client's own invention
        (("1.2.3.4, 203.0.113.7, 10.1.2.3",), "203.0.113.7"),  # two proxies
        (("1.2.3.4", "203.0.113.7"), "203.0.113.7"),  # the header twice
        (("203.0.113.7:4711",), "203.0.113.7"),
        (("2001:db8::7",), "2001:db8::7"),
        (("[2001:db8::7]:4711",), "2001:db8::7"),
        (("10.0.0.1, 10.0.0.2",), "10.0.0.1"),  # the first of the proxies is the client
    ],
)
async def test_a_trusted_peer(forwarded: tuple[str, ...], client: str) -> None:
    """The rightmost address that is not of a trusted proxy."""
    assert await seen(("127.0.0.0/8", "10.0.0.0/8"), *forwarded) == [client, "https"]


@pytest.mark.parametrize(
    "forwarded",
    ["", ",", "unknown", "1.2.3.4, nonsense", "1.2.3.4, <script>", "1.2.3.4, 999.1.1.1", "[::1", "x" * 5000],
)
async def test_what_is_no_address(forwarded: str) -> None:
    """The client is the peer then: what stands left of it is not believed either."""
    assert (await seen(("127.0.0.0/8",), forwarded))[0] == PEER


async def test_another_scheme() -> None:
    """Only those of HTTP count."""
    assert (await seen(("127.0.0.0/8",), scheme="javascript"))[1] == "http"
