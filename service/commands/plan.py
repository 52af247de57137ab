"""``lars plan METHOD PATH``: what would answer such a request, without a server. Nothing is kept. The work is
in ``trial``, which is slow to import."""

from __future__ import annotations

import argparse
import asyncio
import sys

import orjson

from service.cgroup.taking import quarters
from service.commands.options import WRONG_USAGE, Commands, Environ, finish
from service.errors import LarsError
from service.rest.context import DIALECTS, METHODS
from service.settings import Settings

_PLANNERS = ("builtin", "llm")


def add_parser(commands: Commands) -> None:
    """``lars plan``."""
    parser = commands.add_parser("plan", help="show the plan of a request, and try it on made-up records")
    parser.add_argument("method", type=str.upper, choices=METHODS, help="GET, POST and so on")
    parser.add_argument(
        "path", help="path and query, such as '/orders/1?fields=name'; records 1, 2, 3 and k9 exist"
    )
    parser.add_argument("--body", help="JSON that is sent with it")
    parser.add_argument("--content-type", default="application/json", help="of the body")
    parser.add_argument("--planner", choices=_PLANNERS, default="builtin", help="who writes it")
    parser.add_argument("--dialect", choices=DIALECTS, default="default", help="the session's")
    parser.add_argument("--prefer", default="", help="the header Prefer")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    finish(parser, call)


def call(settings: Settings, environ: Environ, options: argparse.Namespace) -> int:
    """Exit status 0 for a plan that would be admitted, 1 for a refusal, 2 for what is no such request."""
    from service.commands.trial import Wanted, examine, sample_of  # noqa: PLC0415 - imports SQLAlchemy, as a front does

    try:
        wanted = Wanted(sample_of(options), options.planner)
    except LarsError as error:
        sys.stderr.write(f"lars: {error.detail}\n")
        return WRONG_USAGE
    with quarters(settings) as found:
        report = asyncio.run(examine(settings, environ, wanted, found))
    text = orjson.dumps(report.as_json()).decode() if options.json else report.as_text()
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0 if report.refusal is None else 1
