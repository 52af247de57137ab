"""``python planned.py LAUNCH_SECONDS PARTS``: ``lars serve`` with ``planner_program`` in the planner's place.
PARTS: ``all``, or ``planner`` for a supervisor that has no other child.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

from service import cli
from service.commands import serve
from service.listen import listen
from service.planner_spec import planner_spec
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor import planner, planner_keeper
from service.supervisor.planner import PlannerSpec
from service.supervisor.supervisor import Plan, Supervisor
from service.telemetry.logs import configure_logging


def _stand_in(settings: Settings, environ: Mapping[str, str]) -> PlannerSpec | None:
    spec = planner_spec(settings, environ)
    return None if spec is None else replace(spec, module="tests.supervisor.planner_program")


def _planner_alone() -> None:
    settings = Settings.from_env(os.environ)
    configure_logging(settings)
    plan = Plan(
        listener=listen("127.0.0.1", 0),
        zygote=sandbox_spec(settings),
        zygotes=0,
        fronts=0,
        floor=(),
        environ={},
        handed=(),
        drain=0,
        planner=_stand_in(settings, os.environ),
    )
    Supervisor(plan, lambda _: None).run()


def main() -> int:
    """Exit status as ``lars serve`` has it."""
    launch, parts = sys.argv[1:]
    planner_keeper.LAUNCH_SECONDS = float(launch)  # type: ignore[attr-defined]
    if os.environ["LLM_MOCK_HANDLER"].endswith(".hangs"):
        planner_keeper.PING_SECONDS = 0.1
    planner._LAST_SECONDS = 0.3
    if parts == "planner":
        _planner_alone()
        return 0
    serve.planner_spec = _stand_in  # type: ignore[attr-defined]
    return cli.main(["serve", "--port", "0"])


if __name__ == "__main__":
    sys.exit(main())
