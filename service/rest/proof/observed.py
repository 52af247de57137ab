"""What a plan made of a sample, and what is wrong with it. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox_runtime.call import Reply
from service.errors import STORE_KINDS, PlanFailed
from service.rest.answer import plan_headers

_WRITES = "it changes data, and a request of this method only reads"


@dataclass(frozen=True, slots=True)
class Observed:
    """``body``: JSON, None where there is none. ``code``: of an error that has one. ``fault``: why no such
    plan may run, "" for none."""

    status: int
    headers: dict[str, str]
    body: Any = None
    code: str = ""
    fault: str = ""


def observe(text: bytes | None, reply: Reply) -> Observed:
    """From what the worker sent."""
    trouble = reply.trouble
    if trouble is not None:
        kind = STORE_KINDS.get(trouble.code)
        if kind is None or kind.status >= 500:
            fault = _WRITES if trouble.code == "read_only" else trouble.detail
            return Observed(reply.status, {}, code=trouble.code, fault=fault)
        return Observed(kind.status, {}, code=kind.code)
    body = None if text is None else json.loads(text)
    code = body.get("code") if isinstance(body, dict) and reply.status >= 400 else None
    seen = code if isinstance(code, str) else ""
    return Observed(reply.status, reply.headers, body, seen, _fault(reply))


def _fault(reply: Reply) -> str:
    if reply.status >= 500:
        return f"it replied with the status {reply.status}; a plan answers what it is sent, below 500"
    try:
        plan_headers(reply.headers, None)
    except PlanFailed as error:
        return error.detail
    return ""
