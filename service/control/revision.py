"""The number that every change of a key or a function takes."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.control.tables import REVISION


async def next_revision(connection: AsyncConnection) -> int:
    """The next one. Whoever wants one too waits until this transaction ends."""
    statement = update(REVISION).values(number=REVISION.c.number + 1).returning(REVISION.c.number)
    return int((await connection.execute(statement)).scalar_one())
