"""``lars serve``: the supervisor, and what it prints when the service stands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from service.commands.options import Commands, Environ, finish
from service.listen import listen, url_of
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.supervisor import Plan, Supervisor
from service.supervisor.zygote import Hello


def add_parser(commands: Commands) -> None:
    """``lars serve``."""
    parser = commands.add_parser("serve", help="serve HTTP until SIGTERM or SIGINT")
    parser.add_argument("--host", help="address to listen on (LARS_HOST)")
    parser.add_argument("--port", help="port to listen on, 0 lets the kernel choose (LARS_PORT)")
    parser.add_argument("--workers", dest="fronts", help="front processes (LARS_FRONTS)")
    finish(parser, call)


def call(settings: Settings, environ: Environ, _options: argparse.Namespace) -> int:
    """As the command line says, which ``service.cli`` has made part of the settings."""
    return run(settings, environ)


def run(settings: Settings, environ: Mapping[str, str]) -> int:
    """Serve until told to stop; exit status 0."""
    listener = listen(settings.host, settings.port)
    url = url_of(listener)
    plan = Plan(
        listener=listener,
        zygote=sandbox_spec(settings),
        zygotes=settings.zygotes,
        fronts=settings.fronts,
        floor=settings.sandbox_floor,
        environ=environ,
        shutdown=settings.shutdown_seconds,
    )
    storage = _no_sessions(settings.data_root)
    Supervisor(plan, lambda hello: _print_ready(url, hello, storage)).run()
    return 0


def _no_sessions(root: Path) -> str:
    """A line on why there are none, "" where there are. Programs run without a data root."""
    nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return ""
    return f"\n  no sessions: LARS_DATA_ROOT={root} cannot be written: {nearest} is no directory of ours"


def _print_ready(url: str, hello: Hello, storage: str) -> None:
    layers = ", ".join(state.layer for state in hello.layers if state.in_force)
    missing = "".join(f"\n  without {s.layer}: {s.reason}" for s in hello.layers if not s.in_force)
    sys.stdout.write(
        f"LARS is ready at {url}\n"
        f"  isolation in force: {layers}{missing}{storage}\n"
        f"  try it: curl -s {url}/execute -H 'Content-Type: application/json' "
        """-d '{"code": "print(6 * 7)"}'\n"""
    )
    sys.stdout.flush()
