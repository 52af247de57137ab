"""A pool, and the zygotes and jobs that a test lets come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from service.pool.channel import Channel
from service.pool.job import Outcome
from service.pool.pool import Pool, PoolSize
from tests.pool.puppets import PuppetZygote, job, until

Run = asyncio.Task[Outcome]


@dataclass
class Stage:
    """A pool and the zygotes that it thinks it has."""

    pool: Pool = field(default_factory=lambda: Pool(PoolSize(0, 1, 2)))
    zygotes: list[PuppetZygote] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    proven: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)

    def set(self, idle: int, workers: int, queue: int) -> None:
        """A pool of this size, without zygotes."""
        self.pool = Pool(PoolSize(idle, workers, queue))
        self.pool.on_proven = self.proven.append
        self.pool.on_broken = self.broken.append

    def add(self, *, proven_elsewhere: bool = False) -> PuppetZygote:
        """One more zygote, which has not proved itself to this pool."""
        zygote = PuppetZygote()
        self.zygotes.append(zygote)
        channel = Channel(zygote.theirs, self.pool, identity=len(self.zygotes))
        channel.proven_elsewhere = proven_elsewhere
        self.pool.add(channel)
        return zygote

    async def add_proven(self) -> PuppetZygote:
        """One more, whose first worker has run a program."""
        zygote = self.add()
        if zygote.hear() == 0:
            self.run()  # a pool that keeps no idle worker asks for one when a job comes
        await until(zygote.hear, "a worker is asked for")
        worker = zygote.bear()
        await worker.answer()
        await until(lambda: len(self.zygotes) in self.proven, "it proves itself")
        zygote.say(worker.reap())
        await self.turn()
        return zygote

    def run(self, code: str = "", timeout: float = 10.0, principal: str = "") -> Run:
        """A job comes."""
        asked = job(code, timeout=timeout, principal=principal)
        task = asyncio.get_running_loop().create_task(self.pool.run(asked))
        self.runs.append(task)
        return task

    async def asked(self, zygote: PuppetZygote, count: int) -> None:
        """Return when the zygote has been asked for exactly so many workers in all."""
        await until(lambda: zygote.hear() >= count, f"{count} workers are asked for")
        await self.turn()
        assert zygote.hear() == count

    async def turn(self, times: int = 20) -> None:
        """Let everything that is due happen, or some of it."""
        for _ in range(times):
            await asyncio.sleep(0)

    def figures(self, *names: str) -> tuple[int, ...]:
        """Some of the pool's figures."""
        return tuple(self.pool.figures()[name] for name in names)


async def bear_and_answer(zygote: PuppetZygote) -> str:
    """A worker that answers 42 to whatever it gets, and dies; the code it got."""
    worker = zygote.bear()
    code = await worker.answer()
    await until(lambda: worker.process.poll() is not None, "the worker is ended after its job")
    zygote.say(worker.reap())
    return code
