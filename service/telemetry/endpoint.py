"""GET /metrics."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from service.state import state_of
from service.telemetry.board import columns
from service.telemetry.metrics import Measured, render
from service.telemetry.publishing import publish

MAX_VERSIONS: Final = 1000  # of functions: each is two dozen lines


async def metrics(request: Request) -> Response:
    """What all processes have counted, for Prometheus."""
    state = state_of(request)
    publish(state)
    measured = Measured(
        await state.control.figures.overview(MAX_VERSIONS),
        await state.planning.figures(),
        columns(),
        await state.control.runs.by_status(),
        state.settings.data_root,
    )
    accept = ",".join(request.headers.getlist("accept"))
    text, media_type = await anyio.to_thread.run_sync(render, measured, accept)
    return Response(text, headers={"Content-Type": media_type})
