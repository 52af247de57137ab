"""A pool that several principals want at once: who is served next, and what nobody can take from others."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from service.errors import Overloaded
from service.pool.shares import niceness
from tests.pool.puppets import PuppetWorker, PuppetZygote, until
from tests.pool.stage import Stage, bear_and_answer

pytestmark = pytest.mark.usefixtures("loop_guard")


async def waiting(stage: Stage, *codes: str) -> None:
    """Jobs wait, each of the principal that its code begins with."""
    for code in codes:
        stage.run(code, principal=code[0])
    await stage.turn()


async def filled(stage: Stage, zygote: PuppetZygote, principal: str, jobs: int) -> list[PuppetWorker]:
    """A pool of eight workers, of which those that this principal got have their programs."""
    for _ in range(jobs):
        stage.run("greedy", principal=principal)
    await stage.turn()
    workers = [zygote.bear() for _ in range(8)]
    await until(lambda: stage.figures("busy", "idle")[0] + stage.figures("idle")[0] == 8, "all are there")
    return workers


async def end(zygote: PuppetZygote, worker: PuppetWorker) -> None:
    """It has answered; its end is told."""
    await worker.answer()
    await until(lambda: worker.process.poll() is not None, "the worker is ended after its job")
    zygote.say(worker.reap())


async def test_principals_are_served_in_turn(stage: Stage) -> None:
    stage.set(0, 1, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await waiting(stage, "a1", "a2", "a3", "a4", "b1", "b2", "c1")
    assert [await bear_and_answer(zygote) for _ in range(4)] == ["a1", "b1", "c1", "a2"]
    await waiting(stage, "d1")
    assert [await bear_and_answer(zygote) for _ in range(4)] == ["b2", "a3", "d1", "a4"]


async def test_without_principals_jobs_are_served_as_they_came(stage: Stage) -> None:
    """What the order above would be for a service of one user."""
    stage.set(0, 1, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    codes = ["a1", "a2", "a3", "b1", "c1"]
    for code in codes:
        stage.run(code)
    assert [await bear_and_answer(zygote) for _ in codes] == codes


async def test_one_principal_leaves_a_worker_to_the_next(stage: Stage) -> None:
    stage.set(0, 8, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await filled(stage, zygote, "greedy", 12)
    assert stage.figures("busy", "idle", "waiting") == (7, 1, 5)
    stage.run("mine", principal="other")
    await until(lambda: stage.figures("busy") == (8,), "it has a worker")
    assert (await zygote.workers[-1].program()).code == "mine"
    assert stage.figures("busy", "idle", "waiting") == (8, 0, 5)


async def test_without_principals_all_workers_may_be_had(stage: Stage) -> None:
    """The control: nothing is left for the next."""
    stage.set(0, 8, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await filled(stage, zygote, "", 12)
    stage.run("mine")
    await stage.turn()
    assert stage.figures("busy", "idle", "waiting") == (8, 0, 5)


async def test_a_worker_that_is_gone_lets_the_next_job_of_its_principal_run(stage: Stage) -> None:
    """And not earlier: until then no other could be made in its place."""
    stage.set(0, 8, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    workers = await filled(stage, zygote, "greedy", 9)
    await workers[0].answer()
    await until(lambda: workers[0].process.poll() is not None, "it is ended")
    await stage.turn()
    assert stage.figures("busy", "idle", "waiting") == (6, 1, 2)
    zygote.say(workers[0].reap())
    await until(lambda: stage.figures("waiting") == (1,), "the next one runs")
    assert stage.figures("busy", "idle") == (7, 0)


async def test_the_queue_has_places_that_one_principal_cannot_take(stage: Stage) -> None:
    stage.set(0, 1, 8)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await waiting(stage, *["greedy"] * 7)
    with pytest.raises(Overloaded) as caught:
        await stage.run(principal="g")
    assert caught.value.detail == (
        "0 of the caller's own requests run and 7 wait, which is the share that one caller may have of "
        "LARS_MAX_WORKERS and LARS_QUEUE_SIZE, so the request was refused and nothing ran; send it again "
        "after 1 s"
    )
    stage.pool.refuse_if_full("other")
    await waiting(stage, "other")
    with pytest.raises(Overloaded, match="0 programs run and 8 wait"):
        stage.pool.refuse_if_full("third")
    assert [await bear_and_answer(zygote) for _ in range(2)] == ["greedy", "other"]


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next_of_its_own(stage: Stage) -> None:
    stage.set(0, 1, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await waiting(stage, "a1", "a2", "b1")
    stage.runs[1].cancel()
    await stage.turn()
    assert stage.figures("waiting") == (2,)
    assert [await bear_and_answer(zygote) for _ in range(2)] == ["a2", "b1"]


async def test_idle_workers_of_a_retired_zygote_are_not_kept_for_anybody(stage: Stage) -> None:
    stage.set(0, 8, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    workers = await filled(stage, zygote, "greedy", 8)
    assert stage.figures("busy", "idle", "waiting") == (7, 1, 1)
    stage.pool.retire(1)
    assert await asyncio.to_thread(workers[7].process.wait, 5) == -9
    fresh = stage.add()
    await end(zygote, workers[0])
    await until(fresh.hear, "the fresh one is asked")
    await bear_and_answer(fresh)  # it proves itself
    fresh.bear()
    await until(lambda: stage.figures("waiting") == (0,), "the one that waited runs")


async def test_more_jobs_of_one_principal_are_nicer(stage: Stage) -> None:
    stage.set(0, 8, 40)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await stage.turn()
    for number in range(5):
        stage.run(principal="greedy")
        assert (await zygote.bear().limits()).niceness == niceness(number + 1)
    for principal in ("other", "", ""):
        stage.run(principal=principal)
        assert (await zygote.bear().limits()).niceness == 0


async def test_one_principal_has_workers_of_all_zygotes_alike(stage: Stage) -> None:
    stage.set(0, 16, 40)
    zygotes = [await stage.add_proven()]
    stage.runs[0].cancel()
    zygotes.append(stage.add())
    zygotes[1].bear()
    await zygotes[1].workers[0].answer()
    await until(lambda: stage.proven == [1, 2], "both are proven")
    for zygote in zygotes:
        for _ in range(4):
            zygote.bear()
    await until(lambda: stage.figures("idle") == (8,), "eight are idle")
    for _ in range(4):
        stage.run("one", principal="a")
    for zygote in zygotes:
        for worker in zygote.workers[1:3]:
            assert (await worker.program()).code == "one"


@pytest.mark.parametrize("seed", range(5))
async def test_nobody_is_forgotten(stage: Stage, seed: int) -> None:
    """Jobs of four principals come, are given up and end in any order; those that stayed are all run."""
    choice = random.Random(seed)
    stage.set(1, 4, 100)
    zygote = await stage.add_proven()
    serving = asyncio.get_running_loop().create_task(serve(zygote))
    given_up = set()
    for number in range(30):
        run = stage.run(str(number), principal=choice.choice(["a", "a", "a", "b", "c", ""]))
        await stage.turn(choice.randrange(3))
        if choice.random() < 0.2:
            given_up.add(run)
            run.cancel()
    stayed = [run for run in stage.runs if run not in given_up]
    await until(lambda: all(run.done() for run in stayed), "all have been run")
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert [run.result().result for run in stayed] == [b"42"] * len(stayed)
    assert stage.figures("busy", "waiting") == (0, 0)


async def serve(zygote: PuppetZygote) -> None:
    """Bear every worker that is asked for; each answers what it is given, or is ended before that."""
    async with asyncio.TaskGroup() as group:
        while True:
            await until(lambda: zygote.hear() > len(zygote.workers), "another is asked for", seconds=60)
            group.create_task(answer_or_die(zygote, zygote.bear()))


async def answer_or_die(zygote: PuppetZygote, worker: PuppetWorker) -> None:
    with contextlib.suppress(AssertionError):  # the job was given up as it came
        await worker.answer()
    await until(lambda: worker.process.poll() is not None, "the worker is ended")
    zygote.say(worker.reap())
