"""Blocking work on the data root, in a thread, with one error for whatever the file system refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from service.errors import StorageUnavailable
from service.threads import in_thread

T = TypeVar("T")


async def in_storage(work: Callable[..., T], *arguments: object) -> T:
    """What ``work`` returns. StorageUnavailable for its OSError."""
    try:
        return await in_thread(work, *arguments)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageUnavailable(
            f"data cannot be kept: {reason}; LARS_DATA_ROOT must name a directory that can be written"
        ) from error
