"""Keeps one front in step with the control database: what keys and functions there are, and what was used.

What a front of this node has changed, the others look for before their next request (``Bulletin``). A look
every quarter of a second makes a revocation count in every front within a second, whichever process made it.
A key that a front does not know may just have been made: a request waits for one look before it is told so.
While looks fail, the gate lets nobody in after a few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from starlette.types import Scope
from structlog.typing import FilteringBoundLogger

from service.access.gate import Gate
from service.access.meter import Meter
from service.access.passage import Passage
from service.access.principal import Key
from service.control.bulletin import CONTROL, Bulletin
from service.control.control import Control
from service.control.usage import Figures
from service.errors import ControlUnavailable, LimitsUnavailable
from service.functions.following import Following
from service.functions.function_meter import FunctionMeter
from service.http.disconnect import wait_aside
from service.limits.limiter import Limiter
from service.planning.allowance import SERVICE
from service.threads import in_thread

LOOK_SECONDS: Final = 0.25
LONGEST_WAIT: Final = 1.0  # seconds for a look: the database may hang
_WRITE_SECONDS: Final = 1.0
_log: FilteringBoundLogger = structlog.get_logger(__name__)


class Watch:
    """Run ``begin`` before the first request, ``run`` beside them, and ``end`` after the last."""

    def __init__(
        self,
        control: Control,
        passage: Passage,
        bulletin: Bulletin,
        following: Following,
        calls: FunctionMeter,
    ) -> None:
        self._control = control
        self._bulletin = bulletin
        self._following = following
        self._calls = calls
        self._gate: Gate = passage.gate
        self._limiter: Limiter = passage.limiter
        self._meter: Meter = passage.meter
        self._revision = 0
        self._present = False
        self._is_same = False  # the database, as far as looks tell: none has failed since it was read
        self._failing: set[str] = set()
        self._looking = asyncio.Lock()
        self._shared: asyncio.Task[bool] | None = None  # the look of all requests that wait for one
        self._looked = asyncio.Event()  # set at the end of the look that begins next
        self._read = -1  # the bulletin's number before the last look that told anything

    async def begin(self) -> None:
        """The first look. ControlUnavailable."""
        await self._look_in_turn()
        if self._present:
            await self._control.audit.tell_whether_foreign()

    async def run(self) -> None:
        """Until it is cancelled. Nobody is let in for long without looks, so they wait for no write: one may
        stand for as long as another process has the database, or the disk hangs."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again("look", LOOK_SECONDS, self._look_in_turn))
            group.create_task(self._again("write", _WRITE_SECONDS, self._write))

    async def _again(self, what: str, pause: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(pause)
            try:
                await work()
            except ControlUnavailable as error:
                self._tell(what, error)
            else:
                self._failing.discard(what)

    async def _look_in_turn(self) -> None:
        async with self._looking:
            await self._look()

    async def end(self) -> None:
        """Write down what has not been."""
        try:
            await self._write()
        except ControlUnavailable as error:
            _log.error("usage_lost", reason=error.reason)

    @property
    def behind(self) -> bool:
        """Whether a front of this node has changed something since the last look."""
        return self._bulletin.number(CONTROL) != self._read

    async def catch_up(self) -> None:
        """Return when it knows what was announced before this call. When it cannot within LONGEST_WAIT, the
        gate lets nobody in until a look has told something, for which nobody waits: probes are answered."""
        announced = self._bulletin.number(CONTROL)
        end = time.monotonic() + LONGEST_WAIT
        while self._read < announced and not self._gate.in_doubt:
            if self._shared is None or self._shared.done():
                self._shared = asyncio.create_task(self._try_look())
            look = self._shared
            await asyncio.wait((look,), timeout=max(0.0, end - time.monotonic()))
            if not (look.done() and look.result()):
                self._gate.doubt()

    async def changed(self) -> None:
        """This front has changed something: all fronts are to know it before they serve another request."""
        self._bulletin.announce(CONTROL)
        await self.catch_up()

    async def after_look(self, scope: Scope) -> None:
        """Return when a look that began after this call is over, even if it failed: what was committed before
        the request came is known then. No later than LONGEST_WAIT, and than the caller leaves."""
        await wait_aside(scope, self._looked, LONGEST_WAIT)

    async def _try_look(self) -> bool:
        """Whether it told anything."""
        try:
            await self._look_in_turn()
        except ControlUnavailable as error:
            self._tell("look", error)
            return False
        return True

    async def _look(self) -> None:
        looked, self._looked = self._looked, asyncio.Event()
        # After a failure it may be a successor that lacks the last changes, and has others of their numbers.
        anew, self._is_same = not self._is_same, False
        try:
            await self._see(anew)
            self._is_same = True
        finally:
            looked.set()

    async def _see(self, anew: bool) -> None:
        number = self._bulletin.number(CONTROL)
        if not self._present and await self._is_absent():
            self._gate.seen()  # without a database there is no key
            self._read = number
            return
        changes = await self._control.keys.changes_since(0 if anew else self._revision)
        another = changes.revision < self._revision
        if self._read < 0:
            await self._remind_of(SERVICE)
        await self._remind(key for key in changes.keys if another or key.revision > self._revision)
        if anew or another:
            self._gate.keyring.replace(changes.keys)
        else:
            self._gate.keyring.update(changes.keys)
        await self._following.catch_up(changes.revision, anew=anew)
        self._revision, self._present, self._read = changes.revision, True, number
        self._gate.seen()

    async def _is_absent(self) -> bool:
        try:
            return await in_thread(is_absent, self._control.database.path)
        except OSError as error:
            raise ControlUnavailable(str(error)) from error

    async def _write(self) -> None:
        await self._calls.write(self._control.figures)
        taken = self._meter.take()
        if not taken:
            return
        try:
            await self._control.usage.add(taken)
        except BaseException:
            self._meter.put_back(taken)
            raise

    async def _remind(self, keys: Iterable[Key]) -> None:
        """The store of limits may have forgotten what a key has used today."""
        for key in keys:
            if key.spec.rates.cpu is not None or key.spec.rates.tokens is not None:
                await self._remind_of(f"key:{key.id}")

    async def _remind_of(self, name: str) -> None:
        days = dict((await self._control.usage.of(name)).days)
        now = datetime.now(UTC).date()
        today, yesterday = (days.get(now - timedelta(n), Figures()) for n in (0, 1))
        try:
            await self._limiter.seed(
                name, today.cpu_ms / 1000, yesterday.cpu_ms / 1000, today.tokens, yesterday.tokens
            )
        except LimitsUnavailable:
            _log.warning("limits_not_reminded", principal=name)

    def _tell(self, what: str, error: ControlUnavailable) -> None:
        if what not in self._failing:
            self._failing.add(what)
            _log.error("control_unavailable", reason=error.reason)


def is_absent(path: str | None) -> bool:
    """Whether it is certain that there is no database. ``path``: SQLite's file, None for a server's. What
    cannot be seen may be there."""
    if path is None:
        return False
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
