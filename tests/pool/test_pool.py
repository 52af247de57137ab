"""The pool against zygotes and workers that the test plays: who gets which worker when, and what is left."""

from __future__ import annotations

import asyncio
import math
import signal
import time
from functools import partial

import pytest
from structlog.testing import capture_logs

from sandbox_runtime.job import Report
from sandbox_runtime.wire import Exited, Failed, Kind, Spawn, encode, encode_json
from service.errors import NotReady, Overloaded, QueueTimeout, WorkerLost
from tests.pool.puppets import PATIENCE, PuppetWorker, PuppetZygote, until
from tests.pool.stage import Stage, bear_and_answer

pytestmark = pytest.mark.usefixtures("loop_guard")


# -- proof and readiness -----------------------------------------------------------------------------------


async def test_a_zygote_is_proven_when_a_program_has_run(stage: Stage) -> None:
    stage.set(1, 2, 2)
    zygote = stage.add()
    await stage.asked(zygote, 1)
    worker = zygote.bear()
    assert "6 * 7" in (await worker.program()).code
    assert not stage.pool.ready
    await worker.answer()
    await asyncio.wait_for(stage.pool.wait_ready(), 5)
    assert (stage.pool.ready, stage.proven, stage.broken) == (True, [1], [])


async def test_a_zygote_that_computes_wrongly_is_broken(stage: Stage) -> None:
    stage.set(1, 2, 2)
    zygote = stage.add()
    worker = zygote.bear()
    await worker.program()
    await worker.say(encode(Kind.RESULT, b"43") + encode_json(Kind.DONE, Report("ok", 0)))
    await until(lambda: stage.broken, "it is reported")
    assert (stage.pool.ready, stage.proven, stage.broken, zygote.let_go) == (False, [], [1], True)


async def test_readiness_ends_with_the_last_zygote(stage: Stage) -> None:
    stage.set(1, 2, 2)
    zygote = await stage.add_proven()
    assert stage.pool.ready
    zygote.close()
    await until(lambda: not stage.pool.ready, "the pool is not ready")
    assert stage.broken == []


# -- refill ------------------------------------------------------------------------------------------------


async def test_idle_workers_are_kept_ready(stage: Stage) -> None:
    stage.set(3, 8, 2)
    zygote = stage.add()
    await stage.asked(zygote, 3)
    await bear_and_answer(zygote)
    await stage.asked(zygote, 4)
    for _ in range(3):
        zygote.bear()
    await until(lambda: stage.figures("idle") == (3,), "three are idle")
    run = stage.run("one")
    await stage.asked(zygote, 5)
    assert await zygote.workers[1].answer() == "one"
    assert (await run).result == b"42"
    await stage.asked(zygote, 5)


async def test_few_missing_workers_are_asked_for_together_or_a_moment_later(stage: Stage) -> None:
    """A message wakes the zygote: below a quarter of the idle ones, those that others may join wait."""
    stage.set(8, 16, 2)
    zygote = await stage.add_proven()
    await stage.asked(zygote, 9)
    for _ in range(8):
        zygote.bear()
    await until(lambda: stage.figures("idle") == (8,), "eight are idle")
    stage.run("a"), stage.run("b")
    await stage.asked(zygote, 11)
    stage.run("c")
    await stage.asked(zygote, 12)
    assert zygote.requests == [8, 1, 2, 1]


async def test_no_more_workers_than_allowed_are_asked_for(stage: Stage) -> None:
    stage.set(2, 3, 10)
    zygote = await stage.add_proven()
    await stage.asked(zygote, 3)
    for _ in range(5):
        stage.run()
    await stage.asked(zygote, 4)
    assert stage.figures("waiting", "starting") == (5, 3)


async def test_a_dead_idle_worker_is_replaced_and_never_used(stage: Stage) -> None:
    stage.set(1, 4, 2)
    zygote = await stage.add_proven()
    dead = zygote.bear()
    await until(lambda: stage.figures("idle") == (1,), "it is idle")
    before = zygote.hear()
    zygote.say(dead.die())
    await stage.asked(zygote, before + 1)
    assert stage.figures("idle") == (0,)
    run = stage.run("next")
    assert await bear_and_answer(zygote) == "next"
    assert (await run).verdict == "ok"


# -- the queue ---------------------------------------------------------------------------------------------


