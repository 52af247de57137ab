"""An event loop for one call: asyncio's own, with nothing to wait for but time.

asyncio's usual loops want a socket to be woken by, which the jail refuses, and which nobody could write to:
there are no threads, no processes and no network. So a loop in which nothing is due can never go on.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from sandbox_runtime.functions.results import MAX_ITEMS, NotJson


class _Waiting:
    """In the place of a selector."""

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise RuntimeError("every task waits for another one, and nothing can wake them")
        if timeout > 0:
            time.sleep(timeout)
        return []


@functools.cache
def _kind() -> Any:
    asyncio: Any = importlib.import_module("asyncio")  # which only a contract's worker has: see library

    class Loop(asyncio.BaseEventLoop):  # type: ignore[misc]
        _selector = _Waiting()

        def _process_events(self, event_list: list[object]) -> None:
            """There are none."""

        def _write_to_self(self) -> None:
            """It never sleeps while there is anything to do."""

    return asyncio, Loop


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine returns or raises; when it is over, its tasks are cancelled."""
    asyncio, kind = _kind()
    loop = kind()
    try:
        return loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def collected(items: AsyncIterator[Any]) -> list[Any]:
    """All that an asynchronous generator gives. NotJson when it has no end in sight."""
    found: list[Any] = []
    async for item in items:
        if len(found) >= MAX_ITEMS:
            raise NotJson(f"the asynchronous generator has more than {MAX_ITEMS} items")
        found.append(item)
    return found
