"""Lists in the json-server dialect: its parameters, its slices and pages, X-Total-Count and Link."""

from __future__ import annotations

import re

from service.rest.builtin.conditions import add_collection_tag, check_match, check_unchanged
from service.rest.builtin.draft import Draft
from service.rest.builtin.objects import serve
from service.rest.builtin.pages import attach, attaches, links
from service.rest.builtin.parents import enter_parents
from service.rest.builtin.query import Query, Unknown, refuse_parameter, why_no_field
from service.rest.builtin.text import escaped, literal, mapping, parameter
from service.rest.plan import Plan

CONTROLS = frozenset(("_page", "_limit", "_start", "_end", "_sort", "_order", "q", "_embed", "_expand"))
_SLICES = ("_page", "_limit", "_start", "_end")
_PER_PAGE = 10
_MAX_LINK = 2_000  # characters; in a URL each may become twelve, and a header is bounded
_NO_LINK = '299 - "the query is too long for Link"'
# Suffix -> operator of the store. _like is text here, whatever the case: no pattern of a caller runs.
_OPERATORS = {"gte": "gte", "lte": "lte", "gt": "gt", "lt": "lt", "ne": "ne", "like": "icontains"}
_FILTER = re.compile(r"(.+?)_(gte|lte|gt|lt|ne|like)")
_DROPPED = "a filter names a field that no record has and was ignored"


def sort_out_list(parameters: tuple[tuple[str, bool], ...]) -> Query:
    """Everything that is no control is a filter, as far as it names a field."""
    names = [name for name, _ in parameters]
    remedies = {name: _remedy(name) for name in names if name not in CONTROLS}
    return Query(
        filters=tuple(name for name, remedy in remedies.items() if remedy is None),
        controls=frozenset(names) & CONTROLS,
        repeated=frozenset(name for name, many in parameters if many),
        unknown=tuple(Unknown(name, remedy) for name, remedy in remedies.items() if remedy is not None),
    )


def _remedy(name: str) -> str | None:
    return "answers are JSON only; leave it out" if name == "callback" else why_no_field(name)


def list_records(draft: Draft) -> Plan:
    """A bare array; with a slice its total, with a page its links."""
    enter_parents(draft)
    if not draft.route.parents:
        serve(draft)
    draft.block.guard(f"not session_store.exists({literal(draft.route.resource)})", draft.reply(404, "{}"))
    if not (attaches(draft) or draft.route.parents):
        add_collection_tag(draft)
        check_match(draft, "etag")
        check_unchanged(draft, "etag")
    _add_filters(draft)
    _add_window(draft)
    _find(draft)
    attach(draft, "items")
    draft.block.add(f"headers = {mapping(_headers(draft))}")
    _add_links(draft)
    if draft.query.filters and not draft.prefers("handling=strict"):
        warning = f'299 - "{"; ".join([*draft.notices, _DROPPED])}"'
        draft.block.add("if dropped:", f'    headers["Warning"] = {literal(warning)}')
    draft.more = "headers"
    last = draft.reply(200, "items")
    hints = {"links": "absolute"} if "_page" in draft.query.controls else {}
    return draft.finish("list", last, write=False, hints=hints)


def _store_name(name: str) -> tuple[str, str]:
    """Field and name of the filter as the store reads it; its own double underscores mean the same here."""
    match = _FILTER.fullmatch(name)
    if match is None or "__" in name:
        return name.partition("__")[0], name
    return match[1], f"{match[1]}__{_OPERATORS[match[2]]}"


def _add_filters(draft: Draft) -> None:
    by_name: dict[str, list[str]] = {}
    for name in draft.query.filters:
        value = parameter(name)
        values = value if name in draft.query.repeated else f"[{value}]"
        by_name.setdefault(_store_name(name)[1], []).append(values)
    draft.block.add(f"filters = {mapping({name: ' + '.join(parts) for name, parts in by_name.items()})}")
    if by_name:
        _drop_filters(draft)


def _drop_filters(draft: Draft) -> None:
    """A filter on a field that no record ever had is as if it were not there."""
    fields = {stored: literal(field) for field, stored in map(_store_name, draft.query.filters)}
    exists = f"session_store.exists({literal(draft.route.resource)}, fields[name])"
    draft.block.add(f"fields = {mapping(fields)}", f"dropped = [name for name in filters if not {exists}]")
    if draft.prefers("handling=strict"):
        unknown = "a filter names a field that no record has; leave it out, or send Prefer: handling=lenient"
        draft.block.guard("dropped", draft.failure(400, "bad_request", unknown))
        return
    draft.block.add("filters = {name: filters[name] for name in filters if name not in dropped}")


