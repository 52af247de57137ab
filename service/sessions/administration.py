"""What is done to a session as a whole: the jailed worker reads and writes data, we move directories."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict
from functools import partial
from typing import Any, Literal, Protocol

import anyio.to_thread
import orjson

from sandbox_runtime.call import END, Operation, largest_file
from sandbox_runtime.domain import Session
from service.errors import Conflict, NotFound, QueueTimeout, StoreRefused
from service.sessions import directory
from service.sessions.options import SessionOptions
from service.sessions.sessions import Sessions
from service.sessions.storage import in_storage
from service.settings import Settings
from service.telemetry.catalog import SESSIONS_CREATED, SESSIONS_DELETED

_FORK_FILE = "fork.db"
_FORKING_SECONDS = 0.01
_STILL_THERE = frozenset(("session_busy", "quota_exceeded", "query_too_slow"))  # and others may write to it


class _File(Protocol):
    def fileno(self) -> int: ...


class Administration:
    """The operations on one front's sessions. NotFound for a session that holds nothing."""

    def __init__(self, sessions: Sessions, settings: Settings) -> None:
        self._sessions = sessions
        self._root = settings.data_root
        self._quota = settings.session_quota
        self._seconds = settings.session_operation_seconds

    async def describe(self, session: Session) -> dict[str, Any]:
        """``{"id", "dialect", "bytes", "quota", "collections": {name: what it has learned to be}}``."""
        await self._require(session)
        described = await self._operate(session, "describe", {})
        options = asdict(await self._sessions.options.of(session))
        return {"id": session.session_id, **options, "quota": self._quota, **described}

    async def configure(self, session: Session, options: SessionOptions) -> None:
        """Also of a session that holds nothing yet."""
        await self._sessions.options.change(session, options)

    async def delete(self, session: Session, by: Literal["request", "expiry"] = "request") -> None:
        """All data. Requests that wait begin an empty session."""
        await self._require(session)
        try:
            await self._operate(session, END, {})
        except StoreRefused as refused:
            if refused.code in _STILL_THERE:
                raise
        # Whatever else it said: its data may be damaged, its disk full, or it may not want to go.
        await in_storage(directory.remove, self._root, session)
        await self._sessions.options.forget(session)
        SESSIONS_DELETED.add(by)

    async def fork(self, session: Session, new: Session) -> dict[str, Any]:
        """``{"bytes"}`` of the copy. Conflict when ``new`` holds data."""
        await self._require(session)
        if await in_storage(directory.exists, self._root, new):
            raise Conflict(f"the session {new.session_id} holds data; fork into a new id or delete it first")
        done, copied = await self._fork(session, new)
        if not copied:
            raise Conflict(f"the session {new.session_id} came to hold data meanwhile; use another id")
        await self._sessions.options.change(new, await self._sessions.options.of(session))
        SESSIONS_CREATED.add()
        return {"bytes": done["bytes"]}

    async def _fork(self, session: Session, new: Session) -> tuple[dict[str, Any], bool]:
        """One at a time over all fronts: a session has one file for it."""
        copy = partial(directory.copy_data, self._root, session, _FORK_FILE, new, largest_file(self._quota))
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            lock = await in_storage(directory.try_lock, self._root, session)
            if lock is None:
                await asyncio.sleep(_FORKING_SECONDS)
                continue
            try:
                done = await self._operate(session, "fork", {})
                return done, await anyio.to_thread.run_sync(copy)
            except (FileNotFoundError, StoreRefused):
                await self._require(session)  # it may have been deleted meanwhile
                raise
            finally:
                os.close(lock)
        raise QueueTimeout("other copies of this session are being made")

    async def export(self, session: Session, file: _File) -> None:
        """Write the archive into ``file``."""
        await self._require(session)
        await self._operate(session, "export", {}, file)

    async def import_data(self, session: Session, options: dict[str, object], file: _File) -> dict[str, Any]:
        """Counts of what was read from ``file``."""
        return await self._operate(session, "import", options, file)

    async def _require(self, session: Session) -> None:
        if not await in_storage(directory.exists, self._root, session):
            raise NotFound(f"there is no session {session.session_id} of yours; its first write makes it")

    async def _operate(
        self, session: Session, name: str, options: dict[str, object], file: _File | None = None
    ) -> dict[str, Any]:
        deadline = time.monotonic() + self._seconds
        number = None if file is None else file.fileno()
        body, reply = await self._sessions.operate(session, Operation(name, options), deadline, number)
        trouble = reply.trouble
        if trouble is not None:
            raise StoreRefused(trouble.code, trouble.detail, trouble.extra)
        answer = orjson.loads(body or b"{}")
        return answer if isinstance(answer, dict) else {}
