"""An application behind a protocol, over TCP, in the loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.service.http.stack import logged


@asynccontextmanager
async def served(app: ASGIApp, protocol: type[asyncio.Protocol]) -> AsyncIterator[int]:
    """A server; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, logged():
        config = uvicorn.Config(app, http=protocol, ws="none", log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, timeout=20)
