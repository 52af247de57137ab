"""ETags from revisions (RFC 9110 §8.8.3): strong, of the form ``"r7"``.

A row's revision comes from its collection's counter, which only grows: no id ever has one ETag for two
contents, deleted and made again or not.
"""

from __future__ import annotations

import re

from sandbox_runtime.store.errors import BadQuery, PreconditionFailed, shown
from sandbox_runtime.store.limits import MAX_VALUE_CHARS

_TAG = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\U0010ffff]*")\s*(?:,|$)')


def row_etag(revision: int) -> str:
    """Of one record."""
    return f'"r{revision}"'


def collection_etag(number: int, revision: int) -> str:
    """Of all records of a collection. The number tells it from one of the same name that was dropped."""
    return f'"c{number}.{revision}"'


def check_match(if_match: str | None, etag: str) -> None:
    """PreconditionFailed unless the If-Match value (``*`` or a list of entity tags) names this ETag.

    Weak tags never match (RFC 9110 §13.1.1). None is no condition; a value that is no list is BadQuery.
    """
    if if_match is None or if_match == etag or if_match.strip() == "*":
        return
    if etag not in _strong_tags(if_match):
        raise PreconditionFailed(
            f"If-Match names {shown(if_match)}, the record is now {etag}; get it, then repeat the change",
            etag=etag,
        )


def _strong_tags(text: str) -> list[str]:
    if len(text) > MAX_VALUE_CHARS:
        raise BadQuery(
            f"If-Match has {len(text)} characters, the limit is {MAX_VALUE_CHARS}; name fewer tags"
        )
    tags = []
    position = 0
    while position < len(text):
        found = _TAG.match(text, position)
        if found is None:
            raise BadQuery(f'If-Match is {shown(text)}; send an ETag with its quotes, as "r7", or *')
        if found[1] is None:
            tags.append(found[2])
        position = found.end()
    return tags
