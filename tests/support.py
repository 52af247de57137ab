"""Real sandboxes for tests: an event loop in a thread, zygotes made on demand, one call to run a program."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from functools import cache
from types import TracebackType
from typing import Any, TypeVar

from sandbox_runtime.job import Program
from sandbox_runtime.layers import Layer
from service.pool.job import Job, JobLimits, Outcome
from service.pool.local import LocalSandbox, local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.zygote import ZygoteSpec

T = TypeVar("T")
PATIENCE = 50.0  # s: below pytest's own timeout
SIZE = PoolSize(idle=1, workers=8, queue=16)
# The interpreter behind a virtual environment: zygotes run it. typeshed does not have the name.
BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)


def wait_until(ready: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Return when ``ready()`` is true; fail, naming ``what``, when it has not become so in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.002)


@cache
def default_spec() -> ZygoteSpec:
    """What the service makes its zygotes from when nothing is configured."""
    return sandbox_spec(Settings.from_env({}))


def spec_without(off: Iterable[Layer]) -> ZygoteSpec:
    """The same with these layers switched off."""
    spec = default_spec()
    return dataclasses.replace(spec, layers=spec.layers - frozenset(off))


def job(code: str, **options: Any) -> Job:
    """A job from its program and the members of Program and JobLimits by name.

    ``timeout`` and ``cpu`` in seconds, sizes in bytes; the deadline is ``timeout`` from now."""
    chosen = {"timeout": 20.0, "cpu": 20.0, "memory": 256 << 20, "file_size": 64 << 20, "output": 1 << 20}
    chosen |= {name: options.pop(name) for name in list(options) if name in chosen}
    data = options.pop("data", None)
    program = Program(code=code, has_data=data is not None, **options)
    limits = JobLimits(**chosen)  # type: ignore[arg-type]
    return Job(program, limits, time.monotonic() + limits.timeout, data)


class LoopThread:
    """An event loop in a thread of its own; ``call`` runs a coroutine there and waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox loop", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, or what it raised."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """The coroutine begins there; the future has its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class Sandboxes:
    """One sandbox per set of layers switched off, started when first asked for, ended together.

    Use as a context manager. All calls are synchronous; ``start`` has a program run beside them.
    """

    def __init__(self, size: PoolSize = SIZE) -> None:
        self._size = size
        self._thread = LoopThread()
        self._stack = AsyncExitStack()
        self._started: dict[frozenset[Layer], LocalSandbox] = {}

    def __enter__(self) -> Sandboxes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._thread.call(self._stack.aclose())
        finally:
            self._thread.stop()

    def sandbox(self, off: Iterable[Layer] = ()) -> LocalSandbox:
        """The sandbox without the layers ``off``."""
        key = frozenset(off)
        if key not in self._started:
            entering = self._stack.enter_async_context(local_sandbox(spec_without(key), self._size))
            self._started[key] = self._thread.call(entering)
        return self._started[key]

    def in_force(self) -> frozenset[Layer]:
        """The layers that this host gives to the full jail."""
        return frozenset(state.layer for state in self.sandbox().hello.layers if state.in_force)

    def run(self, code: str, off: Iterable[Layer] = (), **options: Any) -> Outcome:
        """Run one program (see ``job``) in the jail, less the layers ``off``."""
        return self.run_job(job(code, **options), off)

    def run_job(self, work: Job, off: Iterable[Layer] = ()) -> Outcome:
        """The same for a job that is made already."""
        return self._thread.call(self.sandbox(off).pool.run(work))

    def start(self, code: str, off: Iterable[Layer] = (), **options: Any) -> Future[Outcome]:
        """Run one program beside what comes next; its outcome is the future's result."""
        return self._thread.start(self.sandbox(off).pool.run(job(code, **options)))

    def wait_busy(self, count: int, off: Iterable[Layer] = ()) -> None:
        """Return when ``count`` programs are running."""
        wait_until(lambda: self.figures(off)["busy"] >= count, f"{count} busy workers")

    def settle(self, off: Iterable[Layer] = ()) -> None:
        """Return when no program runs and the pool is full again."""

        def quiet() -> bool:
            figures = self.figures(off)
            return figures["busy"] == figures["starting"] == 0 and figures["idle"] == self._size.idle

        wait_until(quiet, "a pool at rest")

    def figures(self, off: Iterable[Layer] = ()) -> dict[str, int]:
        """The pool's own counts."""
        return self._thread.call(_figures(self.sandbox(off)))


async def _figures(sandbox: LocalSandbox) -> dict[str, int]:
    return sandbox.pool.figures()
