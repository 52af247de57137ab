"""Blocking work on the data root, in a thread, with one error for whatever the file system refuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import anyio.to_thread

from service.errors import StorageUnavailable

T = TypeVar("T")


async def in_storage(work: Callable[..., T], *arguments: object) -> T:
    """What ``work`` returns. StorageUnavailable for its OSError."""
    try:
        return await anyio.to_thread.run_sync(partial(work, *arguments))
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageUnavailable(
            f"data cannot be kept: {reason}; LARS_DATA_ROOT must name a directory that can be written"
        ) from error
