"""``lars serve``: the supervisor, and what it prints when the service stands."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from service.listen import listen, url_of
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.supervisor import Plan, Supervisor
from service.supervisor.zygote import Hello


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
    Supervisor(plan, lambda hello: _print_ready(url, hello)).run()
    return 0


def _print_ready(url: str, hello: Hello) -> None:
    layers = ", ".join(state.layer for state in hello.layers if state.in_force)
    missing = "".join(f"\n  without {s.layer}: {s.reason}" for s in hello.layers if not s.in_force)
    sys.stdout.write(
        f"LARS is ready at {url}\n"
        f"  isolation in force: {layers}{missing}\n"
        f"  try it: curl -s {url}/execute -H 'Content-Type: application/json' "
        """-d '{"code": "print(6 * 7)"}'\n"""
    )
    sys.stdout.flush()
