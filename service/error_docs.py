"""What a caller reads about each error code: ``python -m service.error_docs`` prints ``docs/errors.md``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from service import errors
from service.errors import KINDS, PLANNER_KINDS, STORE_KINDS, LarsError


@dataclass(frozen=True, slots=True)
class Advice:
    """When an error is answered, what to do then, and the members its body has beyond the common ones."""

    when: str
    remedy: str
    members: tuple[str, ...] = ()


ADVICE: Mapping[type[LarsError], Advice] = {
    errors.BadRequest: Advice("The request is not well-formed HTTP for this service.", "Mend the request."),
    errors.MalformedJson: Advice(
        "The body is empty, is not JSON, or is nested deeper than 500 levels.",
        "Mend the JSON at `line` and `column`.",
        ("line", "column"),
    ),
    errors.PolicyRefused: Advice(
        "The program says what its AST policy does not allow. It did not run.",
        "Rewrite the program at `line` and `column`, or ask for a policy that allows it.",
        ("verdict", "rule", "line", "column"),
    ),
    errors.KeyMissing: Advice(
        "The path needs a key, and none came.",
        "Send the key as `X-API-Key` or `Authorization: Bearer`; `lars keys add` makes one.",
    ),
    errors.KeyMalformed: Advice(
        "What came has not the form of a key, or its checksum shows a typo.",
        "Send the whole key, as it was shown when it was made.",
    ),
    errors.KeyUnknown: Advice(
        "There is no such key. A known id with another secret is told the same.",
        "Ask the operator for a key.",
    ),
    errors.KeyRevoked: Advice("The key has been revoked.", "Ask the operator for another key."),
    errors.KeyExpired: Advice(
        "The key's time is over, or the key was rotated and the time of the old secret is over.",
        "Use the new secret, or ask the operator for one.",
    ),
    errors.ScopeMissing: Advice(
        "The key is good, but has not the scope that the path needs.",
        "Use a key that has `scope`, or have one made.",
        ("scope",),
    ),
    errors.ModuleFailed: Advice(
        "What is to be loaded cannot be: the module has an error of syntax, fails or does not end when it is "
        "imported, or the function takes what no request can hold. `exception` has `type`, `message`, `line` "
        "and `parameter`.",
        "Mend the module at `exception.line`, or the annotation of `exception.parameter`.",
        ("exception",),
    ),
    errors.FunctionFailed: Advice(
        "A loaded function raised an exception, returned what JSON cannot hold, or ended its process. "
        "`exception` has `type`, `message` and `line`, the last in its module.",
        "Tell whoever has loaded it; call an older `version`, or roll back.",
        ("exception",),
    ),
    errors.FunctionTimeout: Advice(
        "A loaded function ran past `LARS_MAX_EXEC_MS`. Its process was ended, with what its module kept.",
        "Ask it for less at once.",
    ),
    errors.UploadRefused: Advice(
        "What lies where a module belongs is not read, or not replaced. `reason` is `link`, `not_a_file`, "
        "`not_a_directory`, `hard_link`, `owner`, `writable`, `unreadable` or, of an upload, `count`.",
        "Follow `detail`.",
        ("reason",),
    ),
    errors.NotFound: Advice("Nothing is served at this path.", "Check the path."),
    errors.Conflict: Advice("What is there stands against the request.", "Follow `detail`."),
    errors.IdempotencyConflict: Advice(
        "A request with the same `Idempotency-Key` still runs.", "Wait, and send the same request again."
    ),
    errors.PreconditionFailed: Advice(
        "What is there is not what `If-Match` names.", "Read it again, and decide on what it is now."
    ),
    errors.MethodNotAllowed: Advice(
        "The path is served, for other methods.", "Use a method that the `Allow` header names."
    ),
    errors.PayloadTooLarge: Advice(
        "The body, or a part of it, is over its limit. The rest was not read.",
        "Send less, or have the setting raised that `detail` names.",
        ("field", "limit"),
    ),
    errors.UnsupportedMediaType: Advice(
        "The body is not declared as JSON, or it is compressed.",
        "Send `Content-Type: application/json` and no `Content-Encoding`.",
    ),
    errors.ValidationFailed: Advice(
        "The body is JSON, but a field is unknown, missing, of the wrong type or over a ceiling.",
        "Follow `remedy` in each of `errors`, whose members are `field`, `message`, `remedy` and, where "
        "there is one, `value` and `limit`.",
        ("errors",),
    ),
    errors.RequestTimeout: Advice(
        "The head or the body of the request came too slowly. The connection is closed.",
        "Send the request again, at once and whole.",
        ("field", "limit"),
    ),
    errors.UriTooLong: Advice(
        "The URI alone is over `LARS_MAX_HEADER_BYTES`. The connection is closed.",
        "Send what is long in the body.",
        ("field", "limit"),
    ),
    errors.HeadersTooLarge: Advice(
        "Request line and header fields are over `LARS_MAX_HEADER_BYTES` together, or more than "
        "`LARS_MAX_HEADERS`; or extensions and trailers of a chunked body are. The connection is closed.",
        "Send fewer or shorter header fields, such as cookies.",
        ("field", "limit"),
    ),
    errors.InternalError: Advice(
        "The service failed in a way that it does not know.", "Give the operator the `request_id`."
    ),
    errors.PlannerRequired: Advice(
        "No rule of the built-in planner covers a request of this shape.",
        "Write it in the terms of docs/rest.md; `missing` names what an LLM planner would add.",
        ("missing",),
    ),
    errors.PlanFailed: Advice(
        "A plan raised, or set no reply that can be sent. What it had done is undone.",
        "Ask for less at once; else give the operator the plan's id (`X-Plan-Id`).",
    ),
    errors.PlanRefused: Advice(
        "A planner wrote a program that the policy `plan` does not allow, or that failed its proof. "
        "No request saw it run.",
        "Send it again after `retry_after` seconds: a language model is asked anew. Where that is null, give "
        "the operator the `request_id`.",
        ("rule", "line", "retry_after"),
    ),
    errors.StorageUnavailable: Advice(
        "The directory of the service's data, or the one for temporary files, cannot be read or written. "
        "Programs run; sessions do not.",
        "The operator makes `LARS_DATA_ROOT` (or `TMPDIR`) writable, or frees space on its disk.",
    ),
    errors.RunTimeout: Advice(
        "A plan ran past `LARS_MAX_EXEC_MS`. What it had done is undone, unless that was its very last step.",
        "Ask for less at once; look before you repeat a write, or send it with an `Idempotency-Key`.",
    ),
    errors.WorkerLost: Advice(
        "The process that ran the program died without an account of it.",
        "Send the request again if running the program twice does no harm.",
    ),
    errors.Overloaded: Advice(
        "Every worker is busy and the queue is full, or bodies of other callers take all memory there is "
        "for them (`LARS_BUFFER_BYTES`). Nothing ran.",
        "Send the request again after `retry_after` seconds (also in `Retry-After`).",
        ("retry_after",),
    ),
    errors.QueueTimeout: Advice(
        "The request's own timeout passed while it waited for a worker. Nothing ran.",
        "Send the request again after `retry_after` seconds, or with a longer timeout.",
        ("retry_after",),
    ),
    errors.TooManyConnections: Advice(
        "`LARS_MAX_CONNECTIONS` are open, each with a request in work. This one is closed.",
        "Connect again after `retry_after` seconds; use one connection for many requests.",
        ("retry_after",),
    ),
    errors.RateLimited: Advice(
        "The key has used up a limit ([limits.md](limits.md)): of requests, of runs at once, or of the CPU "
        "time or tokens of a day. Nothing ran, and the request was not counted.",
        "Send the request again after `retry_after` seconds (also in `Retry-After`).",
        ("policy", "limit", "window", "retry_after"),
    ),
    errors.LimitsUnavailable: Advice(
        "The key has limits, and the store that counts for them does not answer or is full. Nothing ran.",
        "Send the request again after `retry_after` seconds; the operator looks after `LARS_RATE_STORE`.",
        ("retry_after",),
    ),
    errors.PlanPending: Advice(
        "A language model is writing the plan for requests of this shape, and was not done in time. "
        "Nothing ran.",
        "Send the request again after `retry_after` seconds: the plan is kept when it is there.",
        ("retry_after",),
    ),
    errors.NotReady: Advice(
        "`GET /readyz`: no worker has run a program yet, or all are lost, or the service drains. Else: the "
        "service is stopping, or the host gives it no thread more.",
        "Send the request again after `retry_after` seconds; `GET /readyz` says when it is of use.",
        ("retry_after",),
    ),
    errors.ControlUnavailable: Advice(
        "The database of keys, usage and audit log cannot be reached, or refused.",
        "Send the request again after `retry_after` seconds; the operator finds the reason in the log.",
        ("retry_after",),
    ),
}

STORE_ADVICE: Mapping[str, str] = {
    "bad_query": "A filter, sort key, page or name is over a limit or of no known form; `detail` says which.",
    "query_too_slow": "Filter for less, or on fewer fields.",
    "too_many_affected": "More records pass the filters than `Prefer: max-affected` allows; none changed.",
    "collection_exists": "An import names a collection that has records; send `?replace=true` to replace it.",
    "duplicate_id": "Send another id, or none.",
    "patch_conflict": "A `test` of the JSON patch failed; nothing was changed.",
    "session_gone": "The session was deleted while the request waited; send it again.",
    "precondition_failed": "The record is another than `If-Match` names; read it again.",
    "bad_archive": "Send a tar as the export makes it, without compression.",
    "bad_json": "Send one object {collection: [records]}.",
    "bad_record": "A record is no object, or too large, or has an id that can be none.",
    "idempotency_key_reused": "The `Idempotency-Key` was sent with another request; use a new one.",
    "patch_invalid": "The patch is not of its form (RFC 6902, RFC 7396).",
    "read_only": "A fault of the planner; give the operator the `request_id`.",
    "store_damaged": "The operator restores the session's file.",
    "store_error": "Give the operator the `request_id`.",
    "session_busy": "Another process writes to the session; send the request again.",
    "session_unusable": "The session cannot be opened; the operator finds the reason in the log.",
    "storage_unavailable": "The disk is full or fails, nothing was changed; the operator frees space on it.",
    "quota_exceeded": "Delete records, or have `LARS_SESSION_QUOTA` raised.",
}

PLANNER_ADVICE: Mapping[str, str] = {
    "llm_refused": "The model declined to write it; say what you want in another way.",
    "llm_request_budget": "It would take more tokens than `LARS_LLM_REQUEST_TOKENS`, or than the key has "
    "left today; ask for less.",
    "llm_bad_reply": "The model wrote nothing that can be run, twice; ask in another way, or another model.",
    "llm_failed": "The provider answered 500 or above, more than once; send the request again later.",
    "llm_host_refused": "The operator adds the host to `LARS_SANDBOX_LLM_ALLOWED_HOSTS`, if it is meant.",
    "llm_malformed": "What answered is no such provider: the operator looks at its base URL.",
    "llm_model_unknown": (
        "The operator sets `LARS_LLM_MODEL` to a model that the key may use, or corrects the base URL's path."
    ),
    "llm_request_refused": "Ask for less, or with less code; the log has the provider's reason.",
    "llm_truncated": "Ask for less, or have `LARS_LLM_MAX_OUTPUT_TOKENS` raised.",
    "llm_unauthorized": "The operator corrects the provider's key.",
    "llm_unreachable": "The operator looks after network, name resolution and the provider's base URL.",
    "llm_day_budget": "`LARS_LLM_DAY_TOKENS` are used; send the request again after `retry_after` seconds.",
    "llm_overloaded": "Send the request again after `retry_after` seconds.",
    "llm_rate_limited": "Send the request again after `retry_after` seconds.",
    "llm_spend_limit": "The operator pays, or raises the limit, at the provider.",
    "llm_unavailable": "The provider has failed so often that it is left alone; send it again after "
    "`retry_after` seconds.",
    "planner_not_configured": "The operator sets what `detail` names; all that needs no model works.",
    "planner_unavailable": "The planner's process is being started again; send the request again.",
    "llm_timeout": "The model did not answer within `LARS_LLM_TIMEOUT`; ask for less, or again.",
}

_INTRODUCTION = """\
# Errors

