"""An error as the JSON of its answer."""

from __future__ import annotations

from service.errors.base import LarsError
from service.errors.kinds import kind_of

MEDIA_TYPE = "application/problem+json"


TYPE_PREFIX = "urn:lars:error:"


INSTANCE_PREFIX = "urn:lars:request:"


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
