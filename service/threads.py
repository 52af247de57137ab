"""Work in a thread of this process, for which the host may have none just then."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

T = TypeVar("T")
WANTING: Final = "the host gives the service no thread more (ulimit -u, TasksMax=, --pids-limit)"


async def in_thread(work: Callable[..., T], *arguments: object, limiter: CapacityLimiter | None = None) -> T:
    """What ``work`` returns. OSError also for want of a thread: whoever works on files knows what to do."""
    try:
        return await anyio.to_thread.run_sync(partial(work, *arguments), limiter=limiter)
    except RuntimeError as error:
        if for_want_of_a_thread(error):
            raise OSError(errno.EAGAIN, WANTING) from error
        raise


def for_want_of_a_thread(error: BaseException) -> bool:
    """Whether that is what it says: Python has no class for it."""
    return isinstance(error, RuntimeError) and str(error) == "can't start new thread"
