"""The arguments of a list: filters, full text, order, page, fields, and what is attached to each record."""

from __future__ import annotations

from sandbox_runtime.foreign_keys import member_path
from service.errors import BadRequest
from service.rest.builtin.draft import Draft
from service.rest.builtin.query import refuse_parameter
from service.rest.builtin.text import literal, mapping, parameter

MAX_ATTACHED = 10
_ARGUMENTS = ("q", "sort", "limit", "offset", "fields")


def filters(draft: Draft) -> str:
    """Source of the dict of filters."""
    return mapping({name: parameter(name) for name in draft.query.filters})


def links(draft: Draft) -> str:
    """The argument that keeps to the parent's children, with a comma before it; nothing without a parent."""
    if not draft.route.parents:
        return ""
    own, other = (literal(member_path(key)) for key in draft.route.parents[-1].keys)
    return f', links=[(({own}, {other}), parent["id"])]'


def find_arguments(draft: Draft, criteria: str = "") -> str:
    """Source of what find() is called with; defaults are left out. ``criteria``: instead of the query's."""
    controls = draft.query.controls
    for name in ("limit", "offset"):
        if name in draft.query.repeated:
            raise refuse_parameter(name, "is given more than once", "send it once")
    arguments = [f"{name}={parameter(name)}" for name in _ARGUMENTS if name in controls]
    return ", ".join([criteria or filters(draft), *arguments]) + links(draft)


def attaches(draft: Draft) -> bool:
    """Whether children or parents are to stand inside the records."""
    return not draft.query.controls.isdisjoint(("_embed", "_expand"))


def attach(draft: Draft, records: str) -> None:
    """Put children (_embed) and parents (_expand) into the records of this variable; rows stay as they are.

    BadRequest with ``fields``, which may leave out the keys that tell what belongs together."""
    for control, method in (("_embed", "embed"), ("_expand", "expand")):
        if control not in draft.query.controls:
            continue
        if "fields" in draft.query.controls:
            raise _with_fields(control)
        many = f"{control} names more than {MAX_ATTACHED} collections; send fewer"
        draft.block.add(f"names = {draft.texts(control)}")
        draft.block.guard(f"len(names) > {MAX_ATTACHED}", draft.failure(400, "bad_request", many))
        draft.block.add("for name in names:", f"    {records} = store.{method}({records}, name)")


def _with_fields(control: str) -> BadRequest:
    return refuse_parameter(control, "cannot be together with fields", "leave one of the two out")


def only_fields(draft: Draft, record: str) -> None:
    """Reduce the record of this variable to what ``fields`` names."""
    if "fields" in draft.query.controls:
        own = f'{{"id": str({record}["id"])}}'
        draft.block.add(
            f"items, total = store.find({own}, fields={parameter('fields')})",
            f"{record} = items[0]",
        )


def envelope(draft: Draft) -> str:
    """Source of a list's body, from the variables items and total. find() has refused what is no number."""
    controls = draft.query.controls
    limit = f"int({parameter('limit')})" if "limit" in controls else "None"
    offset = f"int({parameter('offset')})" if "offset" in controls else "0"
    page = mapping({"limit": limit, "offset": offset, "total": "total"})
    return f"{{{literal('items')}: items, {literal('page')}: {page}}}"
