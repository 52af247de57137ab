"""``lars doctor``: its command line. The work is in ``diagnosis``, which is slow to import."""

from __future__ import annotations

import argparse

from service.commands.options import Commands, Environ, finish
from service.settings import Settings


def add_parser(commands: Commands) -> None:
    """``lars doctor``."""
    finish(commands.add_parser("doctor", help="say which isolation layers this host gives"), call)


def call(settings: Settings, environ: Environ, _options: argparse.Namespace) -> int:
    """As the command line says."""
    from service.commands.diagnosis import run  # noqa: PLC0415 - imports what a front does with workers

    return run(settings, environ)
