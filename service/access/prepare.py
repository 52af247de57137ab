"""Before the first front starts: a child of ``lars serve`` sees to the control database.

What it imports for that is for it alone: the process of ``lars serve`` stays for as long as the service does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from service.control.refusal import ControlRefused


@dataclass(frozen=True, slots=True)
class Prepared:
    """``keys``: whether one was ever made. ``absent``: why there is no database, or None."""

    keys: bool
    absent: str | None


def prepare_in_child(environ: Mapping[str, str], secrets: int) -> Prepared:
    """Have ``service.access.prepare_child`` do it. ``secrets``: a descriptor of the settings that are secret
    (``service.handover``). ControlRefused."""
    done = subprocess.run(
        _command(secrets), env=dict(environ), pass_fds=(secrets,), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip() or f"the child ended with exit code {done.returncode}"
        raise ControlRefused(said.removeprefix("lars: "))
    return Prepared(**orjson.loads(done.stdout))


def preparing(environ: Mapping[str, str], secrets: int) -> subprocess.Popen[bytes]:
    """The same child, begun; what is wrong it says on our standard error. OSError."""
    return subprocess.Popen(
        _command(secrets),
        env=dict(environ),
        pass_fds=(secrets,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        process_group=0,  # what a terminal sends is for the supervisor
    )


def _command(secrets: int) -> list[str]:
    return [sys.executable, "-m", "service.access.prepare_child", str(secrets)]
