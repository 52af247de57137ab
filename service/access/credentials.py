"""The key that a request brings: ``X-API-Key``, or ``Authorization: Bearer`` (RFC 6750 section 2.1)."""

from __future__ import annotations

from collections.abc import Iterable

from service.errors import BadRequest, KeyMalformed

_MAX_TOKEN = 512  # characters
_HEADERS = frozenset((b"x-api-key", b"authorization"))


def token_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The token, or None when none came. ``headers``: names in lower case, as ASGI gives them.

    BadRequest when two came that differ, KeyMalformed for another scheme or a token too long to be one."""
    token: bytes | None = None
    for name, value in headers:
        if name in _HEADERS:
            given = value.strip() if name == b"x-api-key" else _bearer(value)
            if token is not None and token != given:
                raise BadRequest("different keys came (Authorization, X-API-Key); send one")
            token = given
    if token is None:
        return None
    if not 0 < len(token) <= _MAX_TOKEN:
        raise KeyMalformed(f"the key has {len(token)} characters, expected 1 to {_MAX_TOKEN}; send the key")
    return token.decode("latin-1")


def _bearer(value: bytes) -> bytes:
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"bearer":
        raise KeyMalformed(
            "the scheme of Authorization is not Bearer; send 'Authorization: Bearer KEY', or X-API-Key"
        )
    return token.strip()
