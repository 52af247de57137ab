"""Runs of improvement as they are kept, on both databases."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from service.access.principal import Actor
from service.control.control import Control
from service.errors import Conflict, NotFound
from service.improvement.runs import store
from service.improvement.runs.store import RunLost
from service.improvement.runs.values import Chosen, Order, Run, Status, Step, Watched
from tests.service.control.functions import HASH
from tests.service.control.made import BY, run_sql
from tests.service.improvement.tallies import tally

ORDER = Order(3, 1000)
NAMED = Order(3, 1000, (HASH, "f"), "latency")
STEP = Step("analyze", "ok", {"code": "secret", "seen": 1}, {"seen": 1}, 0.25)
CHOSEN = Chosen(2, "d" * 64, "def f():\n    return 1\n", "{}", "e" * 64, 3)


async def left(control: Control) -> None:
    """Whoever held the runs there are has not been heard of for long."""
    await run_sql(control, "UPDATE lars_improvement_runs SET lease = 1")


async def at(control: Control, status: Status, order: Order = ORDER) -> Run:
    """A run that has come so far."""
    run = await control.runs.create(order, BY, "me")
    return await control.runs.record(replace(run, status=status, chosen=CHOSEN), STEP)


async def test_a_run_is_found_as_it_was_kept(control: Control) -> None:
    """Every member, with its steps; the audit log has what was done, and no code."""
    run = await control.runs.create(NAMED, BY, "me")
    assert await control.runs.get(run.id) == run
    watched = Watched(7, 12.5, tally(3, 1), tally(0))
    run = replace(run, status="monitoring", chosen=CHOSEN, watched=watched, tokens=12, cost=None, reason="so")
    kept = await control.runs.record(run, STEP)
    found = await control.runs.get(run.id)
    assert found == kept == replace(run, updated=kept.updated)
    (step,) = await control.runs.steps(run.id)
    assert (step.number, step.stage, step.outcome, step.seconds) == (1, "analyze", "ok", 0.25)
    assert json.loads(step.evidence) == {"code": "secret", "seen": 1}
    assert await control.runs.steps(run.id, after=1) == ()
    told = [(entry.action, entry.target, json.loads(entry.detail)) for entry in await control.audit.last(9)]
    place = f"{HASH}/f"
    assert told == [
        ("improve.start", place, {"run": run.id, "max_candidates": 3, "budget_tokens": 1000}),
        ("improve.analyze", place, {"run": run.id, "outcome": "ok", "status": "monitoring", "seen": 1}),
    ]
    assert (await control.check_audit()).fault is None


async def test_one_run_for_each_target(control: Control) -> None:
    """Until it has ended; also where the target is found later."""
    first = await control.runs.create(NAMED, BY, "me")
    with pytest.raises(Conflict, match=first.id):
        await control.runs.create(NAMED, BY, "you")
    second = await control.runs.create(ORDER, BY, "you")
    with pytest.raises(Conflict, match=first.id):
        await control.runs.record(replace(second, target=NAMED.target), STEP)
    await control.runs.record(replace(first, status="refused"), STEP)
    claimed = await control.runs.record(replace(second, target=NAMED.target), STEP)
    assert (await control.runs.get(second.id)).target == claimed.target == NAMED.target


async def test_two_at_once_get_one_target(control: Control) -> None:
    """Whoever comes first."""
    made = await asyncio.gather(
        *(control.runs.create(NAMED, BY, str(number)) for number in range(6)), return_exceptions=True
    )
    assert sum(isinstance(each, Run) for each in made) == 1
    assert sum(isinstance(each, Conflict) for each in made) == 5


async def test_who_lost_it_writes_nothing(control: Control) -> None:
    """Another has taken it over, or it has ended."""
    mine = await control.runs.create(ORDER, BY, "me")
    assert await control.runs.adopt("you") == ()
    assert await control.runs.renew("me", {mine.id}) == {mine.id}
    assert await control.runs.renew("you", {mine.id}) == frozenset()
    await left(control)
    (theirs,) = await control.runs.adopt("you")
    assert (theirs.id, theirs.holder) == (mine.id, "you")
    assert await control.runs.adopt("somebody") == ()
    with pytest.raises(RunLost):
        await control.runs.record(mine, STEP)
    assert await control.runs.renew("me", {mine.id}) == frozenset()
    ended = await control.runs.record(replace(theirs, status="interrupted"), STEP)
    assert ended.ended is not None
    with pytest.raises(RunLost):
        await control.runs.record(theirs, STEP)
    assert len(await control.runs.steps(mine.id)) == 1


async def test_nobody_takes_a_run_from_themselves(control: Control) -> None:
    """A front that could not renew in time still works on it."""
    mine = await at(control, "monitoring")
    await left(control)
    assert await control.runs.adopt("me", {mine.id}) == ()
    assert [run.id for run in await control.runs.adopt("me")] == [mine.id]


async def test_the_last_run_of_each(control: Control) -> None:
    """Whatever became of it, but for those that found nothing to do."""
    assert await control.runs.last_of_each("") == {}
    await at(control, "refused", NAMED)
    last = await at(control, "failed", NAMED)
    await at(control, "nothing_to_do", NAMED)
    await at(control, "nothing_to_do")
    mine = await at(control, "running", NAMED)
    assert await control.runs.last_of_each(mine.id) == {(HASH, "f"): last.id}


@pytest.mark.parametrize("name", ["\0", "run_\0", "", "é", "run_" + "1" * 5000, "run 1", "\ud800"])
async def test_what_is_no_id(control: Control, name: str) -> None:
    """No run has it; a database that cannot read it is not asked."""
    with pytest.raises(NotFound) as raised:
        await control.runs.get(name)
    assert raised.value.detail.isascii()
    if not name.startswith("run_1"):
        with pytest.raises(NotFound):
            await control.runs.list(1, after=name)


async def test_what_a_module_has_raised_is_kept(control: Control) -> None:
    """With every character that a database takes."""
    run = await control.runs.create(ORDER, BY, "me")
    kept = await control.runs.record(replace(run, status="refused", reason="a\0b\U0001f600"), STEP)
    assert (await control.runs.get(run.id)).reason == "a\ufffdb\U0001f600"
    assert kept.status == "refused"


async def test_what_is_released_is_adopted_at_once(control: Control) -> None:
    """But for what waits for a person."""
    running, waiting = await at(control, "running"), await at(control, "awaiting_approval")
    await control.runs.release("me")
    assert [run.id for run in await control.runs.adopt("you")] == [running.id]
    assert (await control.runs.get(waiting.id)).holder is None


@pytest.mark.parametrize(
    ("before", "approved", "after", "decision"),
    [
        ("awaiting_approval", True, "deploying", None),
        ("awaiting_approval", False, "refused", None),
        ("monitoring", True, "monitoring", "promote"),
        ("monitoring", False, "monitoring", "roll_back"),
        ("running", False, "refused", None),
    ],
)
async def test_a_person_decides(
    control: Control, before: Status, approved: bool, after: str, decision: str | None
) -> None:
    """It is a step of its own, by that person; who works on it finds the decision."""
    run = await at(control, before)
    decided = await control.runs.decide(run, Actor("key:boss", "10.0.0.1"), approved=approved, note="well")
    assert decided == await control.runs.get(run.id)
    assert (decided.status, decided.decision) == (after, decision)
    step = (await control.runs.steps(run.id))[-1]
    assert (step.stage, step.outcome) == ("approve", "approved" if approved else "refused")
    assert json.loads(step.evidence) == {"by": "key:boss", "note": "well"}
    (entry,) = await control.audit.last(1)
    assert (entry.principal, entry.action, entry.outcome) == ("key:boss", "improve.approve", "ok")
    if after == "deploying":
        assert [each.id for each in await control.runs.adopt("you")] == [run.id]
    if before == "running":
        with pytest.raises(RunLost):
            await control.runs.record(run, STEP)
    if before == "monitoring":
        kept = await control.runs.record(replace(run, reason="still"), STEP)
        assert await control.runs.get(run.id) == kept
        assert (kept.decision, kept.reason) == (decision, decided.reason)  # not what was thought before
        for otherwise in (True, False):
            with pytest.raises(Conflict, match=f"decided already: {decision}"):
                await control.runs.decide(run, BY, approved=otherwise, note="")


@pytest.mark.parametrize(
    ("status", "approved"),
    [("running", True), ("deploying", True), ("deploying", False), ("promoted", True), ("refused", False)],
)
async def test_nothing_to_decide(control: Control, status: Status, approved: bool) -> None:
    """And nothing is changed."""
    run = await at(control, status)
    with pytest.raises(Conflict):
        await control.runs.decide(run, BY, approved=approved, note="")
    assert (await control.runs.get(run.id)).status == status
    assert len(await control.runs.steps(run.id)) == 1


async def test_automatic_runs_keep_their_distance(control: Control) -> None:
    """Whoever asks for one, and those that were asked for do not count."""
    await control.runs.create(ORDER, BY, "me")
    assert await control.runs.last_automatic() is None
    first = await control.runs.create(ORDER, BY, "me", every=60.0)
    assert first.automatic
    assert await control.runs.last_automatic() == first.created
    with pytest.raises(Conflict, match="60 seconds"):
        await control.runs.create(ORDER, BY, "you", every=60.0)
    await run_sql(control, "UPDATE lars_improvement_runs SET created = created - 61")
    await control.runs.create(ORDER, BY, "you", every=60.0)


async def test_lists_and_bounds(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first, page by page; the oldest that have ended are forgotten, and there is no end of active
    ones only as far as the limit."""
    monkeypatch.setattr(store, "MAX_KEPT", 3)
    monkeypatch.setattr(store, "MAX_ACTIVE", 2)
    runs = [await at(control, "refused") for _ in range(5)]
    newest = [run.id for run in reversed(runs)]
    assert [run.id for run in await control.runs.list(10)] == newest[:3]
    assert [run.id for run in await control.runs.list(2)] == newest[:2]
    assert [run.id for run in await control.runs.list(2, after=newest[1])] == newest[2:3]
    with pytest.raises(NotFound, match="self-improve/runs"):
        await control.runs.get(runs[0].id)
    assert await control.runs.steps(runs[0].id) == ()
    for _ in range(2):
        await control.runs.create(ORDER, BY, "me")
    with pytest.raises(Conflict, match="2 runs are active"):
        await control.runs.create(ORDER, BY, "me")
