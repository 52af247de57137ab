"""An examiner over real workers, functions that were loaded, and calls of them that really ran."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import Invocation
from service.control.control import Control, open_control
from service.control.migrate import prepare
from service.errors import FunctionFailed, FunctionTimeout
from service.functions.functions import Functions
from service.functions.loading import inspected
from service.functions.recorded_call import RecordedCall
from service.functions.sources import source_of
from service.functions.values import Function, FunctionSpec
from service.improvement.trial.examiner import Examiner, Rewrite
from service.improvement.trial.values import Case, Evidence, Goal, Samples
from service.limits.store import open_store
from service.pool.job import Spent
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.settings import Settings
from service.state import new_passage, new_state
from tests.service.control.made import BY
from tests.support import default_spec

NAME = "f"
SETTINGS = {"LARS_MAX_EXEC_MS": "1500", "LARS_MEMORY": "128m"}


@dataclass(frozen=True, slots=True)
class Trials:
    """One front's functions. Each live text is a function in a contract of its own."""

    functions: Functions
    control: Control
    uploads: Path

    async def load(self, text: str) -> Function:
        """Serve it."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        spec = FunctionSpec(digest, NAME, "agent", f"/own/{digest[:12]}")
        source = source_of(text.encode())
        signature = await inspected(self.functions, spec, source, Spent())
        return (await self.control.functions.load(spec, source, signature, BY)).function

    async def record(
        self, text: str, arguments: Iterable[Any], seconds: float = 1.5
    ) -> tuple[RecordedCall, ...]:
        """Calls of this text with these JSON objects, as its contract's worker answers them."""
        function = await self.load(text)
        module = await self.functions.modules.module(function.digest, function.spec.module)
        return tuple([await self._call(function, module, orjson.dumps(each), seconds) for each in arguments])

    async def _call(self, function: Function, module: Any, body: bytes, seconds: float) -> RecordedCall:
        asked = Invocation(function.digest, NAME, body)
        began, deadline = time.monotonic(), time.monotonic() + seconds
        value, error, run = None, None, 0.0
        try:
            value, outcome = await self.functions.contracts.call(
                Contract(function.spec.hash), module, asked, deadline, Spent()
            )
            run, error = outcome.run, None if outcome.error is None else outcome.error.type
        except FunctionTimeout:
            error, run = "TimeoutError", time.monotonic() - began
        except FunctionFailed:
            error, run = "ProcessEnded", time.monotonic() - began
        return RecordedCall(function.digest, None, body, value, error, run, time.time())

    async def examine(
        self,
        live: str,
        candidate: str,
        calls: Sequence[RecordedCall],
        goal: Goal = "latency",
        cases: Sequence[Case] = (),
    ) -> Evidence:
        """With half of the calls shown, up to four of them; the last ones are held back."""
        shown = min(4, len(calls) // 2)
        samples = Samples(tuple(calls[:shown]), tuple(calls[shown:]))
        rewrite = Rewrite(await self.load(live), source_of(candidate.encode()), samples, cases, goal)
        return await Examiner(self.functions, min_calls=4).examine(rewrite, Spent())


@asynccontextmanager
async def trials(root: Path) -> AsyncIterator[Trials]:
    """Until the block ends."""
    settings = Settings.from_env({"LARS_DATA_ROOT": str(root), **SETTINGS})
    await prepare(settings)
    async with open_control(settings) as control, local_sandbox(default_spec(), PoolSize(1, 4, 8)) as sandbox:
        passage = new_passage(settings, await open_store("memory"))
        state = new_state(settings, sandbox.pool, passage, control)
        sandbox.attach(state.functions.contracts.workers, "contract")
        try:
            yield Trials(state.functions, control, settings.uploads_dir)
        finally:
            await state.close()


def numbered(count: int) -> list[dict[str, int]]:
    """Arguments ``x``, from 0."""
    return [{"x": number} for number in range(count)]
