"""Deletes the data of sessions that nobody has asked for in a long time, and sweeps up what crashes left.

A request touches its session's directory when a worker is bound, and this does so for workers that stay. So
the youngest time of directory and files is that of the last use. Whichever front gets the lock does the work.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from service.errors import LarsError
from service.sessions.administration import Administration
from service.sessions.directory import stored_session, touch
from service.sessions.removal import remove_tree
from service.sessions.sessions import Sessions
from service.settings import Settings
from service.threads import in_thread

log = structlog.get_logger(__name__)
_NAME = re.compile(r"[0-9a-f]{62}", re.ASCII)
_LEFT_OVER = re.compile(r"[0-9a-f]{62}\.[0-9a-f]{16}", re.ASCII)
_HOUR = 3600.0
_LOOKS = 4  # in the time after which a session expires


class Expiry:
    """For one front. ``run`` until cancelled."""

    def __init__(self, sessions: Sessions, settings: Settings) -> None:
        self._sessions = sessions
        self._administration = Administration(sessions, settings)
        self._root = settings.data_root / "sessions"
        self._age = settings.session_expiry
        self._pause = min(_HOUR, self._age / _LOOKS) if self._age else _HOUR

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self._look()
            except OSError as error:
                log.error("expiry_failed", reason=str(error))

    async def _look(self) -> None:
        await in_thread(touch, self._root.parent, self._sessions.bound())
        lock = await in_thread(_try_lock, self._root)
        if lock is None:
            return
        try:
            await in_thread(_sweep, self._root, time.time() - _HOUR)
            if self._age:
                await self._delete(await in_thread(_unused, self._root, time.time() - self._age))
        finally:
            os.close(lock)

    async def _delete(self, digests: list[str]) -> None:
        for digest in digests:
            try:
                await self._administration.delete(stored_session(digest), by="expiry")
            except LarsError as error:
                log.warning("session_not_expired", session=digest, reason=error.detail)
            else:
                log.info("session_expired", session=digest)


def _try_lock(root: Path) -> int | None:
    try:
        lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _unused(root: Path, before: float) -> list[str]:
    """Digests of the sessions whose last use was before that Unix time."""
    return [
        path.parent.name + path.name
        for path in _directories(root)
        if _NAME.fullmatch(path.name) and _last_use(path) < before
    ]


def _last_use(path: Path) -> float:
    newest = path.stat(follow_symlinks=False).st_mtime
    with suppress(OSError):
        for entry in os.scandir(path):
            newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
    return newest


def _sweep(root: Path, before: float) -> None:
    """What a crash left in the middle of a removal or a fork, and directories of sessions that only read."""
    for path in _directories(root):
        if path.stat(follow_symlinks=False).st_mtime >= before:
            continue
        with suppress(OSError):  # in use after all, or not empty
            if _LEFT_OVER.fullmatch(path.name):
                beneath = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    remove_tree(path.name, beneath)
                finally:
                    os.close(beneath)
            else:
                path.rmdir()


def _directories(root: Path) -> Iterator[Path]:
    for parent in root.iterdir():
        for path in parent.iterdir():
            if path.is_dir() and not path.is_symlink():
                yield path
