"""Figures of versions in the control database, of both kinds."""

from __future__ import annotations

import asyncio

import pytest
from blockbuster import BlockBuster

from service.control.control import Control
from service.errors import ControlUnavailable
from service.functions.figures import Tally, VersionKey
from service.functions.function_meter import FunctionMeter
from tests.service.control.figure_adder import KEYS
from tests.service.control.functions import HASH, load
from tests.service.control.made import BY, run_sql
from tests.service.control.test_processes import changers
from tests.support import PATIENCE

PROCESSES, ROUNDS = 4, 8
OTHER = "f" * 64
FIRST, SECOND = (VersionKey(HASH, "hello", version) for version in (1, 2))


def tally(ok: int = 0, runs: dict[int, int] | None = None, **members: float) -> Tally:
    return Tally({"ok": ok} if ok else {}, runs=runs or {}, **members)


async def test_figures_add_up(control: Control) -> None:
    """By version; the last call is the latest, in whichever order it came."""
    every = Tally(
        {"ok": 1, "caller_error": 2, "function_error": 3, "platform_error": 4},
        0.25,
        1.5,
        {0: 1, 120: 3},
        20.5,
    )
    await control.figures.add({FIRST: every, SECOND: tally(1, {30: 1}, last_called=5.0)})
    await control.figures.add({FIRST: tally(2, {30: 1, 120: 1, 121: 1}, run=2.0, last_called=10.0)})
    await control.figures.add({FIRST: Tally({"caller_error": 1 << 40}, last_called=15.0)})
    await control.figures.add({})
    found = await control.figures.of(HASH, "hello")
    assert found == {
        1: Tally(
            {"ok": 3, "caller_error": 2 + (1 << 40), "function_error": 3, "platform_error": 4},
            0.25,
            3.5,
            {0: 1, 30: 1, 120: 4, 121: 1},
            20.5,
        ),
        2: tally(1, {30: 1}, last_called=5.0),
    }
    assert await control.figures.of(HASH, "other") == {}
    assert await control.figures.of(OTHER, "hello") == {}


async def test_of_many(control: Control) -> None:
    """More than one statement takes; of these functions only, whoever has a function of that name."""
    keys = [VersionKey(HASH, f"f{number}", version) for number in range(250) for version in (1, 2)]
    figures = {key: tally(number + 1, {number % 121: 1}) for number, key in enumerate(keys)}
    await control.figures.add({**figures, VersionKey(OTHER, "f7", 1): tally(9)})
    found = await control.figures.of_many((HASH, f"f{number}") for number in range(1, 300))
    assert found == {key: figures[key] for key in keys[2:]}
    assert await control.figures.of_many([]) == {}


async def test_overview(control: Control, loop_guard: BlockBuster) -> None:
    """Those with most calls, however they ended; those that are left out are counted."""
    await load(control, "text")
    await load(control, "text", "goodbye")
    failed = Tally({"platform_error": 3, "caller_error": 3})
    rows = {VersionKey(HASH, name, 1): tally(5) for name in ("b", "a", "c")}
    await control.figures.add({**rows, FIRST: failed, SECOND: tally(4)})
    overview = await control.figures.overview(3)
    assert [key.name for key, _ in overview.busiest] == ["hello", "a", "b"]
    assert overview.busiest[0] == (FIRST, failed)
    assert (overview.others, overview.loaded) == (2, 2)
    whole = await control.figures.overview(100)
    assert (len(whole.busiest), whole.others) == (5, 0)


async def test_figures_outlive_their_function(control: Control) -> None:
    """And go on when it is loaded again."""
    await load(control, "text")
    await control.figures.add({FIRST: tally(1)})
    await control.functions.unload(HASH, "hello", BY)
    await control.figures.add({FIRST: tally(1)})  # of a call that was running
    await load(control, "text")
    assert (await control.figures.of(HASH, "hello"))[1].calls == 2
    overview = await control.figures.overview(1)
    assert overview.loaded == 1


async def test_what_cannot_be_written_is_kept(control: Control) -> None:
    """All of it: nothing of what was taken is in the database, and the next write has it."""
    meter = FunctionMeter()
    for key in KEYS:
        meter.count(key, "ok", 0.001, 0.001)
    await run_sql(control, "ALTER TABLE lars_function_figures RENAME COLUMN runs TO others")
    with pytest.raises(ControlUnavailable):
        await meter.write(control.figures)
    await run_sql(control, "ALTER TABLE lars_function_figures RENAME COLUMN others TO runs")
    assert (await control.figures.overview(1)).busiest == ()
    meter.count(KEYS[0], "ok", 0.001, 0.001)
    await meter.write(control.figures)
    await meter.write(control.figures)
    found = dict((await control.figures.overview(1000)).busiest)
    assert {key: tally.calls for key, tally in found.items()} == {**dict.fromkeys(KEYS, 1), KEYS[0]: 2}


async def test_adding_at_once_loses_nothing(control: Control) -> None:
    """Writers of the same rows, each in another order."""
    forwards = {key: tally(1, {7: 1, number % 5 + 10: 1}, cpu=0.001) for number, key in enumerate(KEYS)}
    backwards = dict(reversed(forwards.items()))
    await asyncio.gather(*(control.figures.add(some) for some in (forwards, backwards) * 4))
    found = dict((await control.figures.overview(1000)).busiest)
    assert found == {key: tally(8, {7: 8, number % 5 + 10: 8}, cpu=0.008) for number, key in enumerate(KEYS)}


async def test_nothing_is_lost_between_processes(control: Control, made: dict[str, str]) -> None:
    """Each adds the same versions in an order of its own."""
    with changers(PROCESSES, ROUNDS, made, "figure_adder") as processes:
        await asyncio.gather(
            *(asyncio.to_thread(process.communicate, timeout=PATIENCE) for process in processes)
        )
        assert [process.returncode for process in processes] == [0] * PROCESSES
    found = dict((await control.figures.overview(1000)).busiest)
    calls = PROCESSES * ROUNDS
    assert {key: (some.calls, some.runs) for key, some in found.items()} == dict.fromkeys(
        KEYS, (calls, {30: calls})
    )
    assert {round(some.cpu * 1e6) for some in found.values()} == {2 * calls}
