"""The contracts that are in use on this front: for each its worker, and its calls in a row.

A worker is bound to a contract with its first call and stays for the next, so that what a module keeps in its
globals is there again. It may go at any time: nothing of a function is anywhere else.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import ContractBinding, Fault, Inspection, Invocation, Module
from service.errors import FunctionFailed, FunctionTimeout, QueueTimeout, WorkerLost
from service.functions.call import Answer, ContractWorker
from service.functions.home import open_empty, open_home
from service.pool.dialogue import NotTaken
from service.pool.job import Spent
from service.pool.lending import Lending, LendingSize
from service.pool.pool import Pool
from service.pool.shares import EXEMPT
from service.sessions.storage import in_storage
from service.settings import Settings
from service.telemetry.catalog import KILLS, RUN_SECONDS
from service.telemetry.spans import current_trace

INSPECTIONS: Final = 4
"""Modules that may be looked at at once; workers for them come on top of those of contracts."""
TRIALS: Final = 2
"""Workers that calls may be replayed in at once, on top of those."""

_APART: Final = -1
_LATE = "the function ran past the deadline (LARS_MAX_EXEC_MS) and was ended, with all that its module kept"
_ENDED = "it ended the process that it ran in, with all that its module kept"


@dataclass(frozen=True, slots=True)
class ContractLimits:
    """``uploads``: where contracts have their directories, ``spare``: of those that have none. ``workers``:
    how many may be bound at once; ``each``: of them, to one contract; ``queue``: how many calls may wait for
    one; ``rest``: seconds after which one without calls is let go."""

    uploads: Path
    spare: Path
    binding: ContractBinding
    workers: int
    queue: int
    rest: float
    each: int = 1


@dataclass(frozen=True, slots=True)
class Apart:
    """The worker of a contract for versions that are not the current one. What such a version changes beside
    its own globals (the context of decimal, the seed of random) reaches no caller of the current ones."""

    contract: Contract


@dataclass(frozen=True, slots=True)
class _Seat:
    """One of the workers that a contract may have; ``number``: from 0, or _APART."""

    contract: Contract
    number: int


def contract_limits(settings: Settings) -> ContractLimits:
    """From the settings."""
    return ContractLimits(
        uploads=settings.uploads_dir,
        spare=settings.data_root / "contracts",
        binding=ContractBinding(settings.memory, settings.max_result_bytes),
        workers=settings.contract_workers,
        queue=settings.contract_queue,
        rest=settings.contract_idle,
    )


class Contracts:
    """All contracts of one front. ``workers`` is the pool that new ones come from."""

    def __init__(self, workers: Pool, limits: ContractLimits) -> None:
        self.workers = workers
        self._limits = limits
        size = LendingSize(limits.workers, limits.queue, limits.rest, "contract")
        self._lending = Lending(workers, size, self._bind, _contract)
        self._inspecting = asyncio.Semaphore(INSPECTIONS)
        self._trying = asyncio.Semaphore(TRIALS)

    async def call(
        self, contract: Contract | Apart, module: Module, call: Invocation, deadline: float, spent: Spent
    ) -> Answer:
        """JSON text and outcome of one call; ``deadline`` is a ``time.monotonic()`` value. The worker's CPU
        time is added to ``spent``.

        Raises Overloaded when too many wait for this contract, QueueTimeout when its turn did not come in
        time, FunctionTimeout when the function ran past the deadline, FunctionFailed when it ended its
        worker, WorkerLost when that died for another reason.
        """
        seat = self._seat(contract)
        place = await self._lending.enter(seat, deadline)
        try:
            while True:
                worker = await self._lending.worker(seat, place, deadline)
                try:
                    with worker.until(deadline):
                        answer = await worker.invoke(module, call, spent)
                    _ran(answer[1].run)
                    return answer
                except NotTaken:
                    continue
                except WorkerLost as error:
                    if worker.innocent:
                        raise
                    raise FunctionFailed("ProcessEnded", _ENDED, None) from error
        except TimeoutError as error:
            KILLS.add(Contract.kind, "timeout")
            raise FunctionTimeout(_LATE) from error
        finally:
            self._lending.leave(seat, place)

    async def inspect(
        self, contract: Contract, module: Module, function: str, deadline: float, spent: Spent
    ) -> Inspection:
        """Judge the module and run it in a worker of its own, which then ends. What it does to that worker
        is its own fault. INSPECTIONS at once, so that modules that do not end keep no contract from a worker;
        to wait for its turn takes nothing from its own time. Raises QueueTimeout, Overloaded, NotReady, and
        WorkerLost when its zygote died."""
        seconds = deadline - time.monotonic()
        await _place(self._inspecting, seconds)
        try:
            return await self._inspect(contract, (module, function), time.monotonic() + seconds, spent)
        finally:
            self._inspecting.release()

    async def _inspect(
        self, contract: Contract, what: tuple[Module, str], deadline: float, spent: Spent
    ) -> Inspection:
        worker = await self._bind(_Seat(contract, 0), deadline)
        try:
            with worker.until(deadline):
                return await worker.inspect(*what, spent)
        except TimeoutError:
            return Inspection(error=Fault("TimeoutError", "importing the module did not end in time"))
        except NotTaken as error:
            raise WorkerLost from error
        except WorkerLost:
            if worker.innocent:
                raise
            return Inspection(error=Fault("ProcessEnded", "importing the module ended its process"))
        finally:
            worker.destroy()

    @asynccontextmanager
    async def trial(self, deadline: float) -> AsyncIterator[ContractWorker]:
        """A worker for calls that are only tried, which ends with the block. It has an empty directory, so
        that nothing of any contract is before what runs in it. TRIALS at once. Raises QueueTimeout when it
        does not come by ``deadline``, Overloaded, NotReady, StorageUnavailable."""
        await _place(self._trying, deadline - time.monotonic())
        try:
            home = await in_storage(open_empty, self._limits.spare)
            worker = await self._bound_to(home, deadline)
            try:
                yield worker
            finally:
                worker.destroy()
        finally:
            self._trying.release()

    def release(self, contract: Contract) -> None:
        """Let go of the contract's workers: what its modules kept is forgotten."""
        for number in (_APART, *range(self._limits.each)):
            self._lending.release(_Seat(contract, number))

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return self._lending.in_line

    def bound(self) -> list[Contract]:
        """Those that have a worker, once for each."""
        return [seat.contract for seat in self._lending.bound()]

    def retire(self, identity: int) -> None:
        """A zygote is worn: bound workers that rest are let go, whichever zygote they are of."""
        self._lending.retire(identity)

    def cut_off(self) -> None:
        """End every worker; what runs on one is answered WorkerLost."""
        self._lending.cut_off()

    async def close(self) -> None:
        """``cut_off``, and wait for the work on them."""
        await self._lending.close()

    def _seat(self, contract: Contract | Apart) -> _Seat:
        """The one where fewest wait, of those the first: a contract that one worker is enough for has one."""
        if isinstance(contract, Apart):
            return _Seat(contract.contract, _APART)
        if self._limits.each == 1:
            return _Seat(contract, 0)
        seats = [_Seat(contract, number) for number in range(self._limits.each)]
        return min(seats, key=self._lending.waiting)

    async def _bind(self, seat: _Seat, deadline: float) -> ContractWorker:
        limits = self._limits
        home = await in_storage(open_home, limits.uploads, limits.spare, seat.contract)
        return await self._bound_to(home, deadline)

    async def _bound_to(self, home: int, deadline: float) -> ContractWorker:
        """A new worker; ``home`` is closed."""
        try:
            worker = await self.workers.lease(deadline, EXEMPT)
            return ContractWorker(worker, self._limits.binding, home)
        finally:
            os.close(home)


async def _place(places: asyncio.Semaphore, seconds: float) -> None:
    """One of them, which whoever asked releases. QueueTimeout."""
    try:
        async with asyncio.timeout(seconds):
            await places.acquire()
    except TimeoutError as error:
        raise QueueTimeout from error


def _ran(seconds: float) -> None:
    RUN_SECONDS.observe(seconds, Contract.kind)
    trace = current_trace()
    if trace is not None:
        trace.add("run", (now := time.monotonic()) - seconds, now)


def _contract(seat: _Seat) -> Contract:
    return seat.contract
