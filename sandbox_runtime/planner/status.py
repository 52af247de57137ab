"""What an error of a provider means, read from its status, headers and body: the same for all of them.

openai, together    {"error": {"message", "type", "param", "code"}}
anthropic           {"type": "error", "error": {"type", "message", "details": {"error_code"}}}
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from sandbox_runtime.planner.model import CallFailed

_MAX_MESSAGE: Final = 300
_LONGEST_WAIT: Final = 86_400.0  # seconds: who says more is not taken at its word
_MAX_DATE: Final = 64  # characters
_AGAIN: Final = frozenset((408, 409, 429))
# OpenAI's and Together's codes, and the ends of Anthropic's: enforced_, contract_, linked_organization_… Its
# ramp_limit_exceeded is none: it asks for patience.
_SPENT: Final = re.compile(
    r"insufficient_quota|billing_hard_limit_reached|billing_not_active|credit_limit|spend_limit_reached"
    r"|billing_error|insufficient_credits?|credit balance is too low",
    re.IGNORECASE,
)
_SCHEMA: Final = re.compile(
    r"schema|grammar|response_format|output_config|text\.format|structured output", re.IGNORECASE
)
_MODEL: Final = re.compile(r"model", re.IGNORECASE)
_ROUTE: Final = frozenset((404, 405))


def failure_of(
    status: int, headers: Mapping[str, str], body: object, provider: str, path: str = ""
) -> CallFailed:
    """The meaning of an answer of 300 and above. ``path``: what was asked for, as far as it is known."""
    said = _said(body)
    code = _code(status, said)
    failed = CallFailed(code, _detail(status, said, provider, path), status=status)
    failed.retry_after = retry_after(headers)
    failed.again = code != "llm_spend_limit" and (status in _AGAIN or status >= 500)
    if headers.get("x-should-retry") == "false":
        failed.again = False
    return failed


def is_about_schema(failed: CallFailed) -> bool:
    """Whether the provider did not take the reply's schema: then it may be asked without."""
    return failed.code == "llm_request_refused" and _SCHEMA.search(failed.detail) is not None


def is_unknown_route(failed: CallFailed) -> bool:
    """Whether it is the path that the server does not have, and not the model."""
    return failed.status in _ROUTE and _MODEL.search(failed.detail.partition(": ")[2]) is None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, at most a day (RFC 9110, 10.2.3: a number or a date; or retry-after-ms). None where there is
    none that can be read."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name, "")
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            return min(float(text) / unit, _LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(headers.get("retry-after", "")[:_MAX_DATE]).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, when - time.time()), _LONGEST_WAIT)


def _code(status: int, said: str) -> str:
    if status == 402 or _SPENT.search(said):
        return "llm_spend_limit"
    if status in (401, 403):
        return "llm_unauthorized"
    if status >= 500:
        return "llm_failed"
    names = {404: "llm_model_unknown", 408: "llm_timeout", 429: "llm_rate_limited"}
    return names.get(status, "llm_request_refused")


def _detail(status: int, said: str, provider: str, path: str) -> str:
    if status in (401, 403):
        return f"{provider} answered {status}: it does not accept the key"  # which its message may quote
    told = f"{provider} answered {status}"
    if path and status in _ROUTE and _MODEL.search(said) is None:
        told += f" for {path}, see whether its base URL is right"
    return f"{told}: {said[:_MAX_MESSAGE]}" if said else told


def _said(body: object) -> str:
    """Message, type and codes, whatever of them is there."""
    error: Any = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return " ".join(str(error or "").split())
    details = error.get("details")
    codes = [
        error.get("type"),
        error.get("code"),
        details.get("error_code") if isinstance(details, dict) else "",
    ]
    known = ", ".join(dict.fromkeys(str(code) for code in codes if code))
    message = error.get("message") or error.get("detail") or ""
    return " ".join(f"{message} ({known})".split() if known else str(message).split())
