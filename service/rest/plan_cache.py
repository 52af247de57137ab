"""Plans by the key of the shape they serve: in memory, on the disk for the next start, each made once.

A key holds the versions of planner and policy, so a plan that an older version made is never found again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import anyio.to_thread

from service.rest.plan import Plan, Planner
from service.rest.plan_files import KeptPlan, PlanFiles
from service.rest.shape import Shape

Source = Literal["builtin", "cache", "llm"]
_MOST_USERS = 1000
_AT_ONCE = 2  # admissions: each takes a worker from the programs
Admit = Callable[[str, object, Collection[str]], Awaitable[None]]
# What has nothing in memory or on the disk: the plan, and where it came from.
Make = Callable[[], Coroutine[Any, Any, tuple[KeptPlan, Source]]]


@dataclass(slots=True)
class Admitted:
    """A plan that may run, and what is known of it since this front has it. ``seconds``: of all its runs
    together."""

    id: str
    kept: KeptPlan
    hits: int = 0
    seconds: float = 0.0
    users: set[str] = field(default_factory=set)

    @property
    def plan(self) -> Plan:
        return self.kept.plan

    def ran(self, principal: str, seconds: float) -> None:
        """Count one run."""
        self.hits += 1
        self.seconds += seconds
        if len(self.users) < _MOST_USERS:
            self.users.add(principal)

    def as_json(self) -> dict[str, object]:
        """For ``GET /_/plans``."""
        return {
            "id": self.id,
            "source": self.kept.source,
            "model": self.kept.model,
            "verdict": "allowed",
            "made": self.kept.made,
            "planning_ms": round(self.kept.seconds * 1000, 3),
            "hits": self.hits,
            "mean_run_ms": round(self.seconds / self.hits * 1000, 3) if self.hits else None,
            **self.plan.as_json(),
        }


class PlanCache:
    """All plans of one front, at most ``size`` of them. ``admit`` raises when a program may not run."""

    def __init__(self, planner: Planner, admit: Admit, files: PlanFiles, size: int) -> None:
        self._planner = planner
        self._admit = admit
        self._files = files
        self._size = size
        self._plans: OrderedDict[str, Admitted] = OrderedDict()
        self._admissions = asyncio.Semaphore(_AT_ONCE)
        self._making: dict[str, asyncio.Task[tuple[Admitted, Source]]] = {}

    def __len__(self) -> int:
        """Plans in memory."""
        return len(self._plans)

    async def plan_for(self, shape: Shape, values: object = None) -> tuple[Admitted, Source]:
        """The plan, and where it came from this time. Raises as planner and ``admit`` do."""
        key = shape.key()
        found = self.found(key)
        return (found, "cache") if found is not None else await self.compiled(key, shape, values)

    def found(self, key: str) -> Admitted | None:
        """The plan of this key, when it is in memory."""
        admitted = self._plans.get(key)
        if admitted is not None:
            self._plans.move_to_end(key)
        return admitted

    async def compiled(self, key: str, shape: Shape, values: object) -> tuple[Admitted, Source]:
        """``plan_for``, for who has looked in memory."""
        return await self.made(key, partial(self._compile, key, shape, values))

    def is_making(self, key: str) -> bool:
        """Whether somebody waits for this plan already."""
        return key in self._making

    async def made(self, key: str, make: Make) -> tuple[Admitted, Source]:
        """The plan of this key from the disk, else what ``make`` gives, and keeps where it is new. Whoever
        comes meanwhile waits for the same; it goes on when all who wait have left."""
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.get_running_loop().create_task(self._make(key, make))
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(task)

    async def judge(self, block: str, values: object, vocabulary: Collection[str]) -> None:
        """Raises when the program may not run."""
        async with self._admissions:
            await self._admit(block, values, vocabulary)

    async def kept(self, key: str) -> KeptPlan | None:
        """What the disk has of this key."""
        return await anyio.to_thread.run_sync(self._files.load, key)

    async def keep(self, key: str, kept: KeptPlan) -> None:
        """For the next start, and for the other fronts."""
        await anyio.to_thread.run_sync(self._files.save, key, kept)

    async def close(self) -> None:
        """Make no plan any more."""
        making = list(self._making.values())
        for task in making:
            task.cancel()
        if making:
            await asyncio.wait(making)

    def of(self, principal: str) -> list[Admitted]:
        """Those in memory that have served this caller, the latest used first: the names in a plan are those
        of its callers' collections."""
        return [admitted for admitted in reversed(self._plans.values()) if principal in admitted.users]

    async def get(self, plan_id: str) -> Admitted | None:
        """The plan of this id, also when only the disk still has it."""
        found = self._plans.get(plan_id)
        if found is None:
            kept = await self.kept(plan_id)
            found = None if kept is None else Admitted(plan_id, kept)
        return found

    async def _make(self, key: str, make: Make) -> tuple[Admitted, Source]:
        source: Source = "cache"
        kept = await self.kept(key)
        if kept is None:
            kept, source = await make()
        admitted = self._plans[key] = Admitted(key, kept)
        while len(self._plans) > self._size:
            self._plans.popitem(last=False)
        return admitted, source

    async def _compile(self, key: str, shape: Shape, values: object) -> tuple[KeptPlan, Source]:
        clock = asyncio.get_running_loop().time
        began = clock()
        plan = await self._planner.make(shape)
        await self.judge(plan.block, values, shape.vocabulary())
        kept = KeptPlan.made_now(plan, self._planner.source, clock() - began)
        await self.keep(key, kept)
        return kept, self._planner.source

    def _made(self, key: str, task: asyncio.Task[tuple[Admitted, Source]]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # whoever waited has it; when all of them have gone, nobody need be told
