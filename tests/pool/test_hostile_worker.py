"""A worker that lies, floods, stalls or dies costs its own run, with an exact outcome, and leaves nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator

import pytest

from sandbox_runtime import wire
from sandbox_runtime.job import Report
from sandbox_runtime.wire import HEADER, MAX_ENVELOPE_BYTES, Kind, encode, encode_json
from service.errors import WorkerLost
from service.pool.dialogue import Dialogue, Manner
from service.pool.job import Outcome
from service.pool.oneshot import OneShotRun
from service.pool.worker import Worker
from tests.pool.puppets import ANSWER, PuppetWorker, job, no_descriptor_left, until

pytestmark = pytest.mark.usefixtures("loop_guard")
DONE = encode_json(Kind.DONE, Report("ok", 0))
RESULT = encode(Kind.RESULT, b"42")
GOOD: dict[str, object] = {
    "end": "ok",
    "exit_code": 0,
    "warnings": [],
    "bind": 0,
    "run": 0,
    "cpu": 0,
    "memory_peak": 0,
}
PROTOCOL = (
    "signal",
    137,
    (
        "the program wrote to descriptor 3, the worker's own channel, and was killed; "
        "use stdout, stderr or result"
    ),
)
KILLED = (
    "killed by SIGKILL: by itself, or by the kernel because the machine ran out of memory; use less memory"
)


@pytest.fixture
async def puppet() -> AsyncIterator[PuppetWorker]:
    """A worker that says what the test wants. At the end its process is dead and nothing of it is open."""
    asyncio.get_running_loop()
    with no_descriptor_left():
        puppet = PuppetWorker()
        yield puppet
        try:
            assert puppet.process.wait(5) is not None, "the worker has outlived its run"
        finally:
            puppet.close()


@pytest.fixture
def worker(puppet: PuppetWorker) -> Worker:
    """The same as the front sees it."""
    return Worker(puppet.serial, puppet.descriptors, asyncio.get_event_loop())


async def outcome_of(worker: Worker, puppet: PuppetWorker, said: bytes, *, seconds: float = 10.0) -> Outcome:
    """What becomes of a run in which the worker says this, and nothing more."""
    run = asyncio.create_task(OneShotRun(worker, job(timeout=seconds)).run(0.0))
    await puppet.program()
    await puppet.say(said)
    if seconds > 5:
        await until(lambda: puppet.process.poll() is not None or run.done(), "the worker is ended")
        if puppet.process.poll() is not None:
            worker.exited(puppet.reap())
    return await run


def conclusion(outcome: Outcome) -> tuple[str, int, str | None]:
    return outcome.verdict, outcome.exit_code, outcome.detail


def lie(**members: object) -> bytes:
    return encode_json(Kind.DONE, GOOD | members)


FORGERIES = {
    "garbage": b"\xff" * 1000,
    "text": b"hello, front\n",
    "unknown kind": HEADER.pack(0, 99),
    "BIND": encode(Kind.BIND, b"{}"),
    "RUN": encode(Kind.RUN, b"{}"),
    "header of 4 GiB": HEADER.pack(0xFFFF_FFFF, Kind.RESULT),
    "RESULT over its limit, header only": HEADER.pack((1 << 16) + 1, Kind.RESULT),
    "DONE over its limit, header only": HEADER.pack(MAX_ENVELOPE_BYTES + 1, Kind.DONE),
    "empty RESULT": encode(Kind.RESULT, b""),
    "RESULT that is not JSON": encode(Kind.RESULT, b"{42}"),
    "RESULT of two values": encode(Kind.RESULT, b"1 2"),
    "RESULT that is not UTF-8": encode(Kind.RESULT, b'"\xff"'),
    "RESULT that is too deep": encode(Kind.RESULT, b"[" * 30_000 + b"]" * 30_000),
    "RESULT twice": RESULT + RESULT,
    "RESULT after DONE": DONE + RESULT,
    "DONE twice": DONE + DONE,
    "garbage after DONE": DONE + b"\xff" * 5,
    "DONE that is not JSON": encode(Kind.DONE, b"ok"),
    "DONE that is no object": encode(Kind.DONE, b"[]"),
    "DONE without members": encode(Kind.DONE, b"{}"),
    "DONE that is too deep": encode(Kind.DONE, b'{"a":' * 50_000),
    "a verdict of its own": lie(end="timeout"),
    "an exit code of its own": lie(exit_code=256),
    "CPU time before the beginning": lie(cpu=-1),
    "time without end": lie(run=1e300),
    "negative memory": lie(memory_peak=-1),
    "a flood of warnings": lie(warnings=["w"] * 21),
    "a member of its own": lie(admin=True),
    "half an exception": lie(exception={"type": "E"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_message_ends_the_run(forgery: str, worker: Worker, puppet: PuppetWorker) -> None:
    outcome = await outcome_of(worker, puppet, FORGERIES[forgery])
    assert conclusion(outcome) == PROTOCOL


async def test_an_honest_answer_is_the_control(worker: Worker, puppet: PuppetWorker) -> None:
    os.write(puppet.out, b"out")
    os.write(puppet.err, b"err")
    outcome = await outcome_of(worker, puppet, ANSWER)
    assert conclusion(outcome) == ("ok", 0, None)
    assert (outcome.result, outcome.stdout.text, outcome.stderr.text) == (b"42", "out", "err")


async def test_an_answer_in_single_bytes_is_as_good(worker: Worker, puppet: PuppetWorker) -> None:
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    for byte in ANSWER:
        await puppet.say(bytes([byte]))
        await asyncio.sleep(0)
    assert conclusion(await run) == ("ok", 0, None)


async def test_a_flood_is_cut_at_the_limits(worker: Worker, puppet: PuppetWorker) -> None:
    flood = HEADER.pack(1 << 16, Kind.RESULT) + b" " * (8 << 20)
    assert conclusion(await outcome_of(worker, puppet, flood)) == PROTOCOL


@pytest.mark.parametrize("said", [b"", DONE[:3], DONE[:-1], RESULT, RESULT + DONE[:-1]])
async def test_a_worker_that_stalls_meets_the_deadline(
    said: bytes, worker: Worker, puppet: PuppetWorker
) -> None:
    outcome = await outcome_of(worker, puppet, said, seconds=0.2)
    assert (outcome.verdict, outcome.exit_code, outcome.report) == ("timeout", 124, None)
    assert 0.15 < outcome.usage.wall < 2


async def test_a_worker_that_does_not_even_read_meets_the_deadline(
    worker: Worker, puppet: PuppetWorker
) -> None:
    outcome = await OneShotRun(worker, job("#" * (8 << 20), timeout=0.2)).run(0.0)
    assert outcome.verdict == "timeout"


async def test_a_worker_that_hangs_up_and_goes_on_meets_the_deadline(
    worker: Worker, puppet: PuppetWorker
) -> None:
    run = asyncio.create_task(OneShotRun(worker, job(timeout=0.2)).run(0.0))
    await puppet.program()
    puppet.hang_up()
    assert (await run).verdict == "timeout"


@pytest.mark.parametrize("said", [b"", DONE[:3], DONE[:-1]])
@pytest.mark.parametrize("order", ["EOF first", "exit first"])
async def test_a_worker_that_dies_mid_frame_is_told_by_its_exit(
    order: str, said: bytes, worker: Worker, puppet: PuppetWorker
) -> None:
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    await puppet.say(said)
    exited = puppet.die()
    if order == "EOF first":
        puppet.hang_up()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        worker.exited(exited)
    else:
        worker.exited(exited)
        puppet.hang_up()
    outcome = await asyncio.wait_for(run, 5)
    assert conclusion(outcome) == ("signal", 137, KILLED)
    assert (outcome.usage.cpu, outcome.usage.memory_peak) == (0.01, 1 << 20)


@pytest.mark.parametrize("said", [ANSWER, RESULT + DONE])
async def test_what_it_said_before_it_died_counts(said: bytes, worker: Worker, puppet: PuppetWorker) -> None:
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    await puppet.say(said)
    worker.exited(puppet.die(signal.SIGTERM))
    outcome = await asyncio.wait_for(run, 5)
    assert (conclusion(outcome), outcome.result) == (("ok", 0, None), b"42")


async def test_its_streams_cannot_be_larger_than_what_is_kept(worker: Worker, puppet: PuppetWorker) -> None:
    os.ftruncate(puppet.out, 1 << 40)
    os.pwrite(puppet.err, b"e" * 65, 0)
    outcome = await outcome_of(worker, puppet, ANSWER)
    assert outcome.stdout.dropped == (1 << 40) - 64
    assert outcome.stdout.text == "\0" * 32 + f"\n[... {(1 << 40) - 64} bytes dropped ...]\n" + "\0" * 32
    assert (outcome.stderr.dropped, len(outcome.stderr.text)) == (
        1,
        64 + len("\n[... 1 bytes dropped ...]\n"),
    )


# -- the zygote --------------------------------------------------------------------------------------------


async def test_a_zygote_lost_under_a_run_is_an_error_of_that_run(
    worker: Worker, puppet: PuppetWorker
) -> None:
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    worker.lost()
    with pytest.raises(WorkerLost):
        await run


async def test_a_zygote_lost_after_the_answer_costs_nothing(worker: Worker, puppet: PuppetWorker) -> None:
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    await puppet.say(ANSWER)
    worker.lost()
    assert (await run).result == b"42"


async def test_a_zygote_lost_as_the_run_ends_takes_no_descriptor_away(
    worker: Worker, puppet: PuppetWorker
) -> None:
    """The run is over, and its task has not yet come to collect the streams."""
    os.write(puppet.out, b"kept")
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    await puppet.say(ANSWER)
    worker.exited(wire.Exited(puppet.serial, 0, 0.0, 0, starved=False))
    worker.lost()
    assert (await run).stdout.text == "kept"


async def test_a_worker_killed_for_the_memory_of_all_is_told_so(worker: Worker, puppet: PuppetWorker) -> None:
    """Its zygote says so, and the program has not had its say."""
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await puppet.program()
    worker.exited(dataclasses.replace(puppet.die(), starved=True))
    outcome = await run
    assert (outcome.verdict, outcome.exit_code) == ("memory", 137)
    assert "LARS_CGROUP_MEMORY" in (outcome.detail or "")


@pytest.mark.parametrize("starved", [True, False])
async def test_so_is_who_waits_for_a_bound_worker(
    worker: Worker, puppet: PuppetWorker, starved: bool
) -> None:
    manner = Manner({Kind.DONE: Report.from_wire}, 64, "it_died", "it died", "session")
    dialogue = Dialogue(worker, manner, encode(Kind.BIND, b"{}"), puppet.out)
    asked = asyncio.create_task(dialogue.ask(b"", 64))
    await asyncio.sleep(0)
    worker.exited(dataclasses.replace(puppet.die(), starved=starved))
    with pytest.raises(WorkerLost) as caught:
        await asked
    assert ("LARS_CGROUP_MEMORY" in caught.value.detail) is starved


async def test_a_job_that_cannot_be_sent_kills_its_worker(worker: Worker, puppet: PuppetWorker) -> None:
    """An error of ours, here a text without UTF-8, must not leave a worker behind that nobody has."""
    with pytest.raises(TypeError):
        await OneShotRun(worker, job("'\ud800'")).run(0.0)


async def test_a_zygote_lost_before_the_run_is_an_error(worker: Worker, puppet: PuppetWorker) -> None:
    worker.lost()
    with pytest.raises(WorkerLost):
        await OneShotRun(worker, job()).run(0.0)


@pytest.mark.parametrize("point", ["at once", "running", "answered"])
async def test_a_cancelled_run_kills_its_worker(point: str, worker: Worker, puppet: PuppetWorker) -> None:
    run = asyncio.create_task(OneShotRun(worker, job()).run(0.0))
    await asyncio.sleep(0)
    if point != "at once":
        await puppet.program()
    if point == "answered":
        await puppet.say(ANSWER)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert puppet.process.wait(5) == -signal.SIGKILL
