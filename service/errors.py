"""Every error that a caller can be answered with: one tree, one table, one JSON shape.

    LarsError
    ├── StoreRefused                 a session's store refused it: STORE_KINDS says who is at fault
    ├── RequestError                 the request is at fault
    │   ├── BadRequest
    │   │   └── MalformedJson
    │   ├── PolicyRefused
    │   ├── Unauthorized             no key, or none that is good
    │   │   ├── KeyMissing
    │   │   ├── KeyMalformed
    │   │   ├── KeyUnknown
    │   │   ├── KeyRevoked
    │   │   └── KeyExpired
    │   ├── ScopeMissing
    │   ├── NotFound
    │   ├── Conflict
    │   │   └── IdempotencyConflict
    │   ├── MethodNotAllowed
    │   ├── RequestTimeout
    │   ├── PayloadTooLarge
    │   ├── UriTooLong
    │   ├── HeadersTooLarge
    │   ├── RateLimited
    │   ├── UnsupportedMediaType
    │   └── ValidationFailed
    └── ServiceError                 the service is at fault
        ├── TryLater
        │   ├── Overloaded
        │   ├── QueueTimeout
        │   ├── TooManyConnections
        │   ├── NotReady
        │   ├── ControlUnavailable
        │   └── LimitsUnavailable
        ├── StorageUnavailable
        ├── PlanFailed
        ├── PlanRefused
        ├── PlannerRequired
        ├── RunTimeout
        ├── WorkerLost
        └── InternalError

What a program does (an exception, a timeout) is no error of the service: it is a 200 with a verdict.
``KINDS`` gives each class its status, code and title, ``STORE_KINDS`` each of the store's codes; ``problem``
makes the answer (RFC 9457). What a caller reads about each code is in ``service.error_docs``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:lars:error:"
INSTANCE_PREFIX = "urn:lars:request:"
_SHOWN = 100


class LarsError(Exception):
    """``detail``: a sentence for the caller. ``extra``: more members of the body. ``headers``: more of the
    response's."""

    def __init__(
        self,
        detail: str,
        *,
        extra: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


class StoreRefused(LarsError):
    """The session's worker gave no answer but a reason, whose ``code`` is of STORE_KINDS."""

    def __init__(
        self,
        code: str,
        detail: str,
        extra: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, extra=extra, headers=headers)
        self.code = code


class RequestError(LarsError):
    """The request is at fault; sent again as it is, it fails again."""


class BadRequest(RequestError):
    """The request is not well-formed HTTP for this service."""


class MalformedJson(BadRequest):
    """The body is not JSON. Lines and columns count from 1; None: there is no text to point at."""

    def __init__(self, detail: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(detail, extra={"line": line, "column": column})


class PolicyRefused(RequestError):
    """An AST policy refused the program before it ran. Lines and columns count from 1; None: of the whole."""

    def __init__(self, detail: str, *, rule: str, line: int | None, column: int | None) -> None:
        super().__init__(detail, extra={"verdict": "rejected", "rule": rule, "line": line, "column": column})


class Unauthorized(RequestError):
    """The caller has not shown a key that is good here (RFC 6750 section 3)."""

    challenge: ClassVar[str] = 'Bearer realm="lars", error="invalid_token"'

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": self.challenge})


class KeyMissing(Unauthorized):
    """No key came."""

    challenge = 'Bearer realm="lars"'


class KeyMalformed(Unauthorized):
    """What came has not the form of a key, or its checksum is wrong."""


class KeyUnknown(Unauthorized):
    """There is no such key; also said of a known key's id with another secret."""


class KeyRevoked(Unauthorized):
    """The key has been revoked."""


class KeyExpired(Unauthorized):
    """The key's time is over, or a rotation has replaced this secret."""


class ScopeMissing(RequestError):
    """The key is good, but not for this. ``who``: the name of its principal."""

    def __init__(self, detail: str, *, scope: str, who: str) -> None:
        challenge = f'Bearer realm="lars", error="insufficient_scope", scope="{scope}"'
        super().__init__(detail, extra={"scope": scope}, headers={"WWW-Authenticate": challenge})
        self.who = who


class NotFound(RequestError):
    """Nothing is there."""


class Conflict(RequestError):
    """What is there stands against it."""


class IdempotencyConflict(Conflict):
    """A request with the same Idempotency-Key has not been answered yet."""

    def __init__(
        self, detail: str = "a request with this Idempotency-Key still runs; wait for its answer"
    ) -> None:
        super().__init__(detail)


class MethodNotAllowed(RequestError):
    """The path exists, for other methods."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        allow = ", ".join(sorted(allowed))
        super().__init__(
            f"{_cut(method)} is not allowed on this path; use {allow or 'another path'}",
            headers={"Allow": allow},
        )


class PayloadTooLarge(RequestError):
    """A part of the request is over its limit, in bytes. ``setting`` is what an operator raises."""

    def __init__(self, field: str, limit: int, *, setting: str, observed: int | None = None) -> None:
        size = "more" if observed is None else f"{observed} bytes, more"
        super().__init__(
            f"{field} is {size} than the limit of {limit} bytes; send less, or have {setting} raised",
            extra={"field": field, "limit": limit},
        )


class RequestTimeout(RequestError):
    """A part of the request, ``field``, came too slowly for ``seconds``, which ``setting`` allows."""

    def __init__(self, field: str, seconds: float, *, setting: str) -> None:
        super().__init__(
            f"{field} of the request came too slowly for {seconds:g} s; send it faster, "
            f"or have {setting} raised",
            extra={"field": field, "limit": seconds},
        )


class UriTooLong(RequestError):
    """The URI alone is over the limit of a request's head, in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"URI is longer than the limit of {limit} bytes; send what is long in the body, "
            "or have LARS_MAX_HEADER_BYTES raised",
            extra={"field": "URI", "limit": limit},
        )


class HeadersTooLarge(RequestError):
    """There are more of ``field`` than ``limit``."""

    def __init__(self, field: str, limit: int, *, setting: str = "LARS_MAX_HEADER_BYTES") -> None:
        super().__init__(
            f"{field} are more than the limit of {limit}; send fewer, or have {setting} raised",
            extra={"field": field, "limit": limit},
        )


class RateLimited(RequestError):
    """The key has used up one of its limits. ``policy``: requests, concurrent, cpu or tokens; ``limit`` in
    its unit, for any ``window`` seconds (None: at once); ``retry_after``: whole seconds until a retry
    succeeds if nothing else is asked for. ``headers``: what the response says of all limits of the key."""

    def __init__(
        self, policy: str, limit: int, window: int | None, retry_after: int, headers: Mapping[str, str]
    ) -> None:
        seconds = max(1, retry_after)
        what = _RATE_WORDS[policy].format(limit=limit, window=window)
        super().__init__(
            f"the key is at its limit of {what}; send the request again after {seconds} s, "
            "or have the key's limits raised",
            extra={"policy": policy, "limit": limit, "window": window, "retry_after": seconds},
            headers={**headers, "Retry-After": str(seconds)},
        )


_RATE_WORDS: Final[Mapping[str, str]] = {
    "requests": "{limit} requests in {window} s",
    "concurrent": "{limit} runs at once",
    "cpu": "{limit} CPU seconds in {window} s",
    "tokens": "{limit} tokens in {window} s",
}


class UnsupportedMediaType(RequestError):
    """The body is not of a type that this path reads."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that cannot be accepted: where, why, what to send instead. ``value`` is shown shortened."""

    field: str
    message: str
    remedy: str
    value: object = MISSING
    limit: object = MISSING

    def as_json(self) -> dict[str, object]:
        """Members ``field``, ``message``, ``value`` and ``limit`` where there is one, ``remedy``."""
        body: dict[str, object] = {"field": self.field, "message": self.message}
        if self.value is not MISSING:
            body["value"] = shown(self.value)
        if self.limit is not MISSING:
            body["limit"] = self.limit
        return {**body, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}; {self.remedy}"


class ValidationFailed(RequestError):
    """The body is JSON, but not what this path takes. ``errors``: every field that is wrong, at least one."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}", extra={"errors": [error.as_json() for error in errors]})
        self.errors = tuple(errors)


class ServiceError(LarsError):
    """The request may be right; the service could not serve it."""


class TryLater(ServiceError):
    """The same request may succeed after ``retry_after`` whole seconds (RFC 9110 section 10.2.3).
    Without ``detail`` the class says what is usual for it."""

    usual: ClassVar[str] = "The service cannot serve this request now"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        seconds = max(1, retry_after)
        super().__init__(
            f"{detail or self.usual}; send it again after {seconds} s",
            extra={"retry_after": seconds},
            headers={"Retry-After": str(seconds)},
        )


class Overloaded(TryLater):
    """Pool and queue are full."""

    usual = "every worker is busy and the queue is full, so the request was refused and nothing ran"


class QueueTimeout(TryLater):
    """The request's own time was over while it waited for a worker."""

    usual = "the request's timeout passed while it waited for a worker, and nothing ran"


class TooManyConnections(TryLater):
    """Every connection that may be open is in use by a request."""

    usual = "every connection that may be open (LARS_MAX_CONNECTIONS) has a request in work"


class RunTimeout(ServiceError):
    """A plan ran past its deadline. Unless it was at its very last step, what it had done is undone."""

    def __init__(
        self,
        detail: str = "the request ran past its deadline (LARS_MAX_EXEC_MS); ask for less at once",
    ) -> None:
        super().__init__(detail)


class NotReady(TryLater):
    """Asked whether it is ready: no worker has run a program yet. Asked to run one: the pool is closed."""

    usual = "no worker is ready to run programs"


class ControlUnavailable(TryLater):
    """The control database refused, or could not be reached. ``reason``: what it said, for the log and the
    operator; a caller is not told."""

    usual = "the database of keys cannot be used"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class LimitsUnavailable(TryLater):
    """Whether the key is within its limits cannot be told, so the request is refused."""

    usual = "the counts of the key's limits cannot be reached, so the request was refused and nothing ran"


class WorkerLost(ServiceError):
    """The worker died without an account of the program."""

    def __init__(
        self, detail: str = "the worker died while it served the request; send it again if that does no harm"
    ) -> None:
        super().__init__(detail)


class StorageUnavailable(ServiceError):
    """The data root cannot be read or written."""


class PlanFailed(ServiceError):
    """A plan gave no reply that can be sent. What it had done is undone."""


class PlannerRequired(ServiceError):
    """No plan for a request of this shape can be made here. ``missing``: what a planner would have to add."""

    def __init__(self, detail: str, *, missing: str) -> None:
        super().__init__(detail, extra={"missing": missing})


class PlanRefused(ServiceError):
    """A planner wrote a program that the policy does not allow. It did not run."""

    def __init__(self, detail: str, *, rule: str | None = None, line: int | None = None) -> None:
        super().__init__(detail, extra={"rule": rule, "line": line})


class InternalError(ServiceError):
    """A fault of the service itself. The log has the traceback under the request's id."""

    def __init__(
        self,
        detail: str = "the service failed; its operator finds the reason in the log under the request id",
    ) -> None:
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of errors is over HTTP. ``status`` and ``code`` never change; ``title`` may."""

    status: int
    code: str
    title: str


KINDS: Final[Mapping[type[LarsError], Kind]] = {
    BadRequest: Kind(400, "bad_request", "Bad request"),
    MalformedJson: Kind(400, "malformed_json", "The body is not JSON"),
    KeyMissing: Kind(401, "key_missing", "A key is required"),
    KeyMalformed: Kind(401, "key_malformed", "Not a key"),
    KeyUnknown: Kind(401, "key_unknown", "Unknown key"),
    KeyRevoked: Kind(401, "key_revoked", "The key was revoked"),
    KeyExpired: Kind(401, "key_expired", "The key has expired"),
    ScopeMissing: Kind(403, "scope_missing", "The key is not for this"),
    PolicyRefused: Kind(403, "policy_refused", "The policy refused the program"),
    NotFound: Kind(404, "not_found", "Not found"),
    MethodNotAllowed: Kind(405, "method_not_allowed", "Method not allowed"),
    RequestTimeout: Kind(408, "request_timeout", "The request came too slowly"),
    Conflict: Kind(409, "conflict", "Conflict"),
    IdempotencyConflict: Kind(409, "idempotency_conflict", "The same request is running"),
    PayloadTooLarge: Kind(413, "payload_too_large", "Payload too large"),
    UriTooLong: Kind(414, "uri_too_long", "The URI is too long"),
    UnsupportedMediaType: Kind(415, "unsupported_media_type", "Unsupported media type"),
    ValidationFailed: Kind(422, "validation_failed", "Validation failed"),
    RateLimited: Kind(429, "rate_limited", "A limit of the key is used up"),
    HeadersTooLarge: Kind(431, "headers_too_large", "The headers are too large"),
    InternalError: Kind(500, "internal_error", "Internal error"),
    PlannerRequired: Kind(501, "planner_required", "A planner is required"),
    PlanFailed: Kind(502, "plan_failed", "The plan gave no reply"),
    PlanRefused: Kind(502, "plan_refused", "The plan was refused"),
    WorkerLost: Kind(502, "worker_lost", "The worker was lost"),
    Overloaded: Kind(503, "overloaded", "Overloaded"),
    QueueTimeout: Kind(503, "queue_timeout", "The queue took too long"),
    TooManyConnections: Kind(503, "too_many_connections", "Too many connections"),
    NotReady: Kind(503, "not_ready", "Not ready"),
    ControlUnavailable: Kind(503, "control_unavailable", "Keys cannot be looked up"),
    StorageUnavailable: Kind(503, "storage_unavailable", "Data cannot be kept"),
    LimitsUnavailable: Kind(503, "limits_unavailable", "Limits cannot be checked"),
    RunTimeout: Kind(504, "run_timeout", "The plan took too long"),
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
        Kind(412, "precondition_failed", "Precondition failed"),
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
        Kind(507, "quota_exceeded", "The session is full"),
    )
}


def kind_of(error: LarsError) -> Kind:
    """The row of the error's class, or of the store's code; what has none is an internal error."""
    if isinstance(error, StoreRefused):
        return STORE_KINDS.get(error.code, KINDS[InternalError])
    return KINDS.get(type(error), KINDS[InternalError])


def problem(error: LarsError, request_id: str | None = None) -> tuple[int, dict[str, str], dict[str, object]]:
    """Status, headers and body of the answer.

    Body: ``type title status detail`` and, with a request id, ``instance`` (RFC 9457 section 3.1); ``code``;
    ``error`` (``detail`` on one line); ``request_id``; then the error's own members, which displace none of
    these.
    """
    kind = kind_of(error)
    body: dict[str, object] = {
        "type": TYPE_PREFIX + kind.code,
        "title": kind.title,
        "status": kind.status,
        "detail": error.detail,
        "code": kind.code,
        "error": " ".join(error.detail.split()),
    }
    if request_id is not None:
        body |= {"instance": INSTANCE_PREFIX + request_id, "request_id": request_id}
    return kind.status, {**error.headers, "Content-Type": MEDIA_TYPE}, body | error.extra | body


def shown(value: object) -> object:
    """``value`` as an error may repeat it: short, and always valid JSON."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else _cut(f"{value:#x}")
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, list | tuple):
        return f"an array of {len(value)}"
    return f"an object of {len(value)} members" if isinstance(value, dict) else type(value).__name__


def _cut(text: str) -> str:
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return short.encode("utf-8", "backslashreplace").decode("utf-8")