async def test_a_full_queue_refuses_at_once(stage: Stage) -> None:
    stage.set(1, 1, 2)
    zygote = await stage.add_proven()
    running = stage.run("a")
    worker = zygote.bear()
    assert (await worker.program()).code == "a"
    waiting = [stage.run("b"), stage.run("c")]
    await stage.turn()
    assert stage.figures("busy", "waiting") == (1, 2)
    with pytest.raises(Overloaded) as caught:
        await stage.run("d")
    assert caught.value.detail == (
        "1 programs run and 2 wait (LARS_MAX_WORKERS, LARS_QUEUE_SIZE), so the request was refused and "
        "nothing ran; send it again after 1 s"
    )
    assert caught.value.headers == {"Retry-After": "1"}
    assert not any(run.done() for run in (running, *waiting))


async def test_retry_after_is_what_the_queue_will_take(stage: Stage) -> None:
    stage.set(0, 1, 350)
    stage.add()
    for _ in range(350):
        stage.run()
    await stage.turn()
    with pytest.raises(Overloaded) as caught:
        await stage.run()
    first_guess = 0.01  # seconds a program takes, until one has been measured
    assert caught.value.headers == {"Retry-After": str(math.ceil(350 * first_guess))}


async def test_jobs_are_served_in_the_order_in_which_they_came(stage: Stage) -> None:
    stage.set(0, 1, 5)
    zygote = stage.add()
    runs = [stage.run(code) for code in "abcde"]
    assert "6 * 7" in await bear_and_answer(zygote)
    assert [await bear_and_answer(zygote) for _ in runs] == list("abcde")
    assert [(await run).result for run in runs] == [b"42"] * 5


async def test_a_job_that_waits_past_its_deadline_is_refused(stage: Stage) -> None:
    stage.set(0, 1, 5)
    stage.add()
    with pytest.raises(QueueTimeout) as caught:
        await stage.run(timeout=0.05)
    assert caught.value.headers == {"Retry-After": "1"}
    assert stage.figures("waiting") == (0,)


async def test_a_job_whose_deadline_has_passed_does_not_wait(stage: Stage) -> None:
    stage.set(0, 1, 5)
    with pytest.raises(QueueTimeout):
        await stage.run(timeout=-1)


async def test_a_job_whose_deadline_has_passed_takes_no_idle_worker(stage: Stage) -> None:
    """A worker may be quicker than the clock, and the result would come after the caller's time."""
    stage.set(1, 1, 5)
    zygote = await stage.add_proven()
    await stage.asked(zygote, 2)
    worker = zygote.bear()
    await until(lambda: stage.figures("idle") == (1,), "it is idle")
    with pytest.raises(QueueTimeout):
        await stage.run(timeout=-1)
    run = stage.run()
    await worker.answer()
    assert (await run).result == b"42"


async def test_time_in_the_queue_counts_against_the_deadline(stage: Stage) -> None:
    stage.set(0, 1, 5)
    zygote = await stage.add_proven()
    run = stage.run(timeout=1.0)
    since = time.monotonic()
    await until(lambda: time.monotonic() >= since + 0.4, "it has waited")
    stage.runs[0].cancel()
    worker = zygote.bear()
    await worker.program()
    outcome = await run
    assert outcome.verdict == "timeout"
    assert outcome.timing.queue >= 0.4
    assert outcome.usage.wall < 1.0


# -- cancelled ---------------------------------------------------------------------------------------------


async def test_a_job_cancelled_in_the_queue_leaves_it(stage: Stage) -> None:
    stage.set(0, 1, 5)
    zygote = await stage.add_proven()
    gone, stays = stage.run("gone"), stage.run("stays")
    await stage.turn()
    stage.runs[0].cancel()
    gone.cancel()
    await asyncio.gather(stage.runs[0], gone, return_exceptions=True)
    assert stage.figures("waiting") == (1,)
    assert await bear_and_answer(zygote) == "stays"
    assert (await stays).verdict == "ok"


@pytest.mark.parametrize("turns", range(6))
async def test_a_job_cancelled_as_its_worker_comes_does_not_cost_the_worker(stage: Stage, turns: int) -> None:
    """At every turn of the loop from the worker's arrival on."""
    stage.set(0, 2, 5)
    zygote = await stage.add_proven()
    stage.runs[0].cancel()
    await stage.turn()
    first = stage.run("first")
    await stage.turn()
    worker = zygote.bear()
    for _ in range(turns):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await stage.turn()
    second = stage.run("second")
    if await worker.answer() == "first":
        assert worker.process.wait(5) == -9, "it has run something, and was kept"
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    else:
        assert (await second).result == b"42"
    assert stage.figures("busy", "waiting", "idle") == (0, 0, 0)


