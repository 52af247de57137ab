"""PATCH and DELETE on a collection: every record that passes the filters, and only on an explicit word.

The word is ``?all=true`` or ``Prefer: max-affected=N``. A parameter that is not understood is refused here
whatever the client prefers: ignoring a filter would change records that nobody meant.
"""

from __future__ import annotations

from service.errors import BadRequest
from service.rest.builtin.bodies import JSON, JSON_PATCH, MERGE_PATCH, need_patch
from service.rest.builtin.changes import cascade_argument
from service.rest.builtin.conditions import check_match, check_none_match
from service.rest.builtin.draft import Draft
from service.rest.builtin.fields import refuse_strange
from service.rest.builtin.pages import filters, links
from service.rest.builtin.parents import enter_parents
from service.rest.builtin.query import refuse, refuse_parameter
from service.rest.builtin.text import BODY, header, parameter
from service.rest.plan import NotExpressible, Plan

_METHODS = {JSON_PATCH: "json_patch", MERGE_PATCH: "merge_patch"}


def patch_where(draft: Draft) -> Plan:
    """200 and the changed records, or 204 with return=minimal. An array changes each record that it names in
    its own way."""
    if draft.shape.media_type == JSON and draft.shape.body_kind == "array":
        return _patch_named(draft)
    need_patch(draft.shape)
    limit = _guarded(draft)
    if draft.shape.media_type in _METHODS:
        _patch_each(draft, _METHODS[draft.shape.media_type], limit)
    else:
        bound = f", max_affected={limit}" if limit else ""
        draft.block.add(f"items = store.update_where({filters(draft)}, {BODY}{bound}{links(draft)})")
    last = draft.reply(204) if draft.prefers("return=minimal") else draft.reply(200, "items")
    return draft.finish("patch", last, write=True)


def delete_where(draft: Draft) -> Plan:
    """200 and how many were deleted; 204 with return=minimal, the records as they were with representation.
    Children stay unless cascade=true."""
    limit = _guarded(draft)
    whole = draft.prefers("return=representation")
    if whole or "cascade" in draft.query.controls:
        cascade = cascade_argument(draft)
        _find(draft, limit)
        draft.block.add(f'count = len([row for row in found if store.delete(row["id"]{cascade})])')
    else:
        bound = f", max_affected={limit}" if limit else ""
        draft.block.add(f"count = store.delete_where({filters(draft)}{bound}{links(draft)})")
    minimal = draft.prefers("return=minimal")
    body = "found" if whole else '{"deleted": count}'
    last = draft.reply(204) if minimal else draft.reply(200, body)
    return draft.finish("delete", last, write=True)


def _patch_named(draft: Draft) -> Plan:
    """All or nothing: every item is an object whose id there is; its other members are the change."""
    if draft.query.filters or draft.query.controls or draft.query.unknown:
        raise refuse_parameter(
            "query", "is there beside an array of changes", "name the records by their id in the array alone"
        )
    if draft.route.parents:
        raise NotExpressible("an array in PATCH below a record")
    block = draft.block
    block.add(f"changes = {BODY}")
    no_object = "an item of the array is no JSON object with an id; send {id, and what to change}"
    block.guard(
        'not all([isinstance(row, dict) and isinstance(row.get("id"), (int, str)) for row in changes])',
        draft.failure(400, "bad_request", no_object),
    )
    _check_conditions(draft)
    if "max-affected" in draft.shape.prefer:
        _add_most(draft)
        many = "the array names more records than max-affected allows; send fewer, or allow more"
        block.guard("len(changes) > most", draft.failure(400, "too_many_affected", many))
    block.add('items = [store.update(change["id"], change) for change in changes]')
    missing = "there is no record with the id that an item of the array names; nothing was changed"
    block.guard("None in items", draft.failure(404, "not_found", missing))
    last = draft.reply(204) if draft.prefers("return=minimal") else draft.reply(200, "items")
    return draft.finish("patch", last, write=True)


def _patch_each(draft: Draft, method: str, limit: str) -> None:
    _find(draft, limit)
    draft.block.add(f'items = [store.{method}(row["id"], {BODY}) for row in found]')


def _find(draft: Draft, limit: str) -> None:
    """Set the variable found, to no more records than that."""
    draft.block.add(f"found, total = store.find({filters(draft)}{links(draft)})")
    if limit:
        many = "more records pass the filters than max-affected allows; narrow them, or allow more"
        draft.block.guard(f"total > {limit}", draft.failure(400, "too_many_affected", many))


def _guarded(draft: Draft) -> str:
    """Check the explicit word; source of the greatest number of records, "" when there is none."""
    query, shape = draft.query, draft.shape
    if query.unknown:
        raise refuse(query.unknown)
    if query.doubtful:
        raise refuse(query.doubtful)
    bounded = "max-affected" in shape.prefer
    if not bounded and "all" not in query.controls:
        raise BadRequest(
            f"{shape.method} on a collection changes every record that passes the filters; "
            "say so with ?all=true, or bound it with the header Prefer: max-affected=N"
        )
    enter_parents(draft)
    refuse_strange(draft)
    if "all" in query.controls:
        _check_all(draft)
    _check_conditions(draft)
    if not bounded:
        return ""
    _add_most(draft)
    return "most"


def _check_conditions(draft: Draft) -> None:
    if draft.shape.conditions:
        draft.block.add("etag = store.collection_etag()")
        check_match(draft, "etag")
        check_none_match(draft, "etag")


def _add_most(draft: Draft) -> None:
    # The front has put the header into one form: preferences sorted, without quotes or blanks.
    draft.block.add(f'most = int({header("prefer")}.split("max-affected=")[1].split(",")[0])')


def _check_all(draft: Draft) -> None:
    if "all" in draft.query.repeated:
        raise refuse_parameter("all", "is given more than once", "send all=true once")
    wrong = "the query parameter all is not true; send all=true, or the header Prefer: max-affected=N"
    draft.block.guard(f'{parameter("all")} != "true"', draft.failure(400, "bad_request", wrong))
