"""Runs of improvement in the control database. Every step is in the audit log, in one transaction with what
it changes.

Whoever works on a run holds it for a few seconds at a time and renews that. Nobody else's step is written: a
front that was taken for dead, and is not, finds that it has lost the run.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import anyio.to_thread
import orjson
from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, not_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.access.principal import Actor
from service.control.audit import AuditLog
from service.control.database import Database
from service.control.seals import Event
from service.control.tables import RUN_STEPS as STEPS
from service.control.tables import RUNS
from service.errors import Conflict, NotFound
from service.functions.registry_work import Guard
from service.improvement.runs.rows import row_of, run_of, step_of
from service.improvement.runs.values import KeptStep, Name, Order, Run, Stage, Step
from service.telemetry.catalog import RUN_ENDS

LEASE: Final = 5.0
"""Seconds for which a run is held."""
MAX_ACTIVE: Final = 100
MAX_KEPT: Final = 500
"""Runs that have ended; the audit log has the others' steps."""
MAX_LIST: Final = 100
_REFUSED: Final = "a person has refused it"
_ACTIVE: Final = RUNS.c.active == true()
_HELD: Final = ("running", "deploying", "monitoring")  # somebody has to work on them


class RunLost(Exception):
    """It is somebody else's by now, or has ended: nothing was written."""


