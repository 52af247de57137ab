"""An application of the pages and the document alone, over functions of a test, on a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from service.functions.table import FunctionTable
from service.system import docs_pages
from service.system.live_document import Frame, LiveDocument
from service.system.openapi import document
from tests.service.functions.described import SETTINGS, text_of
from tests.support import wait_until


def application(table: FunctionTable) -> Starlette:
    """At the root, and below /below."""
    live = LiveDocument()

    async def openapi(request: Request) -> Response:
        root = request.scope["root_path"]
        frame = Frame(root, None, lambda: document(SETTINGS) | {"servers": [{"url": root or "/"}]})
        rendered = await live.rendered(table, frame)
        return Response(text_of(rendered), media_type="application/json")

    async def own(request: Request) -> Response:
        return Response(
            f'{{"called": "{request.url.path}?{request.url.query}"}}', media_type="application/json"
        )

    routes = [
        Route("/openapi.json", openapi),
        Route("/docs", docs_pages.docs),
        Route("/redoc", docs_pages.redoc),
        Route("/docs/assets/{digest}/{name}", docs_pages.asset),
        Route("/own/{name}", own),
    ]
    return Starlette(routes=[*routes, Mount("/below", routes=routes)])


@contextmanager
def served(table: FunctionTable) -> Iterator[str]:
    """Its URL."""
    server = uvicorn.Server(
        uvicorn.Config(application(table), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, "a server that listens")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
