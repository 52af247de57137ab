"""The one shape of every error answer.

An answer with a status of 400 or more has the media type ``application/problem+json`` and a JSON object with

- ``type``      "urn:lars:error:" and the code                                  (RFC 9457 section 3.1.1)
- ``title``     the same text for every error of the code, one line
- ``status``    the HTTP status, a number
- ``detail``    a non-empty text about this occurrence
- ``code``      lower-case words joined by "_", unique to its class
- ``error``     ``detail`` on one line: a string, for callers that read only that
- ``instance``  "urn:lars:request:" and the request id, when there is one
- ``request_id``  the request id, when there is one

and the members of its own that its class has:

- policy_refused: ``verdict`` ("rejected"), ``rule``, ``line``, ``column``
- scope_missing: ``scope``
- upload_refused: ``reason``, a word
- malformed_json: ``line``, ``column``
- payload_too_large, uri_too_long, headers_too_large: ``field``, ``limit``
- request_timeout: ``field``, ``limit`` in seconds
- validation_failed: ``errors``, a non-empty array of {field, message, value?, limit?, remedy}
- overloaded, queue_timeout, too_many_connections, plan_pending, not_ready, control_unavailable,
  limits_unavailable, and of PLANNER_KINDS those after which waiting may help:
  ``retry_after``, whole seconds, also in the header ``Retry-After``
- rate_limited: ``policy``, ``limit``, ``window`` (seconds or null), ``retry_after`` as above; beside that
  header those of the key's limits

Errors of status 401, and scope_missing, have the header ``WWW-Authenticate``.
method_not_allowed has the header ``Allow``. No member of a class takes the place of a common one.
"""

from __future__ import annotations

import orjson
import pytest

from service import errors
from service.error_docs import ADVICE
from service.errors import KINDS, FieldError, LarsError, problem
from service.http.problem import ProblemResponse

EXAMPLES: tuple[LarsError, ...] = (
    errors.BadRequest("the header is wrong"),
    errors.MalformedJson("the body is not JSON: unexpected end", line=1, column=7),
    errors.KeyMissing("no key came"),
    errors.KeyMalformed("no key"),
    errors.KeyUnknown("no such key"),
    errors.KeyRevoked("it was revoked"),
    errors.KeyExpired("it has expired"),
    errors.ScopeMissing("it has the scope rest", scope="execute", who="key:abc"),
    errors.PolicyRefused("import is not allowed", rule="import", line=3, column=1),
    errors.UploadRefused("x.py is a symbolic link", reason="link"),
    errors.NotFound("nothing is served here"),
    errors.MethodNotAllowed("PUT", ("POST", "GET")),
    errors.RequestTimeout("head", 10, setting="LARS_HEADER_SECONDS"),
    errors.Conflict("the session holds data"),
    errors.IdempotencyConflict(),
    errors.PreconditionFailed("the function has another version"),
    errors.PayloadTooLarge("code", 10, setting="LARS_MAX_CODE_BYTES", observed=11),
    errors.UriTooLong(32768),
    errors.UnsupportedMediaType("Content-Type is text/plain"),
    errors.ValidationFailed([FieldError("timeout", "is too high", "ask for less", value=99, limit=60)]),
    errors.ModuleFailed("ValueError", "no such rate", 3, None),
    errors.RateLimited("requests", 100, 60, 7, {"RateLimit": '"requests";r=0;t=7'}),
    errors.HeadersTooLarge("header fields", 100, setting="LARS_MAX_HEADERS"),
    errors.FunctionFailed("ZeroDivisionError", "division by zero", 7),
    errors.InternalError(),
    errors.PlannerRequired("no rule", missing="actions"),
    errors.PlanFailed("the plan raised KeyError"),
    errors.PlanRefused("import", rule="node", line=1),
    errors.WorkerLost(),
    errors.Overloaded(retry_after=3),
    errors.QueueTimeout(retry_after=2),
    errors.TooManyConnections(retry_after=1),
    errors.PlanPending(retry_after=2),
    errors.NotReady("no worker\nhas proved itself"),
    errors.ControlUnavailable("PostgreSQL at db: connection refused"),
    errors.StorageUnavailable("data cannot be kept: no space left on device"),
    errors.LimitsUnavailable(),
    errors.FunctionTimeout("it ran past the deadline"),
    errors.RunTimeout(),
)
COMMON = {"type", "title", "status", "detail", "code", "error", "instance", "request_id"}
OWN_HEADERS = {
    **{
        code: {"www-authenticate"}
        for code in ("key_missing", "key_malformed", "key_unknown", "key_revoked", "key_expired")
    },
    "scope_missing": {"www-authenticate"},
    "method_not_allowed": {"allow"},
    "overloaded": {"retry-after"},
    "queue_timeout": {"retry-after"},
    "too_many_connections": {"retry-after"},
    "plan_pending": {"retry-after"},
    "not_ready": {"retry-after"},
    "control_unavailable": {"retry-after"},
    "limits_unavailable": {"retry-after"},
    "rate_limited": {"retry-after", "ratelimit"},
}


