"""What a caller reads about each error code: ``python -m service.error_docs`` prints ``docs/errors.md``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from service import errors
from service.errors import KINDS, LarsError


@dataclass(frozen=True, slots=True)
class Advice:
    """When an error is answered, what to do then, and the members its body has beyond the common ones."""

    when: str
    remedy: str
    members: tuple[str, ...] = ()


ADVICE: Mapping[type[LarsError], Advice] = {
    errors.BadRequest: Advice("The request is not well-formed HTTP for this service.", "Mend the request."),
    errors.MalformedJson: Advice(
        "The body is empty, is not JSON, or is nested too deeply.",
        "Mend the JSON at `line` and `column`.",
        ("line", "column"),
    ),
    errors.PolicyRefused: Advice(
        "The program says what its AST policy does not allow. It did not run.",
        "Rewrite the program at `line` and `column`, or ask for a policy that allows it.",
        ("verdict", "rule", "line", "column"),
    ),
    errors.NotFound: Advice("Nothing is served at this path.", "Check the path."),
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
    errors.InternalError: Advice(
        "The service failed in a way that it does not know.", "Give the operator the `request_id`."
    ),
    errors.WorkerLost: Advice(
        "The process that ran the program died without an account of it.",
        "Send the request again if running the program twice does no harm.",
    ),
    errors.Overloaded: Advice(
        "Every worker is busy and the queue is full. Nothing ran.",
        "Send the request again after `retry_after` seconds (also in `Retry-After`).",
        ("retry_after",),
    ),
    errors.QueueTimeout: Advice(
        "The request's own timeout passed while it waited for a worker. Nothing ran.",
        "Send the request again after `retry_after` seconds, or with a longer timeout.",
        ("retry_after",),
    ),
    errors.NotReady: Advice(
        "`GET /readyz`: no worker has run a program yet, or all are lost. Else: the service is stopping.",
        "Send the request again after `retry_after` seconds; `GET /readyz` says when it is of use.",
        ("retry_after",),
    ),
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


def render_markdown() -> str:
    """The text of ``docs/errors.md``."""
    return _INTRODUCTION + "".join(_row(error_class) for error_class in KINDS)


def _row(error_class: type[LarsError]) -> str:
    kind, advice = KINDS[error_class], ADVICE[error_class]
    members = ", ".join(f"`{member}`" for member in advice.members)
    return f"| `{kind.code}` | {kind.status} | {advice.when} | {advice.remedy} | {members} |\n"


if __name__ == "__main__":
    sys.stdout.write(render_markdown())
