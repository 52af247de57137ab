"""What ``lars doctor`` does: start a real zygote, run a real program, say which layers are in force; and
start a real planner, where a language model is configured."""

from __future__ import annotations

import asyncio
import os
import sys

from sandbox_runtime.layers import STOPS, LayerState, below_floor
from service.cgroup.quarters import Quarters
from service.cgroup.taking import quarters
from service.commands.options import Environ
from service.planner_spec import beyond_hosts, planner_spec
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.planner import PlannerNotStarted, PlannerSpec, ask_standing
from service.supervisor.zygote import Hello


def run(settings: Settings, environ: Environ) -> int:
    """Print the table; exit status 1 when the host is below the floor. A planner that cannot start is no
    reason: the service serves without."""
    with quarters(settings) as found:
        hello = asyncio.run(_ask(settings, found))
    sys.stdout.write("".join(f"{line}\n" for line in table(hello.layers)))
    if found.tree is not None:
        sys.stdout.write(f"{found.words()}\n")
    sys.stdout.write("".join(f"{line}\n" for line in planner_lines(planner_spec(settings, environ))))
    missing = below_floor(hello.layers, settings.sandbox_floor)
    for state in missing:
        sys.stdout.write(f"below LARS_SANDBOX_FLOOR: {state.layer}: {state.reason}; {state.remedy}\n")
    sys.stdout.write("the service would not start\n" if missing else "the service can start\n")
    return 1 if missing else 0


async def _ask(settings: Settings, found: Quarters) -> Hello:
    async with local_sandbox(sandbox_spec(settings, found), PoolSize(1, 2, 1)) as sandbox:
        return sandbox.hello


def planner_lines(spec: PlannerSpec | None) -> list[str]:
    """What there is to say of the planner; nothing where none is configured."""
    if spec is None:
        return []
    try:
        standing = ask_standing(spec)
    except PlannerNotStarted as error:
        return [f"the planner could not start: {error}"]
    finally:
        os.close(spec.keys)
    in_force = [layer for layer, why in standing.layers.items() if not why]
    return [
        f"the planner can ask {', '.join(standing.ready) or 'nobody'}; in force: {', '.join(in_force)}",
        *(f"the planner without {layer}: {why}" for layer, why in standing.layers.items() if why),
        *(f"the planner cannot ask {name}: {why}" for name, why in standing.why.items()),
        *(f"the planner will not connect: {why}" for why in beyond_hosts(spec.config)),
    ]


def table(states: tuple[LayerState, ...]) -> list[str]:
    """One line per layer: name, in force or not, what it stops or why it is missing and what to do."""
    lines = [f"{'layer':<22} {'in force':<9} stops / why not"]
    for state in states:
        why = f"{state.reason}; {state.remedy}" if state.remedy else state.reason
        words = STOPS[state.layer] if state.in_force else why
        lines.append(f"{state.layer:<22} {'yes' if state.in_force else 'NO':<9} {words}")
    return lines
