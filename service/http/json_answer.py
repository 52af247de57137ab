"""The least that an answer can be: 200, JSON text, one header of its own."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

_TYPE = (b"content-type", b"application/json")


class JsonText:
    """An ASGI application, as Starlette's responses are, which parse and sort what here is known."""

    __slots__ = ("_header", "_text")

    def __init__(self, text: bytes, header: tuple[bytes, bytes]) -> None:
        """``header``: its name in lower case, and its value."""
        self._text = text
        self._header = header

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = (b"content-length", b"%d" % len(self._text))
        headers = [_TYPE, length, self._header]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._text})
