"""Fields that no record ever had: in a filter, an order or a selection they are most likely a slip.

Only the session's data tells, so the program asks; a collection that is empty knows of no field, and nothing
is said there. What a reader sent is reported in Warning, or refused under handling=strict. A change of many
records is refused whatever the client prefers: ``stauts__ne=done`` would change them all.
"""

from __future__ import annotations

from service.rest.builtin.draft import MAX_NOTICES, Draft, plain
from service.rest.builtin.query import OPERATORS
from service.rest.builtin.text import BODY, literal, parameter, problem

_SLIP = "the query names a field that no record has; leave it out, or send Prefer: handling=lenient"
_BULK = "a filter names a field that no record has, so it selects nothing or everything; leave it out"
_KEYS = ("sort", "fields")


def field_of(name: str) -> str:
    """The field of a filter that ``sort_out`` has let through."""
    field, separator, _ = name.rpartition("__")
    return field if separator else name


def report_strange(draft: Draft) -> None:
    """For reads. After this every answer has the Warning, or the problem has been answered."""
    fields = list(dict.fromkeys(field_of(name) for name in draft.query.filters))
    keys = [name for name in _KEYS if name in draft.query.controls]
    if not fields and not keys:
        return
    _ask(draft, fields, keys)
    _report(draft, fields)


def report_strange_body(draft: Draft) -> None:
    """The same for a search whose filters are the members of the body."""
    _ask(draft, [], [name for name in _KEYS if name in draft.query.controls])
    draft.block.add(
        f"for each in {BODY}:",
        "    field, mark, suffix = each.rpartition('__')",
        f"    path = field if mark and suffix in {literal(OPERATORS)} else each",
        f"    if known and not session_store.exists({literal(draft.route.resource)}, path):",
        "        strange.append('what the body names')",
    )
    _report(draft, [])


def refuse_strange(draft: Draft) -> None:
    """For changes of many records."""
    fields = list(dict.fromkeys(field_of(name) for name in draft.query.filters))
    if fields:
        _ask(draft, fields, [])
        _refuse(draft, _BULK)


def _report(draft: Draft, fields: list[str]) -> None:
    if draft.prefers("handling=strict"):
        _refuse(draft, _SLIP)
        return
    said = ", ".join(f"{literal(field)}: {literal(plain(field))}" for field in fields)
    texts = f'[f"no record has {{names.get(each, each)}}" for each in strange[:{MAX_NOTICES}]]'
    draft.block.add(
        f"names = {{{said}}}",
        f"notes = {literal(draft.notices)} + {texts}",
        "warning = {\"Warning\": '299 - \"' + '; '.join(notes) + '\"'} if strange else {}",
    )
    draft.more = "warning"


def _ask(draft: Draft, fields: list[str], keys: list[str]) -> None:
    """Set the variable strange: these fields, and the parameters whose lists name one, that are not there."""
    name = literal(draft.route.resource)
    draft.block.add(
        f"known = session_store.exists({name})",
        f"strange = [each for each in {literal(fields)} if known and not session_store.exists({name}, each)]",
    )
    for key in keys:
        value = parameter(key)
        listed = f"','.join({value})" if key in draft.query.repeated else value
        draft.block.add(
            f"text = {listed}",
            # A backslash may escape a comma: only the store can split that.
            f"for each in text.split(',') if known and {literal(chr(92))} not in text else []:",
            "    path = each.removeprefix('-')",
            f"    if path and not session_store.exists({name}, path):",
            f"        strange.append({literal(f'what {key} names')})",
        )


def _refuse(draft: Draft, detail: str) -> None:
    errors = (
        '[{"field": each, "message": "is in no record", "remedy": "send the name of a field"}'
        " for each in strange]"
    )
    body = f'{{**{problem(400, "bad_request", detail)}, "errors": {errors}}}'
    draft.block.guard("strange", draft.reply(400, body))
