"""One id per request: taken from X-Request-ID or made, returned on every response, part of every log line."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import cast

from starlette.types import Scope

HEADER = "X-Request-ID"
RAW_HEADER = HEADER.lower().encode()
# The unreserved characters of RFC 3986: safe in a URI, a header and a log line.
_ACCEPTED = re.compile(rb"[A-Za-z0-9._~-]{1,128}")


def id_for(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's id, or a fresh one."""
    return accepted_id(headers) or make_id()


def accepted_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The caller's id, or None unless there is exactly one and it is 1 to 128 of ``A-Za-z0-9._~-``."""
    given = [value for name, value in headers if name == RAW_HEADER]
    if len(given) != 1 or _ACCEPTED.fullmatch(given[0]) is None:
        return None
    return given[0].decode("ascii")


def make_id() -> str:
    """A fresh id: 128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def request_id_of(scope: Scope) -> str | None:
    """The id of this request; None outside the layer that gives them."""
    return cast("str | None", scope.get("state", {}).get("request_id"))