def _number(draft: Draft, name: str, default: str) -> None:
    """Set a variable to the parameter's number. _page forgives (page 1), the others are 400."""
    if name in draft.query.repeated:
        raise refuse_parameter(name, "is given more than once", "send it once")
    variable = name.removeprefix("_")
    if name not in draft.query.controls:
        draft.block.add(f"{variable} = {default}")
        return
    draft.block.add(
        f"text = {parameter(name)}", "number = text.isascii() and text.isdecimal() and len(text) < 10"
    )
    if name == "_page":
        draft.block.add("page = max(1, int(text)) if number else 1")
        return
    wrong = f"the query parameter {name} is no whole number from 0 to 999999999; send one, or leave it out"
    draft.block.guard("not number", draft.failure(400, "bad_request", wrong))
    draft.block.add(f"{variable} = int(text)")


def _add_window(draft: Draft) -> None:
    """Set offset and size (None: to the end). A page wins over an end, an end over a limit."""
    controls = draft.query.controls
    if "_page" in controls:
        _number(draft, "_page", "1")
        _number(draft, "_limit", str(_PER_PAGE))
        draft.block.add("size = limit", "offset = (page - 1) * limit")
        return
    _number(draft, "_start", "0")
    if "_end" in controls:
        _number(draft, "_end", "0")
        draft.block.add("size = max(0, end - start)")
    elif "_limit" in controls:
        _number(draft, "_limit", "0")
        draft.block.add("size = limit")
    else:
        draft.block.add("size = None")
    draft.block.add("offset = start")


def _find(draft: Draft) -> None:
    arguments = "limit=size, offset=offset"
    if "q" in draft.query.controls:
        value = parameter("q")
        arguments += f", q={value}[0]" if "q" in draft.query.repeated else f", q={value}"
    if "_sort" in draft.query.controls:
        _add_sort(draft)
        arguments += ", sort=sort"
    draft.block.add(f"items, total = store.find(filters, {arguments}{links(draft)})")


def _add_sort(draft: Draft) -> None:
    orders = f"{_texts(draft, '_order')}" if "_order" in draft.query.controls else "[]"
    draft.block.add(
        f"orders = [order.strip().lower() for order in {orders}]",
        f"keys = {_texts(draft, '_sort')}",
        "sort = []",
        "for at, key in enumerate(keys):",
        '    sort.append("-" + key if at < len(orders) and orders[at] == "desc" else key)',
    )


def _texts(draft: Draft, name: str) -> str:
    value = parameter(name)
    return f"','.join({value}).split(',')" if name in draft.query.repeated else f"{value}.split(',')"


def _headers(draft: Draft) -> dict[str, str]:
    found: dict[str, str] = {}
    if not (attaches(draft) or draft.route.parents):
        found["ETag"] = "etag"
    if draft.query.controls.isdisjoint(_SLICES):
        return found
    exposed = "X-Total-Count, Link" if "_page" in draft.query.controls else "X-Total-Count"
    return {**found, "X-Total-Count": "str(total)", "Access-Control-Expose-Headers": literal(exposed)}


def _add_links(draft: Draft) -> None:
    """first, prev, next, last where there is more than this page; other parameters as they were sent."""
    if "_page" not in draft.query.controls:
        return
    escape_name, escape_value = escaped("name", '&=+"'), escaped("value", '&+"')
    draft.block.add(
        "rels = []",
        "if len(items) not in [0, total]:",
        "    last = (total + limit - 1) // limit",
        '    rels = [("first", 1), ("prev", page - 1), ("next", page + 1), ("last", last)]',
        "found = []",
        "for rel, number in rels:",
        '    if not (rel == "prev" and page == 1 or rel == "next" and offset + limit >= total):',
        '        query = {**ctx["query"], "_page": str(number)}',
        "        pairs = []",
        "        for name, values in query.items():",
        "            for value in values if isinstance(values, list) else [values]:",
        f'                pairs.append({escape_name} + "=" + {escape_value})',
        "        found.append('<?' + '&'.join(pairs) + '>; rel=\"' + rel + '\"')",
        'link = ", ".join(found)',
        "if link:",
        f"    if len(link) <= {_MAX_LINK}:",
        '        headers["Link"] = link',
        "    else:",
        f'        headers["Warning"] = {literal(_NO_LINK)}',
    )
