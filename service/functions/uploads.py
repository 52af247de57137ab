"""The modules that were uploaded, for an event loop: blocking work is done in threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import anyio

from service.errors import StorageUnavailable
from service.functions.module_reading import read_module
from service.functions.module_writing import Bounds, write_module
from service.functions.names import read_module_place
from service.threads import in_thread

T = TypeVar("T")
_THREADS: Final = 4  # so that a slow disk of uploads holds up nothing else


class Uploads:
    """``root``: LARS_UPLOADS_DIR. Every method raises ValidationFailed for a name that can be none, and
    StorageUnavailable for what the file system refuses."""

    def __init__(self, root: Path, bounds: Bounds) -> None:
        self._root = root
        self._bounds = bounds
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def read(self, contract: str, module: str) -> bytes:
        """A module as it is now. NotFound, PayloadTooLarge, UploadRefused, Conflict: see ``read_module``."""
        place = read_module_place(contract, module)
        return await self._in_thread(read_module, self._root, *place, self._bounds.module)

    async def write(self, contract: str, module: str, data: bytes) -> bool:
        """Put a module there, or in the place of one; whether it is new. Acknowledged when it is on the disk.
        PayloadTooLarge, UploadRefused."""
        place = read_module_place(contract, module)
        return await self._in_thread(write_module, self._root, *place, data, self._bounds)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await in_thread(work, *arguments, limiter=self._threads)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StorageUnavailable(
                f"uploads cannot be used: {reason}; LARS_UPLOADS_DIR must name a directory that can be "
                "written"
            ) from error
