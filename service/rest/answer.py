"""From a plan's reply to the HTTP response: the one place where a plan's words become headers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from sandbox_runtime.call import Reply
from service.errors import INSTANCE_PREFIX, MEDIA_TYPE, PlanFailed, StoreRefused
from service.http.request_id import request_id_of
from service.rest.links import link_header, uri
from service.rest.plan_cache import Admitted, Source
from service.telemetry.requests import count_problem

_JSON = "application/json"
_VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
# What a plan may set. Others steer browsers and proxies (X-Accel-Redirect, Set-Cookie), or are ours.
_PLANS = {
    name.lower(): name
    for name in (
        *("Accept-Patch", "Allow", "Cache-Control", "ETag", "Idempotency-Replayed", "Last-Modified", "Link"),
        *("Location", "Preference-Applied", "Retry-After", "Vary", "Warning", "X-Total-Count"),
        *("Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin"),
        "Access-Control-Expose-Headers",
    )
}


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply, and how it came about. ``text``: the body as JSON text; ``timing``: of Server-Timing;
    ``warning``: what the plan does not know of the request, and its sender should, or ""."""

    admitted: Admitted
    source: Source
    text: bytes | None
    reply: Reply
    timing: str
    warning: str = ""


def respond(request: Request, answered: Answered) -> Response:
    """The response. StoreRefused for what the store refuses, PlanFailed for a reply that cannot be sent."""
    trouble, hints = answered.reply.trouble, answered.admitted.plan.response_hints
    headers = {
        "X-Plan-Id": answered.admitted.id,
        "X-Plan-Source": answered.source,
        "Server-Timing": answered.timing,
    }
    if trouble is not None:
        if trouble.code == "plan_failed":
            raise PlanFailed(trouble.detail, headers=headers)
        raise StoreRefused(trouble.code, trouble.detail, trouble.extra, headers)
    absolute = hints.get("links") == "absolute"
    url = str(request.url.replace(query="", fragment="")) if absolute else None
    headers |= plan_headers(answered.reply.headers, url)
    if answered.warning:
        said = headers.get("Warning")
        headers["Warning"] = answered.warning if said is None else f"{said}, {answered.warning}"
    headers.setdefault("Vary", "X-Session-ID, Authorization, X-API-Key, Prefer")
    text = answered.text if answered.text is not None else b""
    if answered.reply.status >= 400:
        text, headers["Content-Type"] = _problem(text, request.scope)
    elif answered.text is not None:
        headers["Content-Type"] = _JSON
    response = Response(text, status_code=answered.reply.status, headers=headers)
    if hints.get("body") is False:
        response.body = b""
    return response


def _problem(text: bytes, scope: Scope) -> tuple[bytes, str]:
    """A problem of the plan's with the members that only the front knows, and its media type, counted; what a
    dialect answers instead, as it is."""
    try:
        body = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError:  # a number above 1e308: JSON all the same, and no problem of ours
        return text, _JSON
    if not isinstance(body, dict) or "type" not in body:
        return text, _JSON
    count_problem(scope, str(body.get("code")))
    request_id = request_id_of(scope)
    known = {} if request_id is None else {"instance": INSTANCE_PREFIX + request_id, "request_id": request_id}
    return orjson.dumps({**body, **known}), MEDIA_TYPE


def plan_headers(said: dict[str, str], url: str | None) -> dict[str, str]:
    """The headers of a plan's reply as they are sent; ``url``: what Link's references are completed with.
    PlanFailed for one that is not the plan's to set, or that no header can hold."""
    found: dict[str, str] = {}
    for written, value in said.items():
        name = _PLANS.get(written.lower())
        if name is None or name in found:
            raise PlanFailed(f"the plan set the header {written[:60]!a}, which is none of its own, or twice")
        sent = uri(value) if name == "Location" else link_header(value, url) if name == "Link" else value
        if not _VALUE.fullmatch(sent):
            raise PlanFailed(f"the plan set the header {name} to what no header can hold: {sent[:60]!a}")
        found[name] = sent
    return found
