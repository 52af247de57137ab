"""A body that is too long for memory: in a file without a name, which is gone when it is closed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeVar

from starlette.requests import Request

from service.errors import PayloadTooLarge, StorageUnavailable
from service.http.body import kept_of
from service.threads import in_thread

T = TypeVar("T")

_SETTING = "LARS_SESSION_QUOTA"
_BLOCK = 1 << 20


class Spool:
    """``fileno()`` may be handed on. Making, reading and rewinding it block, OSError; see ``in_spool``."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever has the spool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def fill(self, request: Request, limit: int) -> None:
        """Write the body into it, and rewind. PayloadTooLarge above ``limit`` bytes, StorageUnavailable."""
        size = 0
        block = bytearray()
        kept = kept_of(request.scope)
        async with aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise PayloadTooLarge("body", limit, setting=_SETTING)
                block += chunk
                if len(block) >= _BLOCK:
                    await in_spool(self._file.write, bytes(block))
                    block.clear()
                if kept is not None:
                    kept.body(len(block))
        await in_spool(self._file.write, bytes(block))
        if kept is not None:
            kept.no_body()
        await in_spool(self.rewind)

    def rewind(self) -> int:
        """To the beginning; its size in bytes."""
        self._file.flush()
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        self._file.seek(0)
        return os.fstat(self._file.fileno()).st_size

    def read(self, size: int) -> bytes:
        """The next bytes, empty at the end."""
        return self._file.read(size)

    def fileno(self) -> int:
        """The open file; its offset is shared with whoever has it."""
        return self._file.fileno()

    def close(self) -> None:
        """The file is gone. May be called again."""
        with contextlib.suppress(OSError):  # what it still had to write, on a disk that is full
            self._file.close()


async def in_spool(work: Callable[..., T], *arguments: object) -> T:
    """What ``work`` on a spool returns, in a thread. StorageUnavailable for its OSError."""
    try:
        return await in_thread(work, *arguments)
    except OSError as error:
        raise StorageUnavailable(
            f"the directory for temporary files cannot be used: {error.strerror or error}; "
            "the operator frees space in it, or names another with TMPDIR"
        ) from error
