"""What each class of errors, and each code of the store, is over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.errors import access, functions, request, service
from service.errors.base import LarsError


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of errors is over HTTP. ``status`` and ``code`` never change; ``title`` may."""

    status: int
    code: str
    title: str


# A session's store says it of a record or its file, the service of a function or a directory: one meaning,
# one code.
_PRECONDITION: Final = Kind(412, "precondition_failed", "Precondition failed")
_STORAGE: Final = Kind(503, "storage_unavailable", "Data cannot be kept")

KINDS: Final[Mapping[type[LarsError], Kind]] = {
    request.BadRequest: Kind(400, "bad_request", "Bad request"),
    request.MalformedJson: Kind(400, "malformed_json", "The body is not JSON"),
    access.KeyMissing: Kind(401, "key_missing", "A key is required"),
    access.KeyMalformed: Kind(401, "key_malformed", "Not a key"),
    access.KeyUnknown: Kind(401, "key_unknown", "Unknown key"),
    access.KeyRevoked: Kind(401, "key_revoked", "The key was revoked"),
    access.KeyExpired: Kind(401, "key_expired", "The key has expired"),
    access.ScopeMissing: Kind(403, "scope_missing", "The key is not for this"),
    request.PolicyRefused: Kind(403, "policy_refused", "The policy refused the program"),
    request.UploadRefused: Kind(403, "upload_refused", "The upload was refused"),
    request.NotFound: Kind(404, "not_found", "Not found"),
    request.MethodNotAllowed: Kind(405, "method_not_allowed", "Method not allowed"),
    request.RequestTimeout: Kind(408, "request_timeout", "The request came too slowly"),
    request.Conflict: Kind(409, "conflict", "Conflict"),
    request.IdempotencyConflict: Kind(409, "idempotency_conflict", "The same request is running"),
    request.PreconditionFailed: _PRECONDITION,
    request.PayloadTooLarge: Kind(413, "payload_too_large", "Payload too large"),
    request.UriTooLong: Kind(414, "uri_too_long", "The URI is too long"),
    request.UnsupportedMediaType: Kind(415, "unsupported_media_type", "Unsupported media type"),
    request.ValidationFailed: Kind(422, "validation_failed", "Validation failed"),
    functions.ModuleFailed: Kind(422, "module_failed", "The module cannot be loaded"),
    access.RateLimited: Kind(429, "rate_limited", "A limit of the key is used up"),
    request.HeadersTooLarge: Kind(431, "headers_too_large", "The headers are too large"),
    functions.FunctionFailed: Kind(500, "function_error", "The function failed"),
    service.InternalError: Kind(500, "internal_error", "Internal error"),
    service.PlannerRequired: Kind(501, "planner_required", "A planner is required"),
    service.PlanFailed: Kind(502, "plan_failed", "The plan gave no reply"),
    service.PlanRefused: Kind(502, "plan_refused", "The plan was refused"),
    service.WorkerLost: Kind(502, "worker_lost", "The worker was lost"),
    service.Overloaded: Kind(503, "overloaded", "Overloaded"),
    service.QueueTimeout: Kind(503, "queue_timeout", "The queue took too long"),
    service.TooManyConnections: Kind(503, "too_many_connections", "Too many connections"),
    service.PlanPending: Kind(503, "plan_pending", "The plan is still being made"),
    service.NotReady: Kind(503, "not_ready", "Not ready"),
    access.ControlUnavailable: Kind(503, "control_unavailable", "Keys cannot be looked up"),
    service.StorageUnavailable: _STORAGE,
    access.LimitsUnavailable: Kind(503, "limits_unavailable", "Limits cannot be checked"),
    functions.FunctionTimeout: Kind(504, "function_timeout", "The function took too long"),
    service.RunTimeout: Kind(504, "run_timeout", "The plan took too long"),
}


# What a session's worker may say instead of an answer: the trees in sandbox_runtime.store.errors and
# sandbox_runtime.session_operations.errors.
STORE_KINDS: Final[Mapping[str, Kind]] = {
    kind.code: kind
    for kind in (
        Kind(400, "bad_query", "The query cannot be answered"),
        Kind(400, "query_too_slow", "The query takes too long"),
        Kind(400, "too_many_affected", "Too many records would change"),
        Kind(409, "collection_exists", "The collection exists"),
        Kind(409, "duplicate_id", "The id is taken"),
        Kind(409, "patch_conflict", "The patch does not fit"),
        Kind(409, "session_gone", "The session was deleted"),
        _PRECONDITION,
        Kind(422, "bad_archive", "The archive cannot be read"),
        Kind(422, "bad_json", "The JSON cannot be imported"),
        Kind(422, "bad_record", "The record cannot be stored"),
        Kind(422, "idempotency_key_reused", "The key belongs to another request"),
        Kind(422, "patch_invalid", "The patch is invalid"),
        Kind(500, "read_only", "A plan wrote where it may only read"),
        Kind(500, "store_damaged", "The session's file is damaged"),
        Kind(500, "store_error", "The store failed"),
        Kind(503, "session_busy", "The session is busy"),
        Kind(503, "session_unusable", "The session cannot be opened"),
        _STORAGE,
        Kind(507, "quota_exceeded", "The session is full"),
    )
}

# Why a language model was of no help: sandbox_runtime.planning.FAILURES, and what a front knows by itself.
PLANNER_KINDS: Final[Mapping[str, Kind]] = {
    kind.code: kind
    for kind in (
        Kind(422, "llm_refused", "The model declined"),
        Kind(422, "llm_request_budget", "The request needs too many tokens"),
        Kind(502, "llm_bad_reply", "The model wrote no usable code"),
        Kind(502, "llm_failed", "The provider failed"),
        Kind(502, "llm_host_refused", "The provider's host is not allowed"),
        Kind(502, "llm_malformed", "The provider's answer cannot be read"),
        Kind(502, "llm_model_unknown", "The provider does not know the model"),
        Kind(502, "llm_request_refused", "The provider refused the request"),
        Kind(502, "llm_truncated", "The model's reply was cut off"),
        Kind(502, "llm_unauthorized", "The provider refused the key"),
        Kind(502, "llm_unreachable", "The provider cannot be reached"),
        Kind(503, "llm_day_budget", "The day's tokens are used up"),
        Kind(503, "llm_overloaded", "Too many wait for a model"),
        Kind(503, "llm_rate_limited", "The provider's rate limit was met"),
        Kind(503, "llm_spend_limit", "The provider's spend limit was met"),
        Kind(503, "llm_unavailable", "The provider is not asked for a while"),
        Kind(503, "planner_not_configured", "No planner is configured"),
        Kind(503, "planner_unavailable", "The planner is down"),
        Kind(504, "llm_timeout", "The model took too long"),
    )
}


def kind_of(error: LarsError) -> Kind:
    """The row of the error's class, or of the store's or planner's code; what has none is an internal
    error."""
    if isinstance(error, service.StoreRefused):
        return STORE_KINDS.get(error.code, KINDS[service.InternalError])
    if isinstance(error, service.PlannerFailed):
        return PLANNER_KINDS.get(error.code, KINDS[service.InternalError])
    return KINDS.get(type(error), KINDS[service.InternalError])
