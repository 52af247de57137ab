"""Resources that are one object and no list: ``/profile``, in the json-server dialect.

They come with an import of a db.json. Each is a record of the collection OBJECTS, whose name no path can
have: the name is its id, the object its member ``value``. A list of the same name hides it.
"""

from __future__ import annotations

from typing import Final

from service.rest.builtin.bodies import JSON_PATCH, MERGE_PATCH, need_json, need_patch
from service.rest.builtin.conditions import add_seen, add_wanted, if_match, mismatch
from service.rest.builtin.draft import Draft
from service.rest.builtin.text import BODY, NONE, collection, literal
from service.rest.plan import Plan

OBJECTS: Final = "_objects"
_STORE = collection(OBJECTS)
_VALUE = 'held["value"]'
_NO_OBJECT = "the body, or what it makes of the resource, is no JSON object; send one"


def look(draft: Draft) -> None:
    """Set the variables held (a record, or None) and mark (its tag, or None)."""
    name = literal(draft.route.resource)
    draft.block.add(
        f"held = None if session_store.exists({name}) else {_STORE}.get({name})",
        f"mark = None if held is None else {_STORE}.etag({name})",
    )


def serve(draft: Draft) -> None:
    """GET: the answer when the path's name is an object's; what follows is for when it is none."""
    look(draft)
    if "if-match" in draft.shape.conditions:
        add_wanted(draft)
        draft.block.guard('held is not None and mark not in wanted and "*" not in wanted', mismatch(draft))
    if "if-none-match" in draft.shape.conditions:
        add_seen(draft)
        unchanged = draft.reply(304, headers={"ETag": "mark"})
        draft.block.guard('held is not None and (mark in seen or "*" in seen)', unchanged)
    draft.block.guard("held is not None", draft.reply(200, _VALUE, {"ETag": "mark"}))


def accept(draft: Draft) -> None:
    """POST: an object is replaced; what follows is for when the path's name is no object's."""
    look(draft)
    if draft.shape.body_kind != "object":
        draft.block.guard("held is not None", draft.failure(400, "bad_request", _NO_OBJECT))
        return
    _refuse_seen(draft)
    body = NONE if draft.prefers("return=minimal") else BODY
    draft.block.guard("held is not None", draft.reply(201, f"{_replaced(draft)} and {body}"))


def replace(draft: Draft) -> Plan:
    """PUT: 200 and the new object."""
    need_json(draft.shape)
    _enter(draft)
    if draft.shape.body_kind != "object":
        return draft.finish("replace", draft.failure(400, "bad_request", _NO_OBJECT), write=True)
    _refuse_seen(draft)
    draft.block.add(f"held = {_replaced(draft)}")
    return _changed(draft, "replace")


def patch(draft: Draft) -> Plan:
    """PATCH: 200 and the object as it is now."""
    need_patch(draft.shape)
    _enter(draft)
    _refuse_seen(draft)
    name, match = literal(draft.route.resource), if_match(draft)
    if draft.shape.media_type == MERGE_PATCH:
        draft.block.add(f'held = {_STORE}.merge_patch({name}, {{"value": {BODY}}}{match})')
    elif draft.shape.media_type == JSON_PATCH:
        moved = '{key: "/value" + row[key] for key in ["path", "from"] if isinstance(row.get(key), str)}'
        rows = f"[{{**row, **{moved}}} if isinstance(row, dict) else row for row in {BODY}]"
        draft.block.add(f"held = {_STORE}.json_patch({name}, {rows}{match})")
    else:
        merged = f'{{"value": {{**{_VALUE}, **{BODY}}}}}'
        draft.block.add(f"held = {_STORE}.update({name}, {merged}{match})")
    return _changed(draft, "patch")


def _enter(draft: Draft) -> None:
    look(draft)
    draft.block.guard("held is None", draft.reply(404, "{}"))


def _replaced(draft: Draft) -> str:
    name = literal(draft.route.resource)
    return f'{_STORE}.replace({name}, {{"value": {BODY}}}{if_match(draft)})'


def _refuse_seen(draft: Draft) -> None:
    if "if-none-match" in draft.shape.conditions:
        add_seen(draft)
        draft.block.guard('held is not None and (mark in seen or "*" in seen)', mismatch(draft))


def _changed(draft: Draft, action: str) -> Plan:
    whole = 'isinstance(held.get("value"), dict)'
    draft.block.guard(f"not {whole}", draft.failure(422, "patch_invalid", _NO_OBJECT))
    headers = draft.written(f"{_STORE}.etag({literal(draft.route.resource)})")
    minimal = draft.prefers("return=minimal")
    last = draft.reply(204, NONE, headers) if minimal else draft.reply(200, _VALUE, headers)
    return draft.finish(action, last, write=True)
