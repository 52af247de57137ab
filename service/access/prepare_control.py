"""Makes the control database, or brings it up to date, and looks whether there are keys: the thorough way."""

from __future__ import annotations

from service.access.prepare import Prepared
from service.access.watch import is_absent
from service.control.control import open_control
from service.control.migrate import prepare
from service.control.refusal import ControlRefused
from service.database_url import sqlite_path
from service.errors import ControlUnavailable
from service.settings import Settings


async def prepare_control(settings: Settings) -> Prepared:
    """In this process. ControlRefused."""
    try:
        await prepare(settings)
        async with open_control(settings) as control:
            return Prepared(await control.keys.any_key(), None)
    except ControlUnavailable as error:
        if is_absent(sqlite_path(settings.database_url.reveal())):
            return Prepared(False, error.reason)
        raise ControlRefused(f"{error.reason}; check LARS_DATABASE_URL and LARS_DATA_ROOT") from error
