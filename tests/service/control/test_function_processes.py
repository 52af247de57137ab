"""Several processes at once on the registry, and one that is killed in the middle. Both databases."""

from __future__ import annotations

import asyncio
import json
from itertools import groupby

from service.control.control import Control
from service.functions.values import Function
from tests.service.control.function_changer import REFUSED
from tests.service.control.functions import HASH
from tests.service.control.made import rows
from tests.service.control.test_processes import changers
from tests.support import PATIENCE

PROCESSES = 4
ROUNDS = 4
CHANGER = "function_changer"
State = tuple[str, int, str, bool, int]


def state_of(function: Function) -> State:
    """As a changer tells it."""
    return function.spec.name, function.version, function.digest, function.loaded, function.revision


async def stored(control: Control) -> dict[str, State]:
    """Every function that ever was, as it is."""
    query = (
        "SELECT f.name, f.version, v.digest, f.loaded, f.revision FROM lars_functions f "
        "JOIN lars_function_versions v ON v.name = f.name AND v.version = f.version"
    )
    found = await rows(control, query)
    return {name: (name, version, digest, bool(on), number) for name, version, digest, on, number in found}


async def assert_whole(control: Control) -> None:
    """Versions without gaps, texts for all, paths apart, the log sound."""
    query = "SELECT name, version FROM lars_function_versions ORDER BY name, version"
    for name, group in groupby(await rows(control, query), key=lambda row: str(row[0])):
        numbers = [number for _, number in group]
        assert numbers == list(range(1, len(numbers) + 1)), name
    served = await control.functions.list(limit=1000)
    paths = [function.spec.path for function in served]
    assert len(set(paths)) == len(paths)
    for function in served:
        for version in await control.functions.versions(HASH, function.spec.name):
            assert (await control.functions.source(version.digest)).digest == version.digest
    assert (await control.check_audit()).fault is None


async def poll(control: Control, ended: asyncio.Event) -> tuple[dict[str, State], set[int]]:
    """What somebody knows who asks for changes all the time, and the revisions that were seen."""
    known: dict[str, State] = {}
    seen: set[int] = set()
    revision, last = 0, False
    while not last:
        last = ended.is_set()  # once more after the end
        changes = await control.functions.changes_since(revision)
        assert all(function.revision > revision for function in changes.functions)
        known |= {function.spec.name: state_of(function) for function in changes.functions}
        seen |= {function.revision for function in changes.functions}
        revision = changes.revision
    return known, seen


async def test_nothing_is_lost_between_processes(control: Control, made: dict[str, str]) -> None:
    """The last acknowledged change of each function is what is there, and what somebody knows who polls; each
    change has its revision and its entry."""
    ended = asyncio.Event()
    with changers(PROCESSES, ROUNDS, made, CHANGER) as processes:
        polling = asyncio.create_task(poll(control, ended))
        outputs = await asyncio.gather(
            *(asyncio.to_thread(process.communicate, timeout=PATIENCE) for process in processes)
        )
        ended.set()
        known, seen = await polling
        assert [process.returncode for process in processes] == [0] * PROCESSES
    lines = [json.loads(line) for output, _ in outputs for line in output.splitlines()]
    told: list[State] = sorted((line for line in lines if line[0] != REFUSED), key=lambda line: line[4])
    assert len(told) > PROCESSES * ROUNDS
    there = await stored(control)
    assert there == {line[0]: tuple(line) for line in told}
    loaded = {name: state for name, state in there.items() if state[3]}
    assert known == {name: there[name] for name in known}
    assert loaded.keys() <= known.keys()
    assert {function.spec.name: state_of(function) for function in await control.functions.list()} == loaded
    number = (await control.functions.changes_since(0)).revision
    assert number == max(line[4] for line in told)
    # A load that changes nothing tells an old revision again; what changes something has one of its own.
    assert {line[4] for line in told} == set(range(1, number + 1))
    assert seen <= set(range(1, number + 1))
    assert (await control.check_audit()).count == len(lines)
    await assert_whole(control)


async def test_a_process_that_is_killed(control: Control, made: dict[str, str]) -> None:
    """At any moment: what it acknowledged is there, and nothing is half there."""
    lines: list[str] = []
    with changers(2, 10**6, made, CHANGER) as processes:
        for number, process in enumerate(processes):
            assert process.stdout is not None
            lines += [await asyncio.to_thread(process.stdout.readline) for _ in range(9 + 7 * number)]
            process.kill()
            lines += await asyncio.to_thread(process.stdout.readlines)
    told = [json.loads(line) for line in lines if line.endswith("\n")]
    there = await stored(control)
    for name, *_, revision in (line for line in told if line[0] != REFUSED):
        assert there[name][4] >= revision
    await assert_whole(control)
    assert 0 <= (await control.check_audit()).count - len(told) <= 2  # committed, and not yet told
