"""POST on a collection: one record, several in one transaction, or one together with its children."""

from __future__ import annotations

from sandbox_runtime.foreign_keys import foreign_keys
from service.rest.builtin import objects
from service.rest.builtin.bodies import need_json, need_object_or_array
from service.rest.builtin.conditions import check_match, check_none_match
from service.rest.builtin.draft import Draft
from service.rest.builtin.pages import MAX_ATTACHED
from service.rest.builtin.parents import add_key, enter_parents, key_for, with_parent
from service.rest.builtin.text import BODY, NONE, OWN_ID, escaped, literal, url_path
from service.rest.plan import NotExpressible, Plan


def create(draft: Draft) -> Plan:
    """NotExpressible for a POST without a body below a record: that is an action, not a new record."""
    if draft.route.parents and draft.shape.body_kind == "none":
        need_json(draft.shape)
        raise NotExpressible(
            f"the action {draft.route.resource!a} on a record of {draft.route.parents[-1].name!a}"
        )
    need_object_or_array(draft.shape)
    enter_parents(draft)
    if draft.shape.dialect == "json-server" and not draft.route.parents:
        objects.accept(draft)
    add_key(draft)
    if draft.shape.conditions:
        draft.block.add("etag = store.collection_etag()")
        check_match(draft, "etag")
        check_none_match(draft, "etag")
    if "_embed" in draft.query.controls:
        return _create_with_children(draft)
    if draft.shape.body_kind == "array":
        return _create_many(draft)
    draft.block.add(f"record = store.insert({with_parent(draft, BODY)}{_alike(draft)})")
    return _created(draft)


def _alike(draft: Draft) -> str:
    """The argument that continues a collection of text ids with a text, as json-server does."""
    return ", alike=True" if draft.shape.dialect == "json-server" else ""


def _created(draft: Draft) -> Plan:
    draft.block.add(f"ident = {escaped(OWN_ID)}")
    place = literal(url_path(draft.route.resource) + "/")
    headers = {"Location": f"{place} + ident", **draft.written(f"store.etag({OWN_ID})")}
    if draft.shape.dialect == "json-server":
        headers["Access-Control-Expose-Headers"] = literal("Location")
    body = NONE if draft.prefers("return=minimal") else "record"
    return draft.finish("create", draft.reply(201, body, headers), write=True)


def _create_many(draft: Draft) -> Plan:
    """All or nothing; the store's error tells which of them was at fault."""
    rows = BODY
    if draft.route.parents:
        # What is no object stays as it is, for the store to refuse by its index.
        rows = f"[{with_parent(draft, 'row')} if isinstance(row, dict) else row for row in {rows}]"
    draft.block.add(f"items = store.insert_many({rows}{_alike(draft)})")
    body = NONE if draft.prefers("return=minimal") else "items"
    return draft.finish("create", draft.reply(201, body), write=True)


def _create_with_children(draft: Draft) -> Plan:
    """``_embed`` names the members that are arrays of children: each becomes records of that collection."""
    several = draft.shape.body_kind == "array"
    _add_names(draft, several)
    block = draft.block
    own = with_parent(draft, "{name: value for name, value in body.items() if name not in names}")
    parents = f"store.insert_many([{own} for body in bodies]{_alike(draft)})"
    if not several:
        parents = f"[store.insert({own}{_alike(draft)}) for body in bodies]"
    child = '{**row, key: record["id"]} if isinstance(row, dict) else row'
    block.add(
        f"items = {parents}",
        "for at, body in enumerate(bodies):",
        "    record, children = items[at], {}",
        "    for name in names:",
        f"        {key_for(foreign_keys(draft.route.resource), 'name')}",
        f"        rows = [{child} for row in body.get(name, [])]",
        f"        children[name] = session_store.collection(name).insert_many(rows{_alike(draft)})",
        "    items[at] = {**record, **children}",
    )
    if several:
        body = NONE if draft.prefers("return=minimal") else "items"
        return draft.finish("create", draft.reply(201, body), write=True)
    block.add("record = items[0]")
    return _created(draft)


def _add_names(draft: Draft, several: bool) -> None:
    """Set the variables names, of ``_embed``, and bodies, each an object with arrays under those names."""
    many = f"_embed names more than {MAX_ATTACHED} collections; send fewer"
    strange = "a name in _embed cannot name a collection; use letters, digits, _ . ~ and -"
    wrong = (
        "a member that _embed names is no array; send an array of objects, or leave the name out of _embed"
    )
    block = draft.block
    block.add(f"names = {draft.texts('_embed')}", f"bodies = {BODY}" if several else f"bodies = [{BODY}]")
    block.guard(f"len(names) > {MAX_ATTACHED}", draft.failure(400, "bad_request", many))
    # As in a path: a collection must be reachable by a URL and be a file's name in an export.
    bare = "name" + "".join(f'.replace("{char}", "")' for char in "_.~-")
    block.guard(
        f'"id" in names or not all([name[:1].isalnum() and {bare}.isalnum() for name in names])',
        draft.failure(400, "bad_request", strange),
    )
    if several:
        objects_only = "an item of the array is no JSON object; send objects"
        block.guard(
            "not all([isinstance(body, dict) for body in bodies])",
            draft.failure(400, "bad_request", objects_only),
        )
    block.guard(
        "not all([isinstance(body.get(name, []), list) for body in bodies for name in names])",
        draft.failure(400, "bad_request", wrong),
    )
