"""``lars keys``: what each action does, and what it prints. A key stands alone on stdout, once."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from typing import Any

from service.access.key_text import NewKey
from service.access.principal import Key, KeySpec
from service.access.scopes import USUAL, read_scopes
from service.commands.control_session import put, put_table, say, this_user, with_control
from service.commands.options import WRONG_USAGE
from service.control.control import Control
from service.control.key_view import key_view, principal_of, usage_view
from service.control.keys import MAX_LIST
from service.control.usage import NOTHING
from service.limits.rates import read_rates
from service.settings import Settings
from service.times import shown_time

_LIST = ("id", "name", "env", "state", "scopes", "rates", "created", "expires")
_USED = ("requests", "failures", "cpu_ms", "last_used")
_DAY = ("day", "requests", "failures", "cpu_ms", "tokens", "last_used")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """One action. Exit status 2 for a scope or rate that is none."""
    actions = {"add": _add, "list": _list, "revoke": _revoke, "rotate": _rotate, "usage": _usage}
    if options.action == "add":
        try:
            options.spec = _spec(options)
        except ValueError as error:
            say(str(error))
            return WRONG_USAGE
    return with_control(settings, partial(actions[options.action], options=options))


def _spec(options: argparse.Namespace) -> KeySpec:
    return KeySpec(
        name=options.name,
        env=options.env,
        scopes=read_scopes(options.scopes) if options.scopes else USUAL,
        description=options.description,
        rates=read_rates(options.rates),
        policy=options.policy,
        expires=options.expires,
    )


async def _add(control: Control, options: argparse.Namespace) -> int:
    key, new = await control.keys.add(options.spec, this_user())
    return _show(key, new, options, "")


async def _rotate(control: Control, options: argparse.Namespace) -> int:
    key, new = await control.keys.rotate(options.id, options.overlap, this_user())
    until = key.previous_until
    old = f"the old secret is taken until {shown_time(until)}" if until else "the old secret has ended"
    return _show(key, new, options, f"; {old}")


def _show(key: Key, new: NewKey, options: argparse.Namespace, more: str) -> int:
    if options.json:
        put({"key": new.text, **key_view(key, NOTHING, time.time())})
        return 0
    sys.stdout.write(f"{new.text}\n")
    say(f"this is the key {key.id} ({key.spec.name}); it is not kept and cannot be shown again{more}")
    return 0


async def _revoke(control: Control, options: argparse.Namespace) -> int:
    key = await control.keys.revoke(options.id, this_user())
    if options.json:
        put(key_view(key, NOTHING, time.time()))
    else:
        say(f"the key {key.id} ({key.spec.name}) is revoked")
    return 0


async def _list(control: Control, options: argparse.Namespace) -> int:
    views = await _views(control)
    if options.json:
        put(views)
        return 0
    rows = [
        (*(_cell(view[name]) for name in _LIST), *(_cell(view["usage"][name]) for name in _USED))
        for view in views
    ]
    put_table((*_LIST, *_USED), rows)
    return 0


async def _views(control: Control) -> list[dict[str, Any]]:
    keys: list[Key] = []
    while page := await control.keys.list(keys[-1].id if keys else None, MAX_LIST):
        keys += page
    totals = await control.usage.totals(principal_of(key.id) for key in keys)
    now = time.time()
    return [key_view(key, totals.get(principal_of(key.id), NOTHING), now) for key in keys]


async def _usage(control: Control, options: argparse.Namespace) -> int:
    key = await control.keys.get(options.id)
    view: dict[str, Any] = usage_view(await control.usage.of(principal_of(key.id)))
    if options.json:
        put({"id": key.id, "name": key.spec.name, **view})
        return 0
    lines = [*view["days"], {"day": "total", **view["total"]}]
    put_table(_DAY, [tuple(_cell(line[name]) for name in _DAY) for line in lines])
    return 0


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ",".join(value) or "-"
    return "-" if value is None else str(value)
