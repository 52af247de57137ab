"""The ASGI application of the functions, for another application to mount: one for each process.

Nothing happens when it is made. What serves its requests begins with the first of them, or with ``running``,
on the event loop where that is; a host's other children, signals, logs and settings are left alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from starlette._utils import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from service.app import create_functions_app
from service.embedding.stay import Standing, Stay
from service.errors import NotReady
from service.settings import Settings

_PAUSE = 1.0  # seconds after a start that failed, before a request tries again
_WHY_IN_LOG = "the functions could not be started here; the log of the application says why"
_NO_SUPERVISOR = "the process that makes workers has ended, and the next is about to be started"
_CLOSED = "the functions have been closed here"
_log: FilteringBoundLogger = structlog.get_logger(__name__)


class DynamicApp:
    """``service.functions.create_dynamic_app`` makes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = create_functions_app(settings.cors_origins, partial(_Standing, self))
        self._stay: Stay | None = None
        self._making = threading.Lock()
        self._closed = False
        self._failed_at = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. RuntimeError on another event loop than the one where it runs."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self._check_loop()
        await self._app({"client": None, **scope}, receive, send)  # the host's own scope stays as it is

    @asynccontextmanager
    async def running(self) -> AsyncIterator[DynamicApp]:
        """For the host's lifespan, which no mounted application hears of: started here, and closed with the
        block. ControlRefused, StartFailed, or another error of the start."""
        error = await self._begin()
        if error is not None:
            raise error
        try:
            yield self
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """End all that was started, and wait for it. Requests are refused from now on, until ``running``."""
        self._check_loop()
        self._closed = True
        stay, self._stay = self._stay, None
        if stay is not None and not stay.over:
            await stay.end()

    async def stands(self) -> Standing:
        """For a request: what serves it, started where it is not. NotReady."""
        stay = self._stay
        if stay is not None and stay.standing is not None:
            return stay.standing
        if self._closed:
            raise NotReady(_CLOSED)
        if time.monotonic() - self._failed_at < _PAUSE:
            raise NotReady(_WHY_IN_LOG)
        stay = self._stay_here()
        if await stay.begun() is not None or stay.standing is None:
            raise NotReady(_WHY_IN_LOG)
        return stay.standing

    async def _begin(self) -> BaseException | None:
        self._closed = False
        return await self._stay_here().begun()

    def _stay_here(self) -> Stay:
        """The one there is, or another."""
        with self._making:
            self._check_loop()
            if self._stay is None or self._stay.over:
                self._stay = Stay(self._settings, self._stood)
            return self._stay

    def _stood(self, standing: Standing | BaseException) -> None:
        if isinstance(standing, Standing):
            self._app.state.service = standing.state
        else:
            self._failed_at = time.monotonic()
            _log.error("functions_could_not_start", exc_info=standing)

    def _check_loop(self) -> None:
        stay = self._stay
        if stay is None or stay.loop is asyncio.get_running_loop() or stay.over:
            return
        raise RuntimeError(
            f"these functions run on another event loop, of process {stay.pid}, and serve that one alone; "
            "call create_dynamic_app() once for each loop, and let none begin before the process forks"
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        """As the application of a server of its own."""
        await receive()
        error = await self._begin()
        if error is not None:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.aclose()
        await send({"type": "lifespan.shutdown.complete"})


class _Standing:
    """The layer that has the start waited for, and says so when no worker can come."""

    def __init__(self, dynamic: DynamicApp, app: ASGIApp) -> None:
        self._app = app
        self._dynamic = dynamic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            standing = await self._dynamic.stands()
            if not standing.workshop.attended and get_route_path(scope) != "/health":
                raise NotReady(_NO_SUPERVISOR)
        await self._app(scope, receive, send)
