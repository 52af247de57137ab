"""The layer that lets no request see keys and functions as they were before a change that was answered."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.state import passage_of


class CatchUpMiddleware:
    """Inside the layer of errors, outside the router, which looks into the table of functions. Costs one read
    of shared memory while nothing has changed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            watch = passage_of(scope).watch
            if watch is not None and watch.behind:
                await watch.catch_up()
        await self.app(scope, receive, send)