async def test_a_job_cancelled_while_it_runs_kills_its_worker_only(stage: Stage) -> None:
    stage.set(2, 4, 5)
    zygote = await stage.add_proven()
    workers = [zygote.bear(), zygote.bear()]
    await until(lambda: stage.figures("idle") == (2,), "two are idle")
    runs = [stage.run("a"), stage.run("b")]
    for worker in workers:
        await worker.program()
    runs[0].cancel()
    await asyncio.gather(runs[0], return_exceptions=True)
    assert workers[0].process.wait(5) == -9
    assert workers[1].process.poll() is None
    assert stage.figures("busy") == (1,)
    await workers[1].say(encode_json(Kind.DONE, Report("ok", 0)))
    assert (await runs[1]).verdict == "ok"


# -- failures of zygotes -----------------------------------------------------------------------------------


async def fail(stage: Stage, zygote: PuppetZygote, times: int) -> None:
    for number in range(times):
        zygote.say(Failed(1000 + number, "fork", "no"))
    await stage.turn()


async def test_five_start_failures_in_a_row_end_a_zygote(stage: Stage) -> None:
    stage.set(1, 8, 5)
    zygote = stage.add()
    await fail(stage, zygote, 4)
    assert (stage.broken, zygote.let_go) == ([], False)
    await fail(stage, zygote, 1)
    await until(lambda: stage.broken == [1], "it is reported")
    assert stage.figures("zygotes") == (0,)
    assert zygote.hear() < 10, "it was asked again and again"


def starve(zygote: PuppetZygote, serial: int, *, starved: bool) -> None:
    """A worker is killed before it is ready."""
    zygote.say(Exited(serial, signal.SIGKILL, 0.0, 0, starved))


@pytest.mark.parametrize("starved", [True, False])
async def test_a_proven_zygote_is_not_broken_because_its_neighbours_take_all(
    stage: Stage, starved: bool
) -> None:
    """Neither numbers for processes nor memory are left: that is no fault of its own."""
    stage.set(1, 8, 5)
    zygote = await stage.add_proven()
    await fail(stage, zygote, 6)
    for serial in range(2000, 2005):
        starve(zygote, serial, starved=starved)
    await stage.turn()
    assert (stage.broken, zygote.let_go) == (([], False) if starved else ([1], True))


async def test_a_zygote_that_serves_others_is_not_broken_because_they_take_all(stage: Stage) -> None:
    """A front that meets it while there is no room must not have their programs ended with it."""
    stage.set(1, 8, 5)
    zygote = stage.add(proven_elsewhere=True)
    await fail(stage, zygote, 6)
    assert (stage.broken, zygote.let_go) == ([], False)
    worker = zygote.bear()
    await worker.program()
    await worker.say(encode_json(Kind.DONE, Report("memory", 0)))
    await until(lambda: zygote.hear() > 6, "it is to prove itself again")
    await zygote.bear().answer()
    await until(lambda: stage.proven == [1], "it has")
    assert stage.broken == []


async def test_failures_of_one_zygote_are_not_made_up_for_by_another(stage: Stage) -> None:
    stage.set(1, 8, 5)
    sick, well = stage.add(), stage.add()
    for _ in range(2):
        await fail(stage, sick, 2)
        well.bear()
        await stage.turn()
    await fail(stage, sick, 1)
    await until(lambda: stage.broken == [1], "the sick one is reported")
    assert (sick.let_go, well.let_go) == (True, False)


async def test_a_worker_that_starts_makes_up_for_earlier_failures(stage: Stage) -> None:
    stage.set(1, 8, 5)
    zygote = stage.add()
    await fail(stage, zygote, 4)
    zygote.bear()
    await stage.turn()
    await fail(stage, zygote, 4)
    assert (stage.broken, zygote.let_go) == ([], False)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_front_short_of_descriptors_breaks_no_zygote(stage: Stage, count: int) -> None:
    """It is the front that lacks something: were its zygotes ended for that, the whole service would be."""
    stage.set(1, 8, 5)
    zygote = await stage.add_proven()
    for asked in range(2, 4):
        await until(partial(_has_heard, zygote, asked), "it is asked for another")
        worker = zygote.bear(descriptors=count)
        await hangs_up(worker)
        zygote.say(worker.die())
        await stage.turn()
    assert (stage.broken, zygote.let_go, stage.figures("starting")) == ([], False, (0,))
    run = stage.run()
    await until(partial(_has_heard, zygote, 4), "it is asked for another")
    await bear_and_answer(zygote)
    assert (await run).verdict == "ok"


async def test_a_front_that_can_take_no_worker_at_all_says_so(stage: Stage) -> None:
    stage.set(5, 8, 5)
    zygote = stage.add()
    await stage.asked(zygote, 5)
    for _ in range(5):
        zygote.say(zygote.bear(descriptors=1).die())
    await until(lambda: stage.broken == [1], "it is reported")


