"""The control database, opened: one object for keys, functions, their figures and improvement, usage and
audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio.to_thread

from service.control.audit import AuditLog
from service.control.audit_check import Verdict, check
from service.control.audit_key import NO_KEY, audit_key
from service.control.database import Database
from service.control.keys import KeyStore
from service.control.refusal import ControlRefused
from service.control.usage import UsageStore
from service.functions.figure_store import FigureStore
from service.functions.registry import Registry
from service.improvement.runs.store import RunStore
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Control:
    """What a process does with the control database."""

    keys: KeyStore
    functions: Registry
    figures: FigureStore
    usage: UsageStore
    runs: RunStore
    audit: AuditLog
    database: Database
    audit_key: bytes

    async def check_audit(self, noted: bytes | None = None) -> Verdict:
        """Whether the audit log is what was written, and has the seal ``noted``. ControlUnavailable."""
        return await check(self.database, self.audit_key, noted)


@asynccontextmanager
async def open_control(settings: Settings, *, must_seal: bool = True) -> AsyncIterator[Control]:
    """Until the block ends. No connection is made before the first is used, and nothing is made up to date:
    ``migrate.prepare`` was there before. ControlRefused when the audit log has no key; without
    ``must_seal``, changes are refused then, and the rest can be read."""
    try:
        key = await anyio.to_thread.run_sync(audit_key, settings)
    except ControlRefused:
        if must_seal:
            raise
        key = NO_KEY
    database = Database(settings.database_url)
    try:
        audit = AuditLog(database, key)
        keys, functions = KeyStore(database, audit), Registry(database, audit)
        figures, usage, runs = FigureStore(database), UsageStore(database), RunStore(database, audit)
        yield Control(keys, functions, figures, usage, runs, audit, database, key)
    finally:
        await database.close()
