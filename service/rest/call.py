"""From a request and its plan to the one call of the session's worker. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from sandbox_runtime.call import Call, Replay
from service.errors import BadRequest, FieldError
from service.rest.context import FORM, RequestContext
from service.rest.plan_cache import Admitted

_KEYED = ("POST", "PATCH")
_MAX_KEY = 255


def call_for(admitted: Admitted, context: RequestContext, body: bytes, key: str | None) -> Call:
    """``key``: the Idempotency-Key, which plans do not see. BadRequest when it is none."""
    plan = admitted.plan
    transaction = plan.response_hints.get("transaction", "write")
    ctx = context.as_ctx()
    del ctx["body_json"]  # goes as text: the worker reads numbers of any size exactly
    return Call(
        plan_id=admitted.id,
        plan={name: value for name, value in plan.as_json().items() if name != "code"},
        ctx=ctx,
        write=transaction != "read",
        block=plan.block,
        body=_body_text(context, body),
        dry_run=transaction == "rollback",
        replay=_replay(context, body, key) if transaction == "write" else None,
    )


def _body_text(context: RequestContext, body: bytes) -> str | None:
    if not context.media_type:
        return None
    return orjson.dumps(context.body_json).decode() if context.media_type == FORM else body.decode()


def _replay(context: RequestContext, body: bytes, key: str | None) -> Replay | None:
    if key is None or context.method not in _KEYED:
        return None
    if not 0 < len(key) <= _MAX_KEY:
        error = FieldError(
            "Idempotency-Key",
            f"has {len(key)} characters",
            f"send 1 to {_MAX_KEY}, such as a UUID",
            limit=_MAX_KEY,
        )
        raise BadRequest(str(error), extra={"errors": [error.as_json()]})
    return Replay(key, _fingerprint(context, body))


def _fingerprint(context: RequestContext, body: bytes) -> str:
    """Of everything that the answer depends on, but no headers that differ in a retry, such as trace ids."""
    headers: Mapping[str, Any] = context.headers
    told = [headers.get(name) for name in ("content-type", "if-match", "if-none-match", "prefer")]
    query = list(context.query.items())
    known = orjson.dumps([context.method, context.path, query, told])
    return hashlib.sha256(len(known).to_bytes(4) + known + body).hexdigest()
