"""What a front does beside its requests for as long as it serves: it looks at keys, writes figures down, lets
sessions expire. A front without one of these is of no use, and does not look like it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

import structlog
from structlog.typing import FilteringBoundLogger

_log: FilteringBoundLogger = structlog.get_logger("lars.front")


def start_beside(work: Coroutine[None, None, None], fault: Callable[[], None]) -> asyncio.Task[None]:
    """Until it is cancelled. What it raises is logged, and ``fault`` called."""
    task = asyncio.create_task(work)
    task.add_done_callback(partial(_ended, fault))
    return task


def _ended(fault: Callable[[], None], task: asyncio.Task[None]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if error is not None:
        _log.error("front_fault", exc_info=error)
        fault()
