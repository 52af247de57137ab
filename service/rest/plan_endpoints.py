"""GET /_/plans and /_/plans/{plan}."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import principal_of
from service.errors import NotFound
from service.state import state_of


async def list_plans(request: Request) -> Response:
    """The plans of this front that have served the caller, the latest used first."""
    plans = [admitted.as_json() for admitted in state_of(request).plans.of(principal_of(request).name)]
    return Response(orjson.dumps({"plans": plans}), media_type="application/json")


async def show_plan(request: Request) -> Response:
    """One plan by the id that X-Plan-Id told."""
    plan = str(request.path_params["plan"])
    admitted = await state_of(request).plans.get(plan)
    if admitted is None:
        raise NotFound(f"there is no plan {plan[:100]!r}; GET /_/plans lists those that are in use")
    return Response(orjson.dumps(admitted.as_json()), media_type="application/json")
