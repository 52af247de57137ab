"""Keeps calls of the functions that are recorded, for one front: in memory until they are written, once a
second, in a thread.

Not in the watch's rounds: a disk that hangs must not keep a front from seeing what keys were revoked.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import anyio
import structlog
from structlog.typing import FilteringBoundLogger

from service.errors import StorageUnavailable
from service.functions.call_store import Batch, CallStore, Kept
from service.functions.pending_calls import PendingCalls
from service.functions.recorded_call import RecordedCall
from service.functions.table import FunctionTable
from service.functions.values import Function, Recording
from service.threads import in_thread

T = TypeVar("T")
_SECONDS: Final = 1.0
_ALL: Final = 100
_THREADS: Final = 1  # so that a slow disk holds up nothing else
_log: FilteringBoundLogger = structlog.get_logger(__name__)


class Recorder:
    """``contract``: a visible_pixel_hash in lower case; ``name``: a function's."""

    def __init__(self, root: Path, table: FunctionTable) -> None:
        """``root``: LARS_DATA_ROOT; ``table``: which says what is recorded."""
        self._store = CallStore(root)
        self._table = table
        self._pending = PendingCalls()
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._writing = asyncio.Lock()
        self._failing: frozenset[str] = frozenset()  # contracts whose calls could not be written

    def wants(self, recording: Recording) -> bool:
        """Whether a call is one of the sample: at random."""
        percent = recording.percent
        return percent >= _ALL or random.random() * _ALL < percent  # noqa: S311 - no secret

    def note(self, function: Function, call: RecordedCall) -> None:
        """Keep it, if it is not too long. ``function``: as it was when it was called."""
        if function.recording is not None:
            self._pending.note(function, function.recording, call)

    async def run(self) -> None:
        """Write once a second, until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was noted since the last time. What cannot be is kept, as far as there is room, and
        logged once."""
        async with self._writing:
            failing: set[str] = set()
            for contract in self._pending.contracts():
                taken = self._pending.take(contract, self._recorded(contract))
                if taken:
                    failing |= await self._write(contract, taken)
            self._failing = frozenset(failing)

    async def calls(self, contract: str, name: str, digest: str) -> tuple[RecordedCall, ...]:
        """Those that the version with this digest answered and that are written, oldest first.
        StorageUnavailable."""
        return await self._in_thread(self._store.calls, contract, name, digest)

    async def kept(self, contract: str, name: str) -> Kept:
        """How much is written. StorageUnavailable."""
        return await self._in_thread(self._store.kept, contract, name)

    async def prepare(self, function: Function, recording: Recording) -> None:
        """Before it is recorded so: calls can be written, and what is too many goes. StorageUnavailable."""
        spec = function.spec
        await self._in_thread(self._store.prepare, spec.hash, spec.name, recording.calls, function.revision)

    async def erase(self, contract: str, name: str, revision: int = 0) -> None:
        """Keep nothing of this function any more. ``revision``: that of the change that ended its recording:
        what another front has noted before that is not written either. StorageUnavailable."""
        async with self._writing:
            self._pending.drop(contract, name)
            await self._in_thread(self._store.erase, contract, name, revision)

    async def forget(self, function: Function) -> None:
        """Erase what there is of a function that was unloaded. Where that fails it is logged: it is unloaded
        all the same."""
        spec = function.spec
        try:
            await self.erase(spec.hash, spec.name, function.revision)
        except StorageUnavailable as error:
            _log.error("recorded_calls_not_erased", contract=spec.hash, function=spec.name, reason=str(error))

    def _recorded(self, contract: str) -> dict[str, Recording]:
        found = {}
        for name in self._pending.names(contract):
            function = self._table.named(contract, name)
            if function is not None and function.recording is not None:
                found[name] = function.recording
        return found

    async def _write(self, contract: str, taken: dict[str, Batch]) -> set[str]:
        """The contract, where it failed."""
        try:
            await self._in_thread(self._store.add, contract, taken)
        except StorageUnavailable as error:
            self._pending.put_back(contract, taken)
            if contract not in self._failing:
                _log.error("calls_not_recorded", contract=contract, reason=str(error))
            return {contract}
        return set()

    async def _in_thread(self, work: Callable[..., T], contract: str, *arguments: object) -> T:
        try:
            return await in_thread(work, contract, *arguments, limiter=self._threads)
        except (OSError, sqlite3.Error, ValueError) as error:  # ValueError: what is no JSON
            reason = getattr(error, "strerror", None) or str(error)
            raise StorageUnavailable(
                f"recorded calls cannot be kept or read: contracts/{contract}/calls.db in LARS_DATA_ROOT: "
                f"{reason}; make room for it, or move it away if it is another's"
            ) from error