class RunStore:
    """Every method raises ControlUnavailable. ``holder``: who works on it, a text of its own for each
    front."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    async def create(self, order: Order, by: Actor, holder: str, every: float = 0.0) -> Run:
        """A new one, held. ``every``: it is automatic, and Conflict when another such one began less than so
        many seconds ago. Conflict when its target is being improved already, or too many runs are active."""
        now = time.time()
        run = Run(
            id=f"run_{int(now * 1000):012x}{secrets.token_hex(6)}",
            by=by.principal,
            order=order,
            target=order.target,
            goal=order.goal,
            automatic=every > 0,
            created=now,
            updated=now,
            holder=holder,
            lease=now + LEASE,
        )
        about = {"max_candidates": order.max_candidates, "budget_tokens": order.budget_tokens}
        event = Event(by, "improve.start", _target(run), {"run": run.id, **about})
        await self._audit.recorded(event, partial(_create, run=run, every=every))
        return run

    async def record(self, run: Run, step: Step) -> Run:
        """Keep the step, and with it the run as it is now: ``run`` has what the step has changed. A decision
        that was made meanwhile stays, and so does the reason for it while the run goes on. RunLost when its
        holder is not the one that is kept; Conflict when its target is being improved already."""
        run = replace(run, updated=time.time(), ended=None if run.is_active else time.time())
        detail = {"run": run.id, "outcome": step.outcome, "status": run.status, **step.summary}
        event = Event(Actor(run.by, ""), f"improve.{step.stage}", _target(run), detail)
        kept = await self._audit.recorded(event, partial(_record, run=run, step=step))
        _count(kept)
        return kept

    def held(self, run: Run) -> Guard:
        """For the transaction of another change: RunLost unless the run is its holder's still, and nobody
        else gets it before that change is made."""
        return partial(_check_held, run=run)

    async def decide(self, run: Run, by: Actor, *, approved: bool, note: str) -> Run:
        """What a person wants of a run, which is as it was seen: an approval deploys what waits for one, and
        promotes what is watched; a refusal ends the first and every other, and rolls back the second.
        Conflict when there is nothing to decide any more."""
        stage: Stage = "approve"
        word = "approved" if approved else "refused"
        detail = {"run": run.id, "outcome": word, "note": note}
        event = Event(by, f"improve.{stage}", _target(run), detail)
        step = Step(stage, word, {"by": by.principal, "note": note})
        decided = await self._audit.recorded(event, partial(_decide, run_id=run.id, step=step))
        _count(decided)
        return decided

    async def renew(self, holder: str, runs: Collection[str]) -> frozenset[str]:
        """Hold these for longer; those of them that are still the holder's."""
        if not runs:
            return frozenset()
        mine = RUNS.c.id.in_(runs) & _ACTIVE & (RUNS.c.holder == holder)
        statement = update(RUNS).where(mine).values(lease=time.time() + LEASE).returning(RUNS.c.id)
        async with self._database.writing() as connection:
            return frozenset((await connection.execute(statement)).scalars())

    async def release(self, holder: str) -> None:
        """Whoever likes may go on with all that this one holds."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(RUNS).where(RUNS.c.holder == holder, _ACTIVE).values(holder=None, lease=0.0)
            )

    async def adopt(self, holder: str, busy: Collection[str] = ()) -> tuple[Run, ...]:
        """Runs that somebody should work on and nobody does, held from now on. ``busy``: those that the
        holder works on, whatever their lease: it may not have been able to renew it."""
        now = time.time()
        orphaned = RUNS.c.status.in_(_HELD) & (RUNS.c.lease < now) & RUNS.c.id.not_in(busy)
        async with self._database.reading() as connection:
            if await connection.scalar(select(RUNS.c.id).where(orphaned).limit(1)) is None:
                return ()
        taking = update(RUNS).where(orphaned).values(holder=holder, lease=now + LEASE).returning(RUNS)
        async with self._database.writing() as connection:
            rows = (await connection.execute(taking)).mappings().all()
        return tuple(run_of(row) for row in rows)

    async def last_automatic(self) -> float | None:
        """When the last run began that nobody asked for."""
        query = select(func.max(RUNS.c.created)).where(RUNS.c.automatic == true())
        async with self._database.reading() as connection:
            found: float | None = await connection.scalar(query)
        return found

    async def last_of_each(self, but: str) -> dict[Name, str]:
        """The id of the last run of each function that found something to do, without the run ``but``."""
        query = select(RUNS.c.hash, RUNS.c.name, func.max(RUNS.c.id)).group_by(RUNS.c.hash, RUNS.c.name)
        query = query.where(RUNS.c.hash.is_not(None), RUNS.c.id != but, RUNS.c.status != "nothing_to_do")
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {(contract, name): run for contract, name, run in rows}

    async def get(self, run: str) -> Run:
        """NotFound."""
        async with self._database.reading() as connection:
            return await _get(connection, run)

    async def list(self, limit: int, after: str | None = None) -> tuple[Run, ...]:
        """The newest first, at most MAX_LIST; ``after``: the id of the last of the page before. NotFound for
        what can be none."""
        query = select(RUNS).order_by(RUNS.c.id.desc()).limit(min(limit, MAX_LIST))
        if after is not None:
            query = query.where(RUNS.c.id < _checked(after))
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return await anyio.to_thread.run_sync(_runs, rows)  # a hundred modules may be in them

    async def by_status(self) -> Mapping[str, int]:
        """How many there are of each."""
        query = select(RUNS.c.status, func.count().label("number")).group_by(RUNS.c.status)
        async with self._database.reading() as connection:
            return {row.status: row.number for row in await connection.execute(query)}

    async def steps(self, run: str, after: int = 0) -> tuple[KeptStep, ...]:
        """Those with a number above ``after``, in order."""
        query = select(STEPS).where(STEPS.c.run == run, STEPS.c.number > after).order_by(STEPS.c.number)
        async with self._database.reading() as connection:
            return tuple(step_of(row) for row in (await connection.execute(query)).mappings().all())


def _count(run: Run) -> None:
    if not run.is_active:
        RUN_ENDS.add(run.status)


async def _create(connection: AsyncConnection, run: Run, every: float) -> None:
    if every:
        query = select(RUNS.c.id).where(RUNS.c.automatic == true(), RUNS.c.created > run.created - every)
        if await connection.scalar(query.limit(1)) is not None:
            raise Conflict(f"a run of the service's own began less than {every:g} seconds ago")
    active = await connection.scalar(select(func.count()).select_from(RUNS).where(_ACTIVE)) or 0
    if active >= MAX_ACTIVE:
        raise Conflict(f"{active} runs are active, which is the limit; approve or refuse those that wait")
    await _check_target(connection, run)
    await _forget_old(connection)
    await connection.execute(insert(RUNS).values(row_of(run)))


async def _record(connection: AsyncConnection, run: Run, step: Step) -> Run:
    row = await _held(connection, run)
    if row["hash"] is None:
        await _check_target(connection, run)
    if row["decision"] not in (None, run.decision):  # by a person, meanwhile
        run = replace(run, decision=row["decision"], reason=row["reason"] if run.is_active else run.reason)
    values = row_of(run)
    del values["lease"]  # which is renewed beside this
    await connection.execute(update(RUNS).where(RUNS.c.id == run.id).values(values))
    await _add_step(connection, run.id, step)
    return run


async def _check_held(connection: AsyncConnection, run: Run) -> None:
    await _held(connection, run)


async def _held(connection: AsyncConnection, run: Run) -> RowMapping:
    """Hash, decision and reason as they are kept, of a run that is its holder's. RunLost."""
    columns = (RUNS.c.holder, RUNS.c.active, RUNS.c.hash, RUNS.c.decision, RUNS.c.reason)
    query = select(*columns).where(RUNS.c.id == run.id).with_for_update()
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None or not row["active"] or row["holder"] != run.holder:
        raise RunLost(run.id)
    return row


