"""When the service begins a run by itself, and which function it finds: without workers and models."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest

from service.control.control import Control
from service.functions.figures import Tally, VersionKey
from service.functions.following import Following
from service.functions.functions import Functions
from service.functions.recorded_call import RecordedCall
from service.functions.values import Function, Recording, Split
from service.improvement.cycle import searching
from service.improvement.cycle.automatic import Automatic
from service.improvement.cycle.searching import Search, is_promising, is_spent
from service.improvement.cycle.workshop import Workshop, terms_of
from service.improvement.runs.values import Order, Run, Status, Step
from service.improvement.trial.examiner import Examiner
from service.limits.store import open_store
from service.pool.pool import Pool, PoolSize
from service.settings import Settings
from service.state import new_passage, new_state
from tests.service.control.functions import HASH, load, spec
from tests.service.control.made import BY

ORDER = Order(3, 1000)
STEP = Step("analyze", "ok")
INTERVAL = 3600.0


@dataclass(frozen=True, slots=True)
class Place:
    """A front's functions, without workers."""

    workshop: Workshop
    following: Following

    @property
    def control(self) -> Control:
        """The control database."""
        return self.workshop.control

    @property
    def functions(self) -> Functions:
        """The front's."""
        return self.workshop.functions

    async def serve(self, name: str, *arguments: int, seconds: float = 0.01) -> Function:
        """A function whose calls are recorded, and these calls of it."""
        registry = self.control.functions
        await load(self.control, f"def {name}(n): return n\n", name)
        function = await registry.set_recording(HASH, name, Recording(100, 200), BY)
        await self.follow()
        await self.functions.recorder.prepare(function, Recording(100, 200))
        for n in arguments:
            call = RecordedCall(
                function.digest, None, orjson.dumps({"n": n}), b"1", None, seconds, time.time()
            )
            self.functions.recorder.note(function, call)
        tally = Tally()
        for _ in arguments:
            tally.count("ok", seconds, 0.0, 1.0)
        await self.control.figures.add({VersionKey(HASH, name, function.version): tally})
        return function

    async def follow(self) -> None:
        """See what has changed."""
        await self.following.catch_up(-1)

    async def targets(self, order: Order = ORDER) -> list[str]:
        """Those that may be rewritten, in order."""
        search = Search(self.workshop, order)
        ranked = await search.ranked(await search.seen())
        return [target.ranked.function.spec.name async for target in search.targets(ranked)]

    async def ended(self, function: Function, status: Status) -> Run:
        """A run of this very version."""
        order = replace(ORDER, target=(HASH, function.spec.name))
        run = await self.control.runs.create(order, BY, "me")
        return await self.control.runs.record(replace(run, status=status, live=function.digest), STEP)


@pytest.fixture
async def place(control: Control, tmp_path: Path) -> AsyncIterator[Place]:
    settings = Settings.from_env(
        {
            "LARS_DATA_ROOT": str(tmp_path / "data"),
            "LARS_AUTO_ENHANCE_INTERVAL": str(INTERVAL),
            "OPENAI_API_KEY": "sk-planted-0123456789",
        }
    )
    passage = new_passage(settings, await open_store("memory"))
    state = new_state(settings, Pool(PoolSize(1, 1, 1)), passage, control)
    functions, terms = state.functions, terms_of(settings)
    examiner = Examiner(functions, settings.improve_calls)
    workshop = Workshop(control, functions, state.planning, state.pool, examiner, terms, passage.changed)
    yield Place(workshop, Following(control.functions, functions.table, functions.contracts.release))
    await state.close()


async def begun(place: Place, until: float) -> list[Order]:
    """Those that were begun in a moment."""
    orders: list[Order] = []

    async def begin(order: Order) -> None:
        orders.append(order)
        await place.control.runs.create(order, BY, "me", INTERVAL)

    task = asyncio.create_task(Automatic(place.workshop, begin, first=0.0).run())
    await asyncio.wait({task}, timeout=until)
    task.cancel()
    await asyncio.wait({task})
    return orders


async def test_nothing_to_do_leaves_no_trace(place: Place) -> None:
    """No run, and no entry in the audit log, until there is something; then one for each interval."""
    await place.serve("few", 1, 2)
    last = await place.control.audit.last(1)
    assert await begun(place, 0.3) == []
    assert await place.control.audit.last(1) == last
    await place.serve("enough", *range(6))
    assert len(await begun(place, 0.3)) == 1
    last = await place.control.audit.last(1)
    assert await begun(place, 0.3) == []
    assert await place.control.audit.last(1) == last
    assert [run.automatic for run in await place.control.runs.list(9)] == [True]


async def test_what_was_in_vain_blocks_no_other(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much it would need a rewrite; and what cannot be read is passed over."""
    monkeypatch.setattr(searching, "MAX_LOOKED_AT", 2)
    served = [await place.serve(f"f{n}", *range(6), seconds=1.0 - n / 10) for n in range(6)]
    assert await place.targets() == ["f0", "f1"]
    await place.ended(served[0], "refused")
    await place.ended(served[1], "monitoring")
    await place.control.functions.set_recording(HASH, "f2", None, BY)
    await load(place.control, "def f3(n): return n + 1\n", "f3")
    await place.control.functions.set_canary(HASH, "f3", Split(1, 5), BY)
    await place.follow()
    assert await place.targets() == ["f4", "f5"]
    assert await is_promising(place.workshop, ORDER)


@pytest.mark.parametrize(
    ("status", "age", "same", "expected"),
    [
        ("running", 0.0, False, True),
        ("awaiting_approval", 1e9, True, True),
        ("refused", 1e9, True, True),
        ("refused", 0.0, False, False),
        ("rolled_back", 1e9, True, True),
        ("failed", 3600.0, True, True),
        ("failed", 90_000.0, True, False),
        ("failed", 0.0, False, False),
        ("promoted", 0.0, True, False),
        ("superseded", 0.0, True, False),
        ("interrupted", 0.0, True, False),
    ],
)
def test_what_a_last_run_says(status: Status, age: float, same: bool, expected: bool) -> None:
    """Of the very version that it found; a model that cannot be used is not asked for the same all day."""
    run = Run("run_1", "me", ORDER, status=status, ended=1e6 - age, live="d" if same else "e")
    function = Function(spec(), 1, "d", "{}", None, True, 0.0, 0.0, 1, "tester")
    assert is_spent(run, function, 1e6) is expected
