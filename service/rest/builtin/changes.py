"""PUT, PATCH and DELETE on one record."""

from __future__ import annotations

from service.rest.builtin.bodies import JSON_PATCH, MERGE_PATCH, need_object, need_patch
from service.rest.builtin.conditions import check_none_match, if_match
from service.rest.builtin.draft import Draft
from service.rest.builtin.parents import add_key, enter_record, not_found, with_parent
from service.rest.builtin.query import refuse_parameter
from service.rest.builtin.text import BODY, NONE, OWN_ID, parameter
from service.rest.plan import Plan

_PATCH = {JSON_PATCH: "json_patch", MERGE_PATCH: "merge_patch"}


def replace(draft: Draft) -> Plan:
    """The record becomes the body; its id stays, and its parent where the path names one."""
    need_object(draft.shape)
    _before(draft)
    add_key(draft)
    body = with_parent(draft, BODY)
    draft.block.add(f"record = store.replace({draft.ident}, {body}{if_match(draft)})")
    return _changed(draft, "replace")


def patch(draft: Draft) -> Plan:
    """JSON: members are set, null is stored. Merge patch (RFC 7396): null removes. JSON Patch: RFC 6902."""
    need_patch(draft.shape)
    _before(draft)
    method = _PATCH.get(draft.shape.media_type, "update")
    draft.block.add(f"record = store.{method}({draft.ident}, {BODY}{if_match(draft)})")
    return _changed(draft, "patch")


def delete(draft: Draft) -> Plan:
    """204; with return=representation 200 and the record as it was. Children stay unless cascade=true."""
    return delete_replying(draft, draft.reply(204))


def delete_replying(draft: Draft, reply: str) -> Plan:
    """The same with another answer than 204."""
    whole = draft.prefers("return=representation")
    if whole and not draft.route.parents:
        enter_record(draft, "former")
    _before(draft)
    cascade = cascade_argument(draft)
    draft.block.add(f"deleted = store.delete({draft.ident}{if_match(draft)}{cascade})")
    draft.block.guard("not deleted", not_found(draft, draft.route.resource))
    last = draft.reply(200, "former") if whole else reply
    return draft.finish("delete", last, write=True)


def _before(draft: Draft) -> None:
    """What has to hold before a write; that the record is there the write itself tells, without parents."""
    if draft.route.parents:
        enter_record(draft, "former")
    check_none_match(draft, f"store.etag({draft.ident})")


def _changed(draft: Draft, action: str) -> Plan:
    draft.block.guard("record is None", not_found(draft, draft.route.resource))
    headers = draft.written(f"store.etag({OWN_ID})")
    last = (
        draft.reply(204, NONE, headers)
        if draft.prefers("return=minimal")
        else draft.reply(200, "record", headers)
    )
    return draft.finish(action, last, write=True)


def cascade_argument(draft: Draft) -> str:
    """The argument that deletes children too, when cascade=true asks for it; a guard for other words."""
    if "cascade" not in draft.query.controls:
        return ""
    if "cascade" in draft.query.repeated:
        raise refuse_parameter("cascade", "is given more than once", "send it once")
    wrong = "the query parameter cascade is neither true nor false; send one of the two"
    value = parameter("cascade")
    draft.block.guard(f'{value} not in ["true", "false"]', draft.failure(400, "bad_request", wrong))
    return f', cascade={value} == "true"'