<!-- Generated: python -m service.error_docs > docs/errors.md -->

Every answer with a status of 400 or more has the media type `application/problem+json` (RFC 9457) and these
members:

| member | meaning |
|---|---|
| `type` | `urn:lars:error:` and the code |
| `title` | the code in words |
| `status` | the HTTP status |
| `detail` | what happened this time, with field, value, limit and remedy where there are any |
| `code` | what a program should test; a code never changes its meaning |
| `error` | `detail` on one line |
| `request_id` | the `X-Request-ID` of the answer, under which the log has the request |
| `instance` | `urn:lars:request:` and the request id |

A program that fails is not an error: `POST /execute` answers 200 with a `verdict`.

| code | status | when | what to do | more members |
|---|---|---|---|---|
"""


_STORE_INTRODUCTION = """
Of the store of a session:

| code | status | what it means and what to do |
|---|---|---|
"""

_PLANNER_INTRODUCTION = """
Of language models, where a request needs one:

| code | status | what it means and what to do |
|---|---|---|
"""


def render_markdown() -> str:
    """The text of ``docs/errors.md``."""
    rows = "".join(_row(error_class) for error_class in KINDS)
    store = "".join(
        f"| `{kind.code}` | {kind.status} | {STORE_ADVICE[kind.code]} |\n" for kind in STORE_KINDS.values()
    )
    planner = "".join(
        f"| `{kind.code}` | {kind.status} | {PLANNER_ADVICE[kind.code]} |\n"
        for kind in PLANNER_KINDS.values()
    )
    return _INTRODUCTION + rows + _STORE_INTRODUCTION + store + _PLANNER_INTRODUCTION + planner


def _row(error_class: type[LarsError]) -> str:
    kind, advice = KINDS[error_class], ADVICE[error_class]
    members = ", ".join(f"`{member}`" for member in advice.members)
    return f"| `{kind.code}` | {kind.status} | {advice.when} | {advice.remedy} | {members} |\n"


if __name__ == "__main__":
    sys.stdout.write(render_markdown())
