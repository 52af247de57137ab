"""How much each principal has used: figures by the UTC day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import reduce
from typing import Final

from sqlalchemy import Insert, case, func, select
from sqlalchemy.dialects import postgresql, sqlite

from service.control.database import Database
from service.control.tables import USAGE

_FIGURES: Final = ("requests", "failures", "cpu_ms", "tokens")
_AT_ONCE: Final = 500  # parameters of one statement: SQLite takes 32766, PostgreSQL 65535
Row = tuple[str, date]  # whom it belongs to (Principal.name), and the UTC day


@dataclass(frozen=True, slots=True)
class Figures:
    """``failures``: requests that were answered 400 or above. ``cpu_ms``: CPU of programs, in milliseconds.
    ``last_used``: seconds since the epoch."""

    requests: int = 0
    failures: int = 0
    cpu_ms: int = 0
    tokens: int = 0
    last_used: float | None = None

    def __add__(self, other: Figures) -> Figures:
        used = [moment for moment in (self.last_used, other.last_used) if moment is not None]
        return Figures(
            self.requests + other.requests,
            self.failures + other.failures,
            self.cpu_ms + other.cpu_ms,
            self.tokens + other.tokens,
            max(used, default=None),
        )


NOTHING: Final = Figures()


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one principal: every day that has figures, the first first."""

    days: tuple[tuple[date, Figures], ...]

    @property
    def total(self) -> Figures:
        """Of all days."""
        return reduce(Figures.__add__, (figures for _, figures in self.days), NOTHING)


class UsageStore:
    """Every method raises ControlUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = _adding(
            sqlite.insert(USAGE) if database.path is not None else postgresql.insert(USAGE)
        )

    async def add(self, deltas: Mapping[Row, Figures]) -> None:
        """Add to what is there, all of it or nothing."""
        # In one order, so that two processes never wait for each other's rows.
        rows = [{"principal": name, "day": day, **asdict(deltas[name, day])} for name, day in sorted(deltas)]
        if rows:
            async with self._database.writing() as connection:
                await connection.execute(self._insert, rows)

    async def of(self, name: str) -> Usage:
        """Nothing for who has used nothing."""
        columns = (USAGE.c[figure] for figure in (*_FIGURES, "last_used"))
        query = select(USAGE.c.day, *columns).where(USAGE.c.principal == name).order_by(USAGE.c.day)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return Usage(tuple((day, Figures(*figures)) for day, *figures in rows))

    async def totals(self, names: Iterable[str]) -> dict[str, Figures]:
        """Of all days, for each of ``names`` that has used anything."""
        # PostgreSQL's sum of bigint is numeric.
        sums = [func.sum(USAGE.c[figure]).cast(USAGE.c[figure].type) for figure in _FIGURES]
        query = select(USAGE.c.principal, *sums, func.max(USAGE.c.last_used)).group_by(USAGE.c.principal)
        found: dict[str, Figures] = {}
        async with self._database.reading() as connection:
            for some in _parts(sorted(set(names))):
                rows = (await connection.execute(query.where(USAGE.c.principal.in_(some)))).all()
                found |= {name: Figures(*figures) for name, *figures in rows}
        return found


def _adding(statement: sqlite.Insert | postgresql.Insert) -> Insert:
    """INSERT that adds to the row that is there."""
    more = statement.excluded
    sums = {figure: USAGE.c[figure] + more[figure] for figure in _FIGURES}
    later = case(
        (more.last_used > func.coalesce(USAGE.c.last_used, 0), more.last_used), else_=USAGE.c.last_used
    )
    return statement.on_conflict_do_update(
        index_elements=[USAGE.c.principal, USAGE.c.day], set_={**sums, "last_used": later}
    )


def _parts(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