async def _decide(connection: AsyncConnection, run_id: str, step: Step) -> Run:
    await connection.execute(select(RUNS.c.id).where(RUNS.c.id == run_id).with_for_update())
    run = decided(await _get(connection, run_id), approved=step.outcome == "approved")
    run = replace(run, updated=time.time(), ended=None if run.is_active else time.time())
    await connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(row_of(run)))
    await _add_step(connection, run_id, step)
    return run


def decided(run: Run, *, approved: bool) -> Run:
    """What becomes of it when a person has decided. Conflict when there is nothing to decide. Pure."""
    if run.status == "monitoring" and run.decision is not None:
        raise Conflict(f"it is decided already: {run.decision}; look at it again in a moment")
    if run.status == "monitoring":
        if approved:
            return replace(run, decision="promote", reason="a person has promoted it")
        return replace(run, decision="roll_back", reason=_REFUSED)
    if not approved and run.is_active:
        if run.status == "deploying":
            raise Conflict("it is being deployed; refuse it again in a moment")
        return replace(run, status="refused", reason=_REFUSED, holder=None)
    if run.status == "awaiting_approval":
        return replace(run, status="deploying", reason="", holder=None, lease=0.0)
    raise Conflict(f"the run is {run.status}; only one that awaits approval or is monitored can be approved")


async def _get(connection: AsyncConnection, run: str) -> Run:
    query = select(RUNS).where(RUNS.c.id == _checked(run))
    found = (await connection.execute(query)).mappings().one_or_none()
    if found is None:
        raise _no_run(run)
    return run_of(found)


def _checked(run: str) -> str:
    """What may be an id: PostgreSQL refuses a NUL, and orders other texts in its own way. NotFound."""
    if not (run.isascii() and run.replace("_", "").isalnum()):
        raise _no_run(run)
    return run


def _no_run(run: str) -> NotFound:
    return NotFound(f"there is no run {run[:60]!a}; GET /self-improve/runs has those there are")


def _runs(rows: Sequence[RowMapping]) -> tuple[Run, ...]:
    return tuple(run_of(row) for row in rows)


async def _check_target(connection: AsyncConnection, run: Run) -> None:
    if run.target is None:
        return
    is_it: ColumnElement[bool] = (RUNS.c.hash == run.target[0]) & (RUNS.c.name == run.target[1])
    other = await connection.scalar(select(RUNS.c.id).where(is_it, _ACTIVE, RUNS.c.id != run.id))
    if other is not None:
        raise Conflict(f"{run.target[1]} is being improved by the run {other}; wait for it, or refuse it")


async def _add_step(connection: AsyncConnection, run: str, step: Step) -> None:
    last = await connection.scalar(select(func.max(STEPS.c.number)).where(STEPS.c.run == run)) or 0
    values: Mapping[str, Any] = {
        "run": run,
        "number": last + 1,
        "stage": step.stage,
        "outcome": step.outcome,
        "time": time.time(),
        "seconds": step.seconds,
        "evidence": orjson.dumps(step.evidence).decode(),
    }
    await connection.execute(insert(STEPS).values(values))


async def _forget_old(connection: AsyncConnection) -> None:
    """So that there is room for one more."""
    kept = select(RUNS.c.id).where(not_(_ACTIVE)).order_by(RUNS.c.id.desc()).offset(MAX_KEPT - 1)
    old = (await connection.execute(kept)).scalars().all()
    if old:
        await connection.execute(delete(STEPS).where(STEPS.c.run.in_(old)))
        await connection.execute(delete(RUNS).where(RUNS.c.id.in_(old)))


def _target(run: Run) -> str:
    return run.id if run.target is None else "/".join(run.target)
