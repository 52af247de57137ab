"""Whether connections to PostgreSQL that have rested still lead anywhere."""

from __future__ import annotations

from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]  # has no annotations
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

REFUSALS: Final[tuple[type[Exception], ...]] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that broke while it was used; SQLAlchemy lets it pass
)
_GONE: Final[tuple[type[Exception], ...]] = (*REFUSALS, OSError)  # TimeoutError is one
_LOOK_SECONDS: Final = 2.0


def look_at_connections(engine: Engine, seconds: float) -> None:
    """Each before it is used. One that is silent for two seconds, or for ``seconds`` where that is less, ends
    with all others that rest: a host that has lost its power tells nobody that they have ended, and waiting
    for each in turn would keep a service from its successor for most of a minute. A server that was restarted
    costs no request."""
    longest = min(_LOOK_SECONDS, seconds)

    @event.listens_for(engine, "checkout")
    def _taken(connection: Any, _record: object, _proxy: object) -> None:
        try:
            # Its simple protocol prepares nothing, and needs no transaction.
            connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=longest))
        except _GONE as error:
            raise InvalidatePoolError from error
