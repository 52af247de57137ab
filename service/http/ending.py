"""What a request sees of its connection: it can write to it, and its last answer does not cut it off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Ending:
    """In the transport's place for uvicorn's ``RequestResponseCycle``, which closes it behind an answer that
    is the last. With bytes unread that resets the connection, and a caller who still sends may never see the
    answer (RFC 9112 section 9.6). ``end`` is called instead."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = end
