"""``lars run FILE``: its command line. The work is in ``one_run``, which is slow to import."""

from __future__ import annotations

import argparse
from pathlib import Path

from service.commands.options import Commands, Environ, finish
from service.settings import Settings


def add_parser(commands: Commands) -> None:
    """``lars run``."""
    parser = commands.add_parser(
        "run", help="run one program in the same jail, without HTTP, stdin or arguments"
    )
    parser.add_argument("file", type=Path, help="the program, or - for standard input")
    parser.add_argument("--data", help="JSON that the program finds in the variable data")
    finish(parser, call)


def call(settings: Settings, _environ: Environ, options: argparse.Namespace) -> int:
    """As the command line says."""
    from service.commands.one_run import run  # noqa: PLC0415 - imports what a front does with workers

    return run(settings, options.file, options.data)
