"""Deploying a candidate while databases fail, fronts lose their runs and persons decide: no canary is left
that nobody watches."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from service.control.control import Control
from service.errors import ControlUnavailable
from service.functions.figures import CallOutcome, Tally, VersionKey
from service.functions.functions import Functions
from service.functions.sources import source_of
from service.improvement.cycle import cycle
from service.improvement.cycle.canary import Thresholds
from service.improvement.cycle.deployment import Deployment
from service.improvement.cycle.logbook import Logbook
from service.improvement.cycle.workshop import Terms, Workshop
from service.improvement.runs.request import Usual
from service.improvement.runs.store import RunLost, RunStore
from service.improvement.runs.values import Chosen, Order, Run, Step
from service.improvement.trial.examiner import Examiner
from service.planning.asker import Asker
from service.planning.planning import Planning
from service.pool.pool import Pool
from tests.service.control.functions import HASH, spec
from tests.service.control.made import BY, run_sql

LIVE, CANDIDATE = source_of(b"def f(): return 1\n"), source_of(b"def f(): return 2\n")
NAME = (HASH, spec().name)
CHOSEN = Chosen(1, CANDIDATE.digest, CANDIDATE.text, "{}", LIVE.digest)
TERMS = Terms(True, 5, 5, 0.0, Thresholds(20, 60.0, 0.01, 1.5), Usual(3, 1000))


async def _announced() -> None:
    """No other front is there to be told."""


@pytest.fixture
async def workshop(control: Control) -> Workshop:
    """With a function that is live. Deploying asks no model and runs nothing, so those are not there."""
    await control.functions.load(spec(), LIVE, "{}", BY)
    nobody = cast(Functions, None)
    asks, pool = cast(Planning, None), cast(Pool, None)
    return Workshop(control, nobody, asks, pool, Examiner(nobody, 5), TERMS, _announced)


async def deploying(control: Control) -> Run:
    """A run that has chosen its candidate."""
    run = await control.runs.create(Order(3, 1000, NAME), BY, "me")
    changed = replace(run, status="deploying", chosen=CHOSEN, live=LIVE.digest)
    return await control.runs.record(changed, Step("approve", "automatic"))


async def taken_over(control: Control) -> Run:
    """The run by another front, when the first was not heard of for long."""
    await run_sql(control, "UPDATE lars_improvement_runs SET lease = 1")
    (run,) = await control.runs.adopt("you")
    return run


def logbook(workshop: Workshop, run: Run) -> Logbook:
    """Of whoever holds it."""
    return Logbook(workshop.control.runs, run, Asker(run.by))


async def canary(control: Control) -> int | None:
    """Which version it is."""
    found = (await control.functions.get(*NAME)).canary
    return None if found is None else found.version


async def test_who_lost_the_run_leaves_no_canary(workshop: Workshop) -> None:
    """A front that stood still, while another deployed, and a person refused what it had deployed."""
    control = workshop.control
    mine = await deploying(control)
    theirs = logbook(workshop, await taken_over(control))
    await Deployment(workshop, theirs, NAME, CHOSEN).deploy()
    assert await canary(control) == 2
    await control.runs.decide(theirs.run, BY, approved=False, note="")
    await cycle.go_on(workshop, theirs)
    assert (theirs.run.status, theirs.run.reason) == ("rolled_back", "a person has refused it")
    with pytest.raises(RunLost):
        await Deployment(workshop, logbook(workshop, mine), NAME, CHOSEN).deploy()
    assert await canary(control) is None
    assert len(await control.functions.versions(*NAME)) == 2


async def test_a_failing_database_leaves_no_canary_behind(workshop: Workshop) -> None:
    """What was staged before it failed is found by whoever goes on, and watched."""
    control = workshop.control
    mine = logbook(workshop, await deploying(control))
    await run_sql(control, "ALTER TABLE lars_function_figures RENAME TO gone")
    with pytest.raises(ControlUnavailable):
        await cycle.go_on(workshop, mine)
    assert await canary(control) == 2
    assert (await control.runs.get(mine.run.id)).status == "deploying"
    await run_sql(control, "ALTER TABLE gone RENAME TO lars_function_figures")
    theirs = logbook(workshop, await taken_over(control))
    await Deployment(workshop, theirs, NAME, CHOSEN).deploy()
    assert theirs.run.status == "monitoring"
    await control.runs.decide(theirs.run, BY, approved=False, note="")
    await cycle.go_on(workshop, theirs)
    assert (theirs.run.status, await canary(control)) == ("rolled_back", None)
    assert len(await control.functions.versions(*NAME)) == 2


class Hasty(RunStore):
    """A person refuses what is watched in the moment in which its end is written down."""

    async def record(self, run: Run, step: Step) -> Run:
        if step.stage == "monitor" and run.decision == "promote":
            await self.decide(run, BY, approved=False, note="")
        return await super().record(run, step)


async def test_a_person_decides_in_the_same_moment(workshop: Workshop) -> None:
    """What they were told holds, although the figures promote it."""
    control = workshop.control
    run = await deploying(control)
    watching = Logbook(Hasty(control.database, control.audit), run, Asker(run.by))
    await Deployment(workshop, watching, NAME, CHOSEN).deploy()
    await control.figures.add({VersionKey(*NAME, 1): tallied(ok=400), VersionKey(*NAME, 2): tallied(ok=20)})
    await cycle.go_on(workshop, watching)
    assert (watching.run.status, await canary(control)) == ("rolled_back", None)
    assert watching.run.reason == "a person has refused it"


async def test_few_calls_of_the_live_version_excuse_nothing(workshop: Workshop) -> None:
    """One that failed since is not taken for its error rate: what it did before counts too."""
    control = workshop.control
    await control.figures.add({VersionKey(*NAME, 1): tallied(ok=400)})
    watching = logbook(workshop, await deploying(control))
    await Deployment(workshop, watching, NAME, CHOSEN).deploy()
    await control.figures.add(
        {VersionKey(*NAME, 1): tallied(function_error=1), VersionKey(*NAME, 2): tallied(function_error=20)}
    )
    await cycle.go_on(workshop, watching)
    assert (watching.run.status, await canary(control)) == ("rolled_back", None)
    assert "20 of 20 calls failed" in watching.run.reason


def tallied(**ends: int) -> Tally:
    """So many calls of a hundredth of a second."""
    made = Tally()
    for end, number in ends.items():
        for _ in range(number):
            made.count(cast(CallOutcome, end), 0.01, 0.0, 1.0)
    return made
