"""Conditional requests (RFC 9110 section 13) on the revisions of records and collections.

A tag is strong and stands for the stored record, so the one that GET sends is the one a write checks.
"""

from __future__ import annotations

from service.rest.builtin.draft import Draft
from service.rest.builtin.text import header

_MISMATCH = "the resource is not in the state that the request's condition names"


def mismatch(draft: Draft) -> str:
    """The statement that answers a condition that does not hold."""
    return draft.failure(412, "precondition_failed", _MISMATCH)


def check_match(draft: Draft, tag: str) -> None:
    """If-Match, where it is sent, against the tag in the variable: strong comparison."""
    if "if-match" in draft.shape.conditions:
        add_wanted(draft)
        draft.block.guard(f'{tag} is None or {tag} not in wanted and "*" not in wanted', mismatch(draft))


def check_unchanged(draft: Draft, tag: str) -> None:
    """If-None-Match on a read, where it is sent: 304, weak comparison."""
    if "if-none-match" in draft.shape.conditions:
        add_seen(draft)
        draft.block.guard(f'{tag} in seen or "*" in seen', draft.reply(304, headers={"ETag": tag}))


def check_none_match(draft: Draft, tag: str) -> None:
    """If-None-Match on a write, where it is sent: 412. ``tag``: source; None where nothing is there."""
    if "if-none-match" in draft.shape.conditions:
        add_seen(draft)
        draft.block.add(f"current = {tag}")
        draft.block.guard('current in seen or current is not None and "*" in seen', mismatch(draft))


def add_collection_tag(draft: Draft) -> None:
    """Set the variable etag to the collection's, also while there is none: then the list is empty."""
    draft.block.add("etag = store.collection_etag() or '\"none\"'")


def if_match(draft: Draft) -> str:
    """The argument that has the store check If-Match together with its write, or nothing."""
    return f", if_match={header('if-match')}" if "if-match" in draft.shape.conditions else ""


def add_wanted(draft: Draft) -> None:
    """Set the variable wanted to the tags of If-Match."""
    draft.block.add(f"wanted = [tag.strip() for tag in {header('if-match')}.split(',')]")


def add_seen(draft: Draft) -> None:
    """Set the variable seen to the tags of If-None-Match, weak ones as if they were strong."""
    draft.block.add(
        f"seen = [tag.strip().removeprefix('W/') for tag in {header('if-none-match')}.split(',')]"
    )