def test_every_class_has_an_example() -> None:
    """The tests below speak for all of them."""
    assert [type(example) for example in EXAMPLES] == list(KINDS)


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_shape(error: LarsError) -> None:
    """The specification above, member by member."""
    kind = KINDS[type(error)]
    response = ProblemResponse(error, "req-1")
    body = orjson.loads(response.body)
    assert response.status_code == kind.status == body["status"]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["content-length"] == str(len(response.body))
    assert set(response.headers) - {"content-type", "content-length"} == OWN_HEADERS.get(kind.code, set())
    assert body["type"] == f"urn:lars:error:{body['code']}"
    assert (body["title"], body["code"]) == (kind.title, kind.code)
    assert body["detail"] == error.detail != ""
    assert body["error"] == " ".join(error.detail.split())
    assert body["instance"] == "urn:lars:request:req-1"
    assert body["request_id"] == "req-1"
    assert set(body) == COMMON | set(ADVICE[type(error)].members)


def test_without_a_request_id() -> None:
    """The two members about the request are absent, not null."""
    assert set(problem(errors.NotFound("x"))[2]) == COMMON - {"instance", "request_id"}


def test_members_of_its_own() -> None:
    """Their values, for each class that has any."""
    bodies = {body["code"]: body for body in (problem(error)[2] for error in EXAMPLES)}
    refused = bodies["policy_refused"]
    assert [refused[name] for name in ("verdict", "rule", "line", "column")] == ["rejected", "import", 3, 1]
    assert [bodies["malformed_json"][name] for name in ("line", "column")] == [1, 7]
    assert [bodies["payload_too_large"][name] for name in ("field", "limit")] == ["code", 10]
    assert bodies["payload_too_large"]["detail"] == (
        "code is 11 bytes, more than the limit of 10 bytes; send less, or have LARS_MAX_CODE_BYTES raised"
    )
    assert bodies["validation_failed"]["errors"] == [
        {"field": "timeout", "message": "is too high", "value": 99, "limit": 60, "remedy": "ask for less"}
    ]
    assert [bodies[code]["retry_after"] for code in ("overloaded", "queue_timeout", "not_ready")] == [3, 2, 1]
    limited = bodies["rate_limited"]
    assert (limited["policy"], limited["limit"], limited["window"]) == ("requests", 100, 60)
    assert limited["retry_after"] == 7
    assert limited["detail"] == (
        "the key is at its limit of 100 requests in 60 s; send the request again after 7 s, "
        "or have the key's limits raised"
    )


def test_headers_of_its_own() -> None:
    """Allow is sorted; Retry-After is at least one whole second."""
    assert problem(errors.MethodNotAllowed("PUT", {"POST", "GET", "HEAD"}))[1]["Allow"] == "GET, HEAD, POST"
    assert problem(errors.Overloaded(retry_after=0))[1]["Retry-After"] == "1"
    assert problem(errors.RateLimited("concurrent", 4, None, 0, {}))[1]["Retry-After"] == "1"


def test_error_is_one_line() -> None:
    """Line breaks of ``detail`` become spaces in ``error``."""
    body = problem(errors.NotReady("no worker\nhas proved itself"))[2]
    assert body["error"] == "no worker has proved itself; send it again after 1 s"


def test_no_own_member_displaces_a_common_one() -> None:
    """Even an error that tries."""
    body = problem(LarsError("x", extra={"status": 200, "code": "ok", "more": 1}), "req-1")[2]
    assert (body["status"], body["code"], body["more"]) == (500, "internal_error", 1)


@pytest.mark.parametrize("extra", [{"x": "\ud800"}, {"x": 2**70}, {"x": {1, 2}}])
def test_there_is_always_a_body(extra: dict[str, object]) -> None:
    """What orjson refuses is still told, as valid JSON."""
    body = orjson.loads(
        ProblemResponse(errors.BadRequest("x"), None).render({"code": "bad_request", **extra})
    )
    assert body["code"] == "bad_request"
    assert "x" in body
