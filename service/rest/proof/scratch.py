"""A session for one proof: in a directory of its own, on workers like any other, gone afterwards."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sandbox_runtime.call import Binding, Call, Reply
from sandbox_runtime.domain import Session
from service.errors import PlanRefused
from service.pool.job import Spent
from service.pool.pool import Pool
from service.sessions.call import BoundWorker
from service.sessions.directory import digest_of, open_directory
from service.sessions.removal import remove_tree
from service.sessions.storage import in_storage

SESSION = Session("proof", "scratch")
_STALE = 600.0  # seconds: no proof takes as long, so its front has died
_SECONDS = 5.0  # for a worker to come, and for what is our own
_FILL = """\
done = [session_store.collection(name).insert_many(records) for name, records in ctx["body_json"].items()]
REPLY = make_response(204)
"""
_READ = """\
names = session_store.names()
REPLY = make_response(200, {name: session_store.collection(name).find({})[0] for name in names})
"""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What scratch sessions are made of: workers of sessions, and a directory."""

    workers: Pool
    root: Path
    binding: Binding


class Scratch:
    """One such session."""

    def __init__(self, worker: BoundWorker) -> None:
        self._worker = worker

    async def call(self, call: Call, seconds: float) -> tuple[bytes | None, Reply]:
        """Body and reply. WorkerLost, TimeoutError; the session is of no use after either."""
        with self._worker.until(time.monotonic() + seconds):
            return await self._worker.answer(call, Spent())

    async def fill(self, fixture: Mapping[str, object]) -> None:
        """Store these records."""
        await self._own("fill", _FILL, orjson.dumps(fixture).decode())

    async def data(self) -> Any:
        """All collections with their records. PlanRefused when the plan has made too much of them."""
        # The worker's JSON is checked and bounded; orjson would not take an integer above 1e308.
        return json.loads(await self._own("read", _READ, None) or b"{}")

    async def _own(self, name: str, block: str, body: str | None) -> bytes | None:
        ctx: dict[str, object] = {"method": "POST", "path": "/", "segments": [], "query": {}, "headers": {}}
        call = Call(f"proof {name}", {"resource": ""}, ctx, write=body is not None, block=block, body=body)
        text, reply = await self.call(call, _SECONDS)
        if reply.trouble is not None:
            detail = f"the plan failed its proof: its data cannot be read: {reply.trouble.detail}"
            raise PlanRefused(detail, rule="proof")
        return text


@asynccontextmanager
async def scratch(workshop: Workshop) -> AsyncIterator[Scratch]:
    """A session without records. StorageUnavailable, QueueTimeout."""
    place = await in_storage(_make, workshop.root)
    try:
        worker = await _bind(workshop, place)
        try:
            yield Scratch(worker)
        finally:
            worker.destroy()
    finally:
        await in_storage(_remove, place)


async def _bind(workshop: Workshop, place: Path) -> BoundWorker:
    directory = await in_storage(open_directory, place, SESSION)
    try:
        worker = await workshop.workers.lease(time.monotonic() + _SECONDS)
        return BoundWorker(worker, workshop.binding, directory, digest_of(SESSION))
    finally:
        os.close(directory)


def _make(root: Path) -> Path:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=root))


def _remove(place: Path) -> None:
    beneath = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        remove_tree(place.name, beneath)
    finally:
        os.close(beneath)


def remove_stale(root: Path) -> None:
    """What fronts that died have left behind. Blocks; OSError."""
    with suppress(FileNotFoundError), os.scandir(root) as entries:
        for entry in entries:
            if time.time() - entry.stat(follow_symlinks=False).st_mtime > _STALE:
                _remove(Path(entry.path))
