"""``lars audit``: its command line. The work is in ``audit_actions``, which is slow to import."""

from __future__ import annotations

import argparse
import re

from service.commands.options import Commands, Environ, finish, reads
from service.settings import Settings

_SEAL = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LAST = 20
_MAX_LAST = 100_000


def add_parser(commands: Commands) -> None:
    """``lars audit verify|list``."""
    parser = commands.add_parser("audit", help="check or read the log of what was done to keys")
    actions = parser.add_subparsers(dest="action", required=True, help="what to do")
    verifying = actions.add_parser("verify", help="check every seal, and print their number and the head")
    verifying.add_argument(
        "--head", type=reads(_seal), help="a head that was printed earlier, which must still be in the log"
    )
    listing = actions.add_parser("list", help="the newest entries, the oldest of them first")
    listing.add_argument(
        "--last", type=reads(_count), default=_LAST, help=f"how many (default {_LAST}, at most {_MAX_LAST})"
    )
    listing.add_argument("--json", action="store_true", help="print everything, as JSON")
    for one in (verifying, listing):
        finish(one, call)


def call(settings: Settings, _environ: Environ, options: argparse.Namespace) -> int:
    """Exit status 0; 1 when the log is not what was written, or cannot be read."""
    from service.commands import audit_actions  # noqa: PLC0415 - imports SQLAlchemy, as key_actions does

    return audit_actions.run(settings, options)


def _seal(text: str) -> bytes:
    if _SEAL.fullmatch(text.strip().lower()) is None:
        raise ValueError(f"{text[:80]!r} is no seal; write the 64 hexadecimal digits that were printed")
    return bytes.fromhex(text.strip())


def _count(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) is None or not 1 <= int(text) <= _MAX_LAST:
        raise ValueError(f"{text[:20]!r} is not a number from 1 to {_MAX_LAST}")
    return int(text)
