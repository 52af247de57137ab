"""A front's application with faults of its own: ``python -m tests.access.faulty_front LISTENER``.

early   raises before there is an answer
late    raises in the middle of one
told    raises an error whose text has the key: what a fault must never say
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from service.access.scopes import Scope
from service.app import create_app
from service.http.connections import Connections
from service.http.limits import Limits
from service.http.protocol import bounded
from service.http.routing import OwnedRoute
from service.limits.store import open_store
from service.pool.pool import Pool, PoolSize
from service.settings import Settings
from service.state import new_passage, new_state
from service.telemetry.logs import configure_logging


async def early(request: Request) -> Response:
    key = request.headers["x-api-key"]
    raise RuntimeError(f"a fault in a request with a key of {len(key)} characters")


async def late(request: Request) -> Response:
    async def parts(key: str) -> AsyncIterator[bytes]:
        yield b"the first half"
        raise RuntimeError(f"a fault in an answer to a key of {len(key)} characters")

    return StreamingResponse(parts(request.headers["x-api-key"]))


async def told(request: Request) -> Response:
    raise RuntimeError(request.headers["x-api-key"])


async def main(listener: socket.socket) -> None:
    settings = Settings.from_env(os.environ)
    configure_logging(settings)
    pool = Pool(PoolSize(idle=0, workers=1, queue=1))
    app = create_app(new_state(settings, pool, new_passage(settings, await open_store("memory"))))
    for fault in (early, late, told):
        app.router.routes.insert(0, OwnedRoute(f"/_/{fault.__name__}", fault, ("GET",), Scope.REST))
    protocol = bounded(Connections(Limits.of(settings)))
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1]))))
