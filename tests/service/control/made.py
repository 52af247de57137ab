"""What tests of the control database make, and how they read it behind the service's back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from service.access.principal import Actor, KeySpec
from service.access.scopes import Scope
from service.control.control import Control

BY = Actor("cli:tester", "command line")
SPEC = KeySpec("CI runner", "prod", frozenset((Scope.EXECUTE, Scope.REST)))
MISSING_ID = "0123456789"


async def run_sql(control: Control, *statements: str) -> None:
    """In one transaction, as somebody would who can write the database."""
    async with control.database.writing() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def rows(control: Control, query: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    async with control.database.reading() as connection:
        return [tuple(row) for row in (await connection.execute(text(query))).all()]
