"""The figures of every version that was ever called, one row for each; they stay when it is unloaded.

Totals are added up by the database. A histogram is JSON, which no statement of both databases can add to: it
is read and written again while its row is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio.to_thread
import orjson
from sqlalchemy import Insert, Row, Select, bindparam, case, func, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from service.control.database import Database
from service.control.tables import FUNCTION_FIGURES as FIGURES
from service.control.tables import FUNCTIONS
from service.functions.figures import OUTCOMES, CallOutcome, Tally, VersionKey

_KEY: Final = ("hash", "name", "version")
_SUMS: Final = (*OUTCOMES, "cpu_us", "run_us")
_AT_ONCE: Final = 100  # rows of one statement, which keeps the event loop for a millisecond
_NO_RUNS: Final = "[]"


@dataclass(frozen=True, slots=True)
class Overview:
    """``busiest``: the versions with most calls, those first. ``others``: how many more were called.
    ``loaded``: how many functions are served."""

    busiest: tuple[tuple[VersionKey, Tally], ...]
    others: int
    loaded: int


class FigureStore:
    """Every method raises ControlUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert = _adding(
            sqlite.insert(FIGURES) if database.path is not None else postgresql.insert(FIGURES)
        )

    async def add(self, taken: Mapping[VersionKey, Tally]) -> None:
        """Add to what is there, all of it or nothing."""
        if not taken:
            return
        keys = await anyio.to_thread.run_sync(sorted, taken)  # so two processes never wait for each other
        async with self._database.writing() as connection:
            for some in _parts(keys):
                await self._add_some(connection, {key: taken[key] for key in some})

    async def of(self, contract: str, name: str) -> dict[int, Tally]:
        """Of each version that was called. ``contract``: visible_pixel_hash, in lower case."""
        found = await self._found(_all().where(FIGURES.c.hash == contract, FIGURES.c.name == name))
        return {key.version: tally for key, tally in found}

    async def of_many(self, names: Iterable[tuple[str, str]]) -> dict[VersionKey, Tally]:
        """Of each version that was called of these functions, by hash and name."""
        functions = tuple_(FIGURES.c.hash, FIGURES.c.name)
        found: dict[VersionKey, Tally] = {}
        for some in _parts(sorted(set(names))):
            found.update(await self._found(_all().where(functions.in_(some))))
        return found

    async def overview(self, limit: int) -> Overview:
        """At most ``limit`` versions."""
        calls = sum((FIGURES.c[outcome] for outcome in OUTCOMES[1:]), FIGURES.c[OUTCOMES[0]])
        # The key, so that the same ones are told each time.
        busiest = await self._found(_all().order_by(calls.desc(), *(FIGURES.c[name] for name in _KEY)), limit)
        is_loaded = FUNCTIONS.c.loaded == true()
        async with self._database.reading() as connection:
            count: int = await connection.scalar(select(func.count()).select_from(FIGURES)) or 0
            loaded = await connection.scalar(select(func.count()).select_from(FUNCTIONS).where(is_loaded))
        return Overview(tuple(busiest), count - len(busiest), loaded or 0)

    async def _found(self, query: Select[Any], limit: int | None = None) -> list[tuple[VersionKey, Tally]]:
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.limit(limit))).all()
        return await anyio.to_thread.run_sync(_tallies, rows)

    async def _add_some(self, connection: AsyncConnection, taken: Mapping[VersionKey, Tally]) -> None:
        rows = [_row(key, tally) for key, tally in taken.items()]
        found = (await connection.execute(self._insert, rows)).all()
        merged = [
            {**_renamed(key), "runs": _merged(text, tally)}
            for *names, text in found
            if (tally := taken[key := VersionKey(*names)]).runs
        ]
        if merged:
            await connection.execute(_REPLACING, merged)


def _adding(statement: sqlite.Insert | postgresql.Insert) -> Insert:
    """INSERT that adds to the row that is there, locks it and gives back its runs, without the new ones."""
    more = statement.excluded
    sums = {name: FIGURES.c[name] + more[name] for name in _SUMS}
    later = case((more.last_called > FIGURES.c.last_called, more.last_called), else_=FIGURES.c.last_called)
    return statement.on_conflict_do_update(
        index_elements=[FIGURES.c[name] for name in _KEY], set_={**sums, "last_called": later}
    ).returning(*(FIGURES.c[name] for name in (*_KEY, "runs")))


_REPLACING: Final = (
    update(FIGURES)
    .where(*(FIGURES.c[name] == bindparam(f"of_{name}") for name in _KEY))
    .values(runs=bindparam("runs"))
)


def _renamed(key: VersionKey) -> dict[str, object]:
    return {f"of_{name}": value for name, value in zip(_KEY, key, strict=True)}


def _all() -> Select[Any]:
    return select(*(FIGURES.c[name] for name in (*_KEY, *_SUMS, "runs", "last_called")))


def _row(key: VersionKey, tally: Tally) -> dict[str, object]:
    return {
        "hash": key.hash,
        "name": key.name,
        "version": key.version,
        **{outcome: tally.outcomes.get(outcome, 0) for outcome in OUTCOMES},
        "cpu_us": round(tally.cpu * 1_000_000),
        "run_us": round(tally.run * 1_000_000),
        "runs": _NO_RUNS,
        "last_called": tally.last_called,
    }


def _merged(text: str, tally: Tally) -> str:
    runs: dict[int, int] = dict(orjson.loads(text))
    for bucket, number in tally.runs.items():
        runs[bucket] = runs.get(bucket, 0) + number
    return orjson.dumps(sorted(runs.items())).decode()


def _tallies(rows: Sequence[Row[Any]]) -> list[tuple[VersionKey, Tally]]:
    return [_tally(*row) for row in rows]


def _tally(*row: Any) -> tuple[VersionKey, Tally]:
    key, ended, (cpu, run, runs, last_called) = row[:3], row[3:7], row[7:]
    outcomes: dict[CallOutcome, int] = {
        outcome: number for outcome, number in zip(OUTCOMES, ended, strict=True) if number
    }
    return VersionKey(*key), Tally(outcomes, cpu / 1e6, run / 1e6, dict(orjson.loads(runs)), last_called)


def _parts(names: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
