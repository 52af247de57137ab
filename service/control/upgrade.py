"""Alembic on an open transaction. Imported only when there is something to do: it is slow to load."""

from __future__ import annotations

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.control.refusal import ControlRefused

_STEPS: Final = "service.control:migrations"


def upgrade(connection: Connection, present: str | None) -> None:
    """To the newest version, in the transaction that has begun. ControlRefused when ``present`` is not one
    that this code knows."""
    config = steps()
    script = ScriptDirectory.from_config(config)
    known = [step.revision for step in script.walk_revisions()]
    if present is not None and present not in known:
        raise ControlRefused(
            f"the control database is of version {present[:40]!r}, and this LARS knows up to {known[0]}: "
            "run the newer LARS that made it, or name another database in LARS_DATABASE_URL"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def steps() -> Config:
    """Alembic's configuration: where the steps are."""
    config = Config()
    config.set_main_option("script_location", _STEPS)
    return config
