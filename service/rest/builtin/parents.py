"""The records named on the way to a resource: each must be there, and be a child of the one before."""

from __future__ import annotations

from sandbox_runtime.foreign_keys import member_path
from service.rest.builtin.draft import Draft
from service.rest.builtin.text import collection, literal, segment


def enter_parents(draft: Draft) -> None:
    """After this the variable ``parent`` holds the nearest parent, if the route has any."""
    earlier: tuple[str, str] | None = None
    for each in draft.route.parents:
        draft.block.add(f"child = {collection(each.name)}.get({segment(each.at)})")
        strange = "child is None"
        if earlier is not None:
            strange += f" or {_not_below(earlier, 'child')}"
        draft.block.guard(strange, not_found(draft, each.name))
        draft.block.add("parent = child")
        earlier = each.keys


def enter_record(draft: Draft, name: str = "record") -> None:
    """After this the variable ``name`` holds the record that the path names, below its parents."""
    enter_parents(draft)
    draft.block.add(f"{name} = store.get({draft.ident})")
    missing = f"{name} is None"
    if draft.route.parents:
        missing += f" or {_not_below(draft.route.parents[-1].keys, name)}"
    draft.block.guard(missing, not_found(draft, draft.route.resource))


def with_parent(draft: Draft, record: str) -> str:
    """Source of ``record`` with its foreign key set: the parent's id, of the parent's own type. Needs
    ``add_key``."""
    return f'{{**{record}, key: parent["id"]}}' if draft.route.parents else record


def add_key(draft: Draft) -> None:
    """Set the variable key to the foreign key of the nearest parent, if the route has any."""
    if draft.route.parents:
        draft.block.add(key_for(draft.route.parents[-1].keys, literal(draft.route.resource)))


def key_for(keys: tuple[str, str], child: str) -> str:
    """The statement that sets the variable key: the spelling that the collection (a source) already has."""
    usual, other = map(literal, keys)
    paths = [literal(member_path(name)) for name in keys]
    has_usual, has_other = (f"session_store.exists({child}, {path})" for path in paths)
    return f"key = {other} if {has_other} and not {has_usual} else {usual}"


def not_found(draft: Draft, resource: str) -> str:
    """The answer when a collection lacks the record; json-server's clients expect an empty object."""
    if draft.shape.dialect == "json-server":
        return draft.reply(404, "{}")
    return draft.failure(404, "not_found", f"{resource} has no record with the id in the path")


def _not_below(keys: tuple[str, str], child: str) -> str:
    # As text: a client may have stored the key 1 or "1". Null is no key, whatever its text.
    given = f"[str({child}[each]) for each in {literal(list(keys))} if {child}.get(each) is not None]"
    return f'str(parent["id"]) not in {given}'
