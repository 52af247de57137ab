"""``python -m service.access.prepare_child SECRETS``, a child of ``lars serve``.

It makes the control database or brings it up to date, and says on stdout, as JSON, what ``Prepared`` has:
whether a key was ever made (``keys``), and why there is no database (``absent``, null when there is one).
Exit status 1 and a sentence on stderr when the database is there and cannot be used: a service that cannot
see its keys must not be open.
"""

from __future__ import annotations

import asyncio
import os
import sys

import orjson

from service.access.prepare import Prepared
from service.access.watch import is_absent
from service.control.control import open_control
from service.control.migrate import prepare
from service.control.refusal import ControlRefused
from service.database_url import sqlite_path
from service.errors import ControlUnavailable
from service.handover import take
from service.settings import Settings


async def prepare_control(settings: Settings) -> Prepared:
    """Here, without a child. ControlRefused."""
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
        prepared = asyncio.run(prepare_control(settings))
    except ControlRefused as error:
        sys.stderr.write(f"lars: {error}\n")
        return 1
    sys.stdout.buffer.write(orjson.dumps(prepared))
    return 0


if __name__ == "__main__":
    sys.exit(main())