def _has_heard(zygote: PuppetZygote, asked: int) -> bool:
    return zygote.hear() >= asked


async def hangs_up(worker: PuppetWorker) -> None:
    """Return when the front has let go of it."""
    assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(worker.socket, 1), PATIENCE) == b""


async def test_who_lacks_room_for_workers_asks_and_says_so_once_in_a_while(stage: Stage) -> None:
    """However many it lacks: a line for each, and each time more of them, would fill the log's disk, too."""
    stage.set(1, 50, 40)
    zygote = await stage.add_proven()
    for _ in range(20):
        stage.run()
    await stage.turn()
    with capture_logs() as lines:
        await fail(stage, zygote, 21)
        assert stage.figures("starting", "waiting") == (0, 20)
        before = zygote.hear()
        await until(lambda: zygote.hear() > before, "it asks again")
        await stage.turn()
    assert zygote.hear() == before + 21
    assert [line["event"] for line in lines] == ["worker_starved"]


@pytest.mark.parametrize("message", [{}, {"t": "ready"}, {"t": "ready", "serial": "1", "pid": 1}, {"t": "x"}])
async def test_a_zygote_that_breaks_the_protocol_is_let_go(stage: Stage, message: dict[str, object]) -> None:
    stage.set(1, 8, 5)
    zygote = stage.add()
    zygote.say(message)
    await until(lambda: stage.broken == [1], "it is reported")
    assert zygote.let_go


async def test_a_zygote_that_asks_for_workers_is_let_go(stage: Stage) -> None:
    stage.set(1, 8, 5)
    zygote = stage.add()
    zygote.say(Spawn(1, "oneshot"))
    await until(lambda: stage.broken == [1], "it is reported")
    assert zygote.let_go


async def test_a_zygote_that_dies_as_it_gives_a_worker_costs_the_job_nothing(stage: Stage) -> None:
    stage.set(0, 2, 5)
    dying = await stage.add_proven()
    run = stage.runs[0]
    dying.bear()
    dying.close()  # both are read in one turn, before the job has come to take the worker
    await until(lambda: stage.figures("zygotes") == (0,), "its end is seen")
    healthy = stage.add()
    await bear_and_answer(healthy)
    assert await bear_and_answer(healthy) == ""
    assert (await run).result == b"42"


async def test_a_zygote_that_dies_under_a_run_costs_that_run(stage: Stage) -> None:
    stage.set(0, 2, 5)
    zygote = await stage.add_proven()
    worker = zygote.bear()
    await worker.program()
    zygote.close()
    with pytest.raises(WorkerLost):
        await stage.runs[0]


# -- retirement --------------------------------------------------------------------------------------------


async def test_a_retired_zygote_finishes_what_it_runs(stage: Stage) -> None:
    stage.set(1, 4, 5)
    old = await stage.add_proven()
    busy = old.bear()
    run = stage.run("old")
    assert (await busy.program()).code == "old"
    idle = old.bear()
    await until(lambda: stage.figures("idle") == (1,), "another is idle")
    new = stage.add()
    stage.pool.retire(1)
    assert idle.process.wait(5) == -9
    asked = old.hear()
    old.say(idle.reap())
    await until(lambda: new.hear() > 0, "the new one is asked")
    assert not old.let_go
    await busy.answer()
    assert (await run).result == b"42"
    old.say(busy.reap())
    for worker in range(old.hear() - len(old.workers)):
        old.say(Failed(2000 + worker, "fork", "no"))
    await until(lambda: old.let_go, "the old one is let go")
    assert old.hear() == asked
    assert stage.broken == []


async def test_a_worker_that_a_retired_zygote_still_bears_is_ended(stage: Stage) -> None:
    stage.set(1, 4, 5)
    zygote = stage.add()
    await stage.asked(zygote, 1)
    stage.pool.retire(1)
    late = zygote.bear()
    assert await asyncio.to_thread(late.process.wait, 5) == -9
    assert not zygote.let_go
    zygote.say(late.reap())
    await until(lambda: zygote.let_go, "it is let go")


# -- the end -----------------------------------------------------------------------------------------------


async def test_closing_the_pool_answers_everyone(stage: Stage) -> None:
    stage.set(0, 1, 5)
    zygote = await stage.add_proven()
    running, waiting = stage.runs[0], stage.run("waits")
    worker = zygote.bear()
    await worker.program()
    await stage.pool.close()
    with pytest.raises(WorkerLost):
        await running
    with pytest.raises(NotReady):
        await waiting
    with pytest.raises(NotReady):
        await stage.run("late")
    assert worker.process.wait(5) == -9
