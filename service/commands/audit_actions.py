"""``lars audit``: what each action does, and what it prints."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from service.commands.control_session import put, put_table, say, with_control
from service.control.control import Control
from service.control.key_view import entry_view
from service.settings import Settings

_COLUMNS = ("seq", "time", "principal", "source", "action", "target", "outcome")


def run(settings: Settings, options: argparse.Namespace) -> int:
    """One action."""
    actions = {"verify": _verify, "list": _list}
    return with_control(settings, partial(actions[options.action], options=options))


async def _verify(control: Control, options: argparse.Namespace) -> int:
    verdict = await control.check_audit(options.head)
    if verdict.fault is not None:
        say(f"the audit log is damaged: {verdict.fault}; {verdict.count} entries before it are sound")
        return 1
    if not verdict.noted:
        say(
            f"none of the {verdict.count} entries has the seal {options.head.hex()}: "
            "the log was put back to an earlier state, or made anew"
        )
        return 1
    sys.stdout.write(f"{verdict.count} entries, head {verdict.seal.hex()}\n")
    return 0


async def _list(control: Control, options: argparse.Namespace) -> int:
    views = [entry_view(entry) for entry in await control.audit.last(options.last)]
    if options.json:
        put(views)
    else:
        put_table(_COLUMNS, [tuple(str(view[name]) for name in _COLUMNS) for view in views])
    return 0
