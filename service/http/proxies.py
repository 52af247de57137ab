"""Who the client is behind a proxy that the operator trusts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn._types import ASGI3Application
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_PEER = "lars.peer"


def behind(trusted: Sequence[str], app: ASGIApp) -> ASGIApp:
    """``app`` with the client that uvicorn reads from X-Forwarded-For: the rightmost address that is not of
    ``trusted``, when the peer is. Without ``trusted``, ``app`` itself: the client is the peer."""
    if not trusted:
        return app
    forwarded = ProxyHeadersMiddleware(cast(ASGI3Application, _AddressOnly(app)), list(trusted))

    async def keep_peer(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_PEER] = scope.get("client")
        await cast(ASGIApp, forwarded)(scope, receive, send)

    return keep_peer


class _AddressOnly:
    """What a proxy passes on may be any text. What is no address does not count: the client is the peer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.pop(_PEER, None)
        if scope.get("client") != peer and not _is_address(scope["client"][0]):
            scope["client"] = peer
        await self._app(scope, receive, send)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
