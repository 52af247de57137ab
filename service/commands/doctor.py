"""``lars doctor``: start a real zygote, run a real program, and say which layers are in force."""

from __future__ import annotations

import argparse
import asyncio
import sys

from sandbox_runtime.layers import STOPS, LayerState, below_floor
from service.commands.options import Commands, Environ, finish
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.zygote import Hello


def add_parser(commands: Commands) -> None:
    """``lars doctor``."""
    finish(commands.add_parser("doctor", help="say which isolation layers this host gives"), call)


def call(settings: Settings, _environ: Environ, _options: argparse.Namespace) -> int:
    """As the command line says."""
    return run(settings)


def run(settings: Settings) -> int:
    """Print the table; exit status 1 when the host is below the floor."""
    hello = asyncio.run(_ask(settings))
    sys.stdout.write("".join(f"{line}\n" for line in table(hello.layers)))
    missing = below_floor(hello.layers, settings.sandbox_floor)
    for state in missing:
        sys.stdout.write(f"below LARS_SANDBOX_FLOOR: {state.layer}: {state.reason}; {state.remedy}\n")
    sys.stdout.write("the service would not start\n" if missing else "the service can start\n")
    return 1 if missing else 0


async def _ask(settings: Settings) -> Hello:
    async with local_sandbox(sandbox_spec(settings), PoolSize(1, 2, 1)) as sandbox:
        return sandbox.hello


def table(states: tuple[LayerState, ...]) -> list[str]:
    """One line per layer: name, in force or not, what it stops or why it is missing and what to do."""
    lines = [f"{'layer':<22} {'in force':<9} stops / why not"]
    for state in states:
        why = f"{state.reason}; {state.remedy}" if state.remedy else state.reason
        words = STOPS[state.layer] if state.in_force else why
        lines.append(f"{state.layer:<22} {'yes' if state.in_force else 'NO':<9} {words}")
    return lines
