"""Location and Link as they go out: from what a program wrote to URIs (RFC 3986, RFC 8288).

A program knows characters only, so it writes IRI references; bytes and the request's own URL are the front's.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_KEPT = "%/?#[]@!$&'()*+,;=:-._~"
_TARGET = re.compile(r"<([^<>]*)>")


def uri(iri: str) -> str:
    """The reference in ASCII: what no URI may hold is percent-encoded, escapes stay as they are."""
    return quote(iri, safe=_KEPT, errors="replace")


def link_header(value: str, url: str | None) -> str:
    """A Link header's value with its targets in ASCII. With the request's URL, without its query, references
    that are only a query become absolute."""

    def target(match: re.Match[str]) -> str:
        reference = uri(match[1])
        return f"<{url}{reference}>" if url is not None and reference.startswith("?") else f"<{reference}>"

    return _TARGET.sub(target, value)
