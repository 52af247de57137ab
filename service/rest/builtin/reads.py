"""GET and HEAD: a record, a list in its envelope, a search as a bare array, the names of all collections."""

from __future__ import annotations

from service.rest.builtin.bodies import need_object
from service.rest.builtin.conditions import add_collection_tag, check_match, check_unchanged
from service.rest.builtin.draft import Draft
from service.rest.builtin.fields import report_strange, report_strange_body
from service.rest.builtin.pages import attach, attaches, envelope, find_arguments, only_fields
from service.rest.builtin.parents import enter_parents, enter_record
from service.rest.builtin.text import BODY, OWN_ID
from service.rest.plan import Plan


def get(draft: Draft) -> Plan:
    """One record and its tag. With children or parents inside it has none: theirs would be missing in it."""
    enter_record(draft)
    report_strange(draft)
    if attaches(draft):
        draft.block.add("items = [record]")
        attach(draft, "items")
        return draft.finish("get", draft.reply(200, "items[0]"), write=False)
    draft.block.add(f"etag = store.etag({OWN_ID})")
    check_match(draft, "etag")
    check_unchanged(draft, "etag")
    only_fields(draft, "record")
    return draft.finish("get", draft.reply(200, "record", {"ETag": "etag"}), write=False)


def list_records(draft: Draft) -> Plan:
    """A page of the records that pass the filters, and how many there are on all pages."""
    enter_parents(draft)
    report_strange(draft)
    tag = _collection_tag(draft)
    draft.block.add(f"items, total = store.find({find_arguments(draft)})")
    attach(draft, "items")
    return draft.finish("list", draft.reply(200, envelope(draft), tag), write=False)


def search(draft: Draft) -> Plan:
    """The records that pass the filters, as an array."""
    enter_parents(draft)
    report_strange(draft)
    tag = _collection_tag(draft)
    draft.block.add(f"items, total = store.find({find_arguments(draft)})")
    attach(draft, "items")
    return draft.finish("search", draft.reply(200, "items", tag), write=False)


def search_by_body(draft: Draft) -> Plan:
    """A search whose filters are the members of an object in the body."""
    need_object(draft.shape)
    enter_parents(draft)
    report_strange_body(draft)
    draft.block.add(f"items, total = store.find({find_arguments(draft, BODY)})")
    attach(draft, "items")
    return draft.finish("search", draft.reply(200, "items"), write=False)


def list_collections(draft: Draft) -> Plan:
    """The names of the session's collections that a path can have."""
    body = '{"collections": [name for name in session_store.names() if not name.startswith("_")]}'
    return draft.finish("index", draft.reply(200, body), write=False)


def _collection_tag(draft: Draft) -> dict[str, str]:
    """The header of a list's tag, conditions checked. A list with records of other collections inside has
    none, and neither has a list below a parent, for the parent may go without it."""
    if attaches(draft) or draft.route.parents:
        return {}
    add_collection_tag(draft)
    check_match(draft, "etag")
    check_unchanged(draft, "etag")
    return {"ETag": "etag"}
