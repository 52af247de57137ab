"""``python -m service.access.prepare_child SECRETS``, a child of ``lars serve``.

It makes the control database or brings it up to date, and says on stdout, as JSON, what ``Prepared`` has:
whether a key was ever made (``keys``), and why there is no database (``absent``, null when there is one).
Exit status 1 and a sentence on stderr when the database is there and cannot be used: a service that cannot
see its keys must not be open.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import orjson

from service.access.prepare import Prepared
from service.control.audit_key import audit_key
from service.control.lost import refuse_to_lose
from service.control.refusal import ControlRefused
from service.control.sqlite_file import any_key
from service.database_url import sqlite_path
from service.handover import take
from service.settings import Settings


def _usual(settings: Settings) -> Prepared | None:
    """Where there is a file of SQLite with which all is well, or can be made one. ControlRefused."""
    refuse_to_lose(settings)
    path = sqlite_path(settings.database_url.reveal())
    keys = None if path is None else any_key(Path(path))
    if keys is None:
        return None
    audit_key(settings)
    return Prepared(keys, None)


def _thorough(settings: Settings) -> Prepared:
    """ControlRefused."""
    import asyncio  # noqa: PLC0415 - slow to load, as is the next

    from service.access.prepare_control import prepare_control  # noqa: PLC0415 - imports SQLAlchemy

    return asyncio.run(prepare_control(settings))


def main() -> int:
    """Entry point of the child."""
    settings = Settings.from_env({**os.environ, **take(int(sys.argv[1]))})
    try:
        prepared = _usual(settings) or _thorough(settings)
    except ControlRefused as error:
        sys.stderr.write(f"lars: {error}\n")
        return 1
    sys.stdout.buffer.write(orjson.dumps(prepared))
    return 0


if __name__ == "__main__":
    sys.exit(main())
