"""What the head of a request must be, beyond what llhttp sees to (RFC 9112). Pure; each raises a LarsError.

llhttp refuses by itself: Content-Length that is repeated, a list, or beside Transfer-Encoding; folded lines;
NUL and bare CR or LF; blanks before a colon; chunk sizes that are no hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from service.errors import BadRequest, HeadersTooLarge, LarsError, UriTooLong

Fields = Sequence[tuple[bytes, bytes]]

_VERSIONS = ("1.1", "1.0")
_PUNCTUATION = len(": \r\n")
_AUTHORITY = re.compile(rb"[a-z][a-z0-9+.-]*://[^/?#]+", re.IGNORECASE)


def check_size(url: bytes, fields: Fields, limit: int) -> None:
    """Request target and fields have at most ``limit`` bytes together."""
    if len(url) + sum(len(name) + len(value) + _PUNCTUATION for name, value in fields) > limit:
        raise too_long(url, limit)


def too_long(url: bytes, limit: int) -> LarsError:
    """UriTooLong when ``url`` alone is over the limit, else HeadersTooLarge."""
    if len(url) > limit:
        return UriTooLong(limit)
    return HeadersTooLarge("bytes of request line and header fields", limit)


def with_path(url: bytes) -> bytes:
    """The target; with the path / where it has scheme and authority alone (RFC 9112 section 3.2.2)."""
    found = _AUTHORITY.match(url)
    if found is None or url.startswith(b"/", found.end()):
        return url
    return url[: found.end()] + b"/" + url[found.end() :]


def check_version(version: str, hosts: int) -> None:
    """HTTP/1.1 with one field Host, or HTTP/1.0 with one or none. llhttp takes 0.9 and 2.0, too."""
    if version not in _VERSIONS:
        raise BadRequest(f"HTTP/{version} is not spoken here; send HTTP/1.1")
    if hosts != 1 and (hosts or version == "1.1"):
        raise BadRequest(f"Host is given {hosts} times; send one header Host (RFC 9112 section 3.2)")


def check_coding(value: bytes) -> None:
    """Of Transfer-Encoding: nothing but chunked is decoded here (RFC 9112 section 6.1)."""
    if value.strip().lower() != b"chunked":
        raise BadRequest("Transfer-Encoding is not chunked; send chunked alone, or Content-Length")


def check_upgrade(method: bytes, fields: Fields) -> None:
    """Another protocol is not changed to, which is fine as long as there is no body: llhttp takes that for a
    part of the other protocol, so that it would be lost, or read as the next request."""
    if method == b"CONNECT":
        raise BadRequest("CONNECT is not served; this is no proxy")
    given = dict(fields)
    if given.get(b"content-length", b"").strip(b"0") or b"transfer-encoding" in given:
        raise BadRequest("Upgrade comes with a body; send it in HTTP/1.1, without the header Upgrade")
