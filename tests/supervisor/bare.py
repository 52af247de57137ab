"""``python bare.py CASE``: a supervisor whose zygotes cannot be had, in the way that CASE says.

What ``lars serve`` does, with one part of the sandbox replaced; settings come from the environment.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable

from service.control.bulletin import create_bulletin
from service.handover import hand_over, without_secrets
from service.limits.shared_table import create_shared
from service.listen import listen
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.supervisor import Plan, StartFailed, Supervisor
from service.supervisor.zygote import Hello, ZygoteSpec
from service.telemetry.board import create_board
from service.telemetry.logs import configure_logging

_BAD_FILTER = b"\xff" * 8  # one instruction, of a kind that the kernel does not know


def _no_zygote_filter(spec: ZygoteSpec) -> ZygoteSpec:
    return dataclasses.replace(spec, zygote_filter=_BAD_FILTER)


def _no_worker_filter(spec: ZygoteSpec) -> ZygoteSpec:
    return dataclasses.replace(spec, worker_filter=spec.worker_filter + _BAD_FILTER)


def _other_python(spec: ZygoteSpec) -> ZygoteSpec:
    """The program in FAKE_PYTHON takes the place of the base interpreter."""
    sys._base_executable = os.environ["FAKE_PYTHON"]  # type: ignore[attr-defined]
    return spec


CASES: dict[str, Callable[[ZygoteSpec], ZygoteSpec]] = {
    "zygote filter": _no_zygote_filter,
    "worker filter": _no_worker_filter,
    "other python": _other_python,
}


def _say_ready(_: Hello) -> None:
    sys.stdout.write("ready; there is no curl line\n")
    sys.stdout.flush()


def main() -> int:
    """Exit status as ``lars serve`` has it."""
    settings = Settings.from_env(os.environ)
    configure_logging(settings)
    plan = Plan(
        listener=listen("127.0.0.1", 0),
        zygote=CASES[sys.argv[1]](sandbox_spec(settings)),
        zygotes=settings.zygotes,
        fronts=settings.fronts,
        floor=settings.sandbox_floor,
        environ=without_secrets(os.environ),
        handed=(
            *(hand_over(os.environ), create_shared(settings.fronts), create_bulletin()),
            create_board(settings.fronts),
        ),
        drain=settings.drain_seconds,
    )
    try:
        Supervisor(plan, _say_ready).run()
    except StartFailed as error:
        sys.stderr.write(f"lars: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
