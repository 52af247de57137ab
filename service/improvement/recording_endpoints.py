"""/self-improve/recording: which calls of a function are kept to be replayed, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.access.passage import actor_of
from service.functions.call_store import Kept
from service.functions.registry import check_recording
from service.functions.values import Function, Recording
from service.functions.view import View, recording_view
from service.http.body import has_body, read_json_text
from service.http.members import read_members, whole_number
from service.state import state_of
from service.times import shown_time

_MAX_BODY: Final = 16 * 1024
_USUAL: Final = Recording(percent=100, calls=200)
_MEMBERS: Mapping[str, Callable[[Any, None], Any]] = {
    "sample_percent": whole_number,
    "max_calls": whole_number,
}


async def recording(request: Request) -> Response:
    """GET, PUT and DELETE /self-improve/recording/HASH/NAME. What other fronts have noted in the last second
    is not counted."""
    if request.method == "PUT":
        function = await _begin(request)
    elif request.method == "DELETE":
        function = await _end(request)
    else:
        function = await state_of(request).control.functions.get(*_name(request))
    recorder = state_of(request).functions.recorder
    await recorder.write()  # so that a caller finds their own calls
    kept = await recorder.kept(function.spec.hash, function.spec.name)
    return Response(orjson.dumps(recording_status(function, kept)), media_type="application/json")


def parse_recording(body: Mapping[str, Any]) -> Recording:
    """What PUT asks for. ValidationFailed."""
    values = read_members(body, _MEMBERS, None)
    wanted = Recording(values.get("sample_percent", _USUAL.percent), values.get("max_calls", _USUAL.calls))
    check_recording(wanted)
    return wanted


def recording_status(function: Function, kept: Kept) -> View:
    """As JSON shows it."""
    return {
        "visible_pixel_hash": function.spec.hash,
        "function_name": function.spec.name,
        "recording": recording_view(function.recording),
        "recorded": {
            "calls": kept.calls,
            "bytes": kept.size,
            "oldest": None if kept.oldest is None else shown_time(kept.oldest),
            "newest": None if kept.newest is None else shown_time(kept.newest),
            "too_long": kept.too_long,
        },
    }


async def _begin(request: Request) -> Function:
    """The file comes first: what cannot be kept is not switched on."""
    state = state_of(request)
    registry = state.control.functions
    body: Mapping[str, Any] = {}
    if has_body(request):
        _, body = await read_json_text(request, _MAX_BODY)
    wanted = parse_recording(body)
    await state.functions.recorder.prepare(await registry.get(*_name(request)), wanted)
    changed = await registry.set_recording(*_name(request), wanted, actor_of(request))
    await state.changed()
    return changed


async def _end(request: Request) -> Function:
    """Off first, so that nothing is noted any more."""
    state = state_of(request)
    changed = await state.control.functions.set_recording(*_name(request), None, actor_of(request))
    await state.changed()
    await state.functions.recorder.erase(changed.spec.hash, changed.spec.name, changed.revision)
    return changed


def _name(request: Request) -> tuple[str, str]:
    return request.path_params["contract"], request.path_params["name"]
