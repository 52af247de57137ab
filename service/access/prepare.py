"""Before the first front starts: ``python -m service.access.prepare SECRETS``, a child of ``lars serve``.

It makes the control database or brings it up to date, and says on stdout, as JSON, whether a key was ever
made (``keys``), and why there is no database (``absent``, null when there is one). Exit status 1 and a
sentence on stderr when the database is there and cannot be used: a service that cannot see its keys must not
be open.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from service.control.refusal import ControlRefused
from service.handover import take
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Prepared:
    """``keys``: whether one was ever made. ``absent``: why there is no database, or None."""

    keys: bool
    absent: str | None


def prepare_in_child(environ: Mapping[str, str], secrets: int) -> Prepared:
    """Have a child do it: this process needs none of what that imports. ControlRefused."""
    command = [sys.executable, "-m", "service.access.prepare", str(secrets)]
    done = subprocess.run(
        command, env=dict(environ), pass_fds=(secrets,), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip() or f"the child ended with exit code {done.returncode}"
        raise ControlRefused(said.removeprefix("lars: "))
    return Prepared(**orjson.loads(done.stdout))


async def _prepare(settings: Settings) -> Prepared:
    from service.access.watch import is_absent  # noqa: PLC0415 - what it imports is for the child alone
    from service.control.control import open_control  # noqa: PLC0415
    from service.control.migrate import prepare  # noqa: PLC0415
    from service.database_url import sqlite_path  # noqa: PLC0415
    from service.errors import ControlUnavailable  # noqa: PLC0415

    try:
        await prepare(settings)
        async with open_control(settings) as control:
            return Prepared(await control.keys.any_key(), None)
    except ControlUnavailable as error:
        if is_absent(sqlite_path(settings.database_url.reveal())):
            return Prepared(False, error.reason)
        raise ControlRefused(f"{error.reason}; check LARS_DATABASE_URL and LARS_DATA_ROOT") from error


def main() -> int:
    """Entry point of the child."""
    settings = Settings.from_env({**os.environ, **take(int(sys.argv[1]))})
    try:
        prepared = asyncio.run(_prepare(settings))
    except ControlRefused as error:
        sys.stderr.write(f"lars: {error}\n")
        return 1
    sys.stdout.buffer.write(orjson.dumps(prepared))
    return 0


if __name__ == "__main__":
    sys.exit(main())
