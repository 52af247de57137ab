"""``lars keys``: its command line. The work is in ``key_actions``, which is slow to import."""

from __future__ import annotations

import argparse
import time

from service.access.key_text import ENVIRONMENTS, read_id
from service.access.scopes import USUAL, Scope, in_order
from service.commands.options import Commands, Environ, finish, reads
from service.settings import Settings
from service.times import parse_duration, parse_moment

_OVERLAP = "24h"


def add_parser(commands: Commands) -> None:
    """``lars keys add|list|revoke|rotate|usage``."""
    parser = commands.add_parser("keys", help="make, list, rotate and revoke keys, and see their usage")
    actions = parser.add_subparsers(dest="action", required=True, help="what to do")
    _add_add(actions)
    listing = actions.add_parser("list", help="every key with its state and usage")
    revoking = actions.add_parser("revoke", help="end a key for good")
    rotating = actions.add_parser("rotate", help="give a key a new secret, and print it once")
    rotating.add_argument(
        "--overlap",
        type=reads(parse_duration),
        default=_OVERLAP,
        help=f"how long the old secret is still taken: 30m, 24h, 7d, or 0 (default {_OVERLAP})",
    )
    using = actions.add_parser("usage", help="what a key has used, by the UTC day")
    for one in (revoking, rotating, using):
        one.add_argument("id", type=reads(_key_id), help="ID, sk_prod_ID, or the whole key")
    for one in (listing, revoking, rotating, using):
        _finish(one)


def _add_add(actions: Commands) -> None:
    adding = actions.add_parser("add", help="make a key, and print it once")
    adding.add_argument("--name", required=True, help="what the key is called: 1 to 100 characters")
    adding.add_argument("--description", default="", help="what it is for: at most 1000 characters")
    adding.add_argument("--env", required=True, choices=ENVIRONMENTS, help="the environment it is for")
    adding.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        help=f"one of {', '.join(Scope)}, a family such as functions:*, or *; once for each "
        f"(default {' '.join(in_order(USUAL))})",
    )
    adding.add_argument(
        "--rate",
        dest="rates",
        action="append",
        default=[],
        help="100/minute, concurrent=4, cpu=3600 or tokens=50000; once for each (default unlimited)",
    )
    adding.add_argument(
        "--policy", choices=("program", "restricted"), help="the policy that its programs run under at least"
    )
    adding.add_argument(
        "--expires",
        type=reads(lambda text: parse_moment(text, time.time())),
        help="90d, 2027-01-01 or 2027-01-01T00:00:00Z (default never)",
    )
    _finish(adding)


def _finish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    finish(parser, call)


def call(settings: Settings, _environ: Environ, options: argparse.Namespace) -> int:
    """Exit status 0, 1 when it cannot be done, 2 for what no key can be."""
    from service.commands import key_actions  # noqa: PLC0415 - imports SQLAlchemy, which no other command needs

    return key_actions.run(settings, options)


def _key_id(text: str) -> str:
    found = read_id(text)
    if found is None:  # without the text: it may be a key with a typo
        raise ValueError("that is no key's id; write ID, sk_prod_ID or the whole key (lars keys list)")
    return found
