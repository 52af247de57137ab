"""Counts in the memory that the fronts of this node share.

Windows begin at multiples of their length since the epoch, so all processes agree on them without a word. A
slot tells its window by ``until``, the second from which nothing in it counts: the end of the window after
its own.

What is written to a slot goes in the order until, previous, current. A process that is killed between two
of them leaves counts of the last window in this one: too many, never too few.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_UN, lockf

from service.errors import LimitsUnavailable
from service.limits.columns import Columns
from service.limits.quotas import Quotas
from service.limits.shared_table import STRIPES, WORD, SharedTable
from service.limits.sliding import State, used
from service.limits.store import Standing

_SLOT = struct.Struct("4Q")  # digest, until, previous, current
_COUNTS = struct.Struct("3Q")  # until, previous, current
_ATTEMPTS = 8
_BUDGETS_SECONDS = 0.1
_MOST = 1 << 53  # beyond every limit; more makes no difference
_OWN_COLUMN = "own column"
_TOO_FULL = "the table of limits is too full to keep the places of a key"


class MemoryStore:
    """The counters behind one table, which it owns. ``clock``: seconds since the epoch."""

    def __init__(self, table: SharedTable, clock: Callable[[], float] = time.time) -> None:
        self.table = table
        self.clock = clock
        self.columns = Columns(table)

    def ledger(self, quotas: Quotas) -> MemoryLedger:
        """The counters of a key. They get their places when something is counted."""
        return MemoryLedger(self, quotas)

    async def seed(self, counter: str, seconds: int, current: int, previous: int) -> None:
        """What a counter starts from, if nothing is counted there."""
        slot = Slot(self, counter, seconds)
        with self.alone_with(slot) as state:
            if state[:2] == (0, 0):
                slot.write(previous, current)

    @contextmanager
    def alone_with(self, slot: Slot) -> Iterator[State]:
        """The window of now, while nobody else counts anything. For what is done rarely."""
        with self.table.locked(0, STRIPES):
            slot.find()
            state = slot.read(self.clock())
            if state is None:
                raise LimitsUnavailable(_TOO_FULL)
            yield state

    async def close(self) -> None:
        """This front's runs are over, and its column is free."""
        self.table.close()


class Slot:
    """One sliding window of one key. ``until``: that of the window that was read last."""

    __slots__ = ("_at", "_bytes", "_clock", "_digest", "_table", "seconds", "until")

    def __init__(self, store: MemoryStore, counter: str, seconds: int) -> None:
        self._table = store.table
        self._bytes = store.table.bytes
        self._clock = store.clock
        self._digest = store.table.digest(counter)
        self._at = 0  # the header, whose first word is no digest
        self.seconds = seconds
        self.until = 0

    def read(self, now: float) -> State | None:
        """The window of ``now``; None when the place is another's by now. Under the key's lock."""
        digest, until, previous, current = _SLOT.unpack_from(self._bytes, self._at)
        if digest != self._digest:
            return None
        seconds = self.seconds
        number, elapsed = divmod(now, seconds)
        self.until = current_until = (int(number) + 2) * seconds
        if until == current_until - seconds:
            previous, current = current, 0
        elif until < current_until:
            previous = current = 0
        elif (
            until > current_until
        ):  # written before the clock was set back: it counts as now's, and ends as now's
            self.write(previous, current)
        return previous, current, seconds - elapsed

    def write(self, previous: int, current: int) -> None:
        """Put this into the window that was read last. Under the same lock."""
        _COUNTS.pack_into(self._bytes, self._at + WORD, self.until, min(previous, _MOST), min(current, _MOST))

    def find(self) -> None:
        """Look for the place of the counter, or take one. Under the lock of all stripes."""
        now = self._clock()
        words = self._table.words
        word, is_new = self._table.take(self._table.slots, self._digest, lambda at: words[at + 1] <= now)
        self._at = word * WORD
        if is_new:
            self.until = 0
            self.write(0, 0)
            words[word] = self._digest
            words[word + 1] = (int(now // self.seconds) + 2) * self.seconds  # taken, for two windows


class Row:
    """The runs at once of one key."""

    __slots__ = ("_columns", "_digest", "_table", "_word", "_words", "limit")

    def __init__(self, store: MemoryStore, counter: str, limit: int) -> None:
        self._table = store.table
        self._words = store.table.words
        self._columns = store.columns
        self._digest = store.table.digest(counter)
        self._word = 0
        self.limit = limit

    def held(self) -> int | None:
        """Runs that count; None when the place is another's by now. What dead fronts have left is looked for
        only if it matters."""
        if self._words[self._word] != self._digest:
            return None
        held = self._columns.held(self._word)
        return held if held < self.limit else self._columns.held_by_living(self._word)

    def add(self, count: int) -> None:
        """Count of this front alone. A row with a run is nobody else's, so taking one off needs no lock."""
        self._columns.add(self._word, count)

    def find(self) -> None:
        """As ``Slot.find``; a row that is taken over is empty."""
        self._word, is_new = self._table.take(self._table.rows, self._digest, self._columns.is_idle)
        if is_new:
            self._words[self._word] = self._digest


class MemoryLedger:
    """The counters of one key, all under one lock."""

    def __init__(self, store: MemoryStore, quotas: Quotas) -> None:
        self._clock = store.clock
        self._table = store.table
        self._descriptor = store.table.descriptor
        self._stripe = store.table.stripe(quotas.name)
        self._slots = [Slot(store, quota.counter(quotas.name), quota.seconds) for quota in quotas.windows]
        self._requests = len(quotas.requests)
        windows = list(zip(self._slots, (quota.bar for quota in quotas.windows), strict=True))
        self._counted, self._budgets = windows[: self._requests], windows[self._requests :]
        self._budget_states: list[State] = []
        self._budgets_spent = False
        self._budgets_until = 0.0
        limit = quotas.concurrent
        self._row = None if limit is None else Row(store, f"concurrent/{quotas.name}", limit)

    async def admit(self, runs: bool) -> Standing:
        """As ``Ledger.admit``. One lock is taken and given back, and usually nobody else wants it."""
        for _ in range(_ATTEMPTS):
            lockf(self._descriptor, LOCK_EX, 1, self._stripe)
            try:
                standing = self._admit(runs) if self._knows_budgets() else None
            finally:
                lockf(self._descriptor, LOCK_UN, 1, self._stripe)
            if standing is not None:
                return standing
            self._find()
        raise LimitsUnavailable(_TOO_FULL)

    async def charge(self, index: int, amount: int) -> State:
        """As ``Ledger.charge``."""
        slot = self._slots[index]
        for _ in range(_ATTEMPTS):
            with self._table.locked(self._stripe):
                state = slot.read(self._clock())
                if state is not None:
                    previous, current, ttl = state
                    slot.write(previous, current + amount)
                    self._budgets_until = 0.0
                    return previous, current + amount, ttl
            self._find()
        raise LimitsUnavailable(_TOO_FULL)

    async def release(self, lease: str) -> None:
        """As ``Ledger.release``. A table that is closed has let go of all runs of this front."""
        if self._row is not None and lease == _OWN_COLUMN and self._table.is_open:
            self._row.add(-1)

    def _admit(self, runs: bool) -> Standing | None:
        """None when a place is another's by now, or has not been looked for."""
        now = self._clock()
        states: list[State] = []
        refused = runs and self._budgets_spent
        for slot, most in self._counted:
            state = slot.read(now)
            if state is None:
                return None
            states.append(state)
            if used(state, slot.seconds) >= most:
                refused = True
        states += self._budget_states
        row, held = self._row, 0
        if row is not None:
            found = row.held()
            if found is None:
                return None
            held = found
            refused = refused or (runs and held >= row.limit)
        if refused:
            return Standing(True, now, states, held, None)
        for index in range(self._requests):
            previous, current, ttl = states[index]
            current += 1
            self._slots[index].write(previous, current)
            states[index] = previous, current, ttl
        if row is None or not runs:
            return Standing(False, now, states, held, None)
        row.add(1)
        return Standing(False, now, states, held + 1, _OWN_COLUMN)

    def _knows_budgets(self) -> bool:
        """What a day allows is used up slowly: it is read anew when something has been charged here, and else
        ten times a second. False when a place is another's by now."""
        if not self._budgets:
            return True
        now = self._clock()
        if 0 < self._budgets_until - now <= _BUDGETS_SECONDS:
            return True
        states = [slot.read(now) for slot, _ in self._budgets]
        known = [state for state in states if state is not None]
        if len(known) < len(states):
            return False
        self._budgets_spent = any(
            used(state, slot.seconds) >= most
            for state, (slot, most) in zip(known, self._budgets, strict=True)
        )
        self._budget_states, self._budgets_until = known, now + _BUDGETS_SECONDS
        return True

    def _find(self) -> None:
        """Who has which place is decided while nobody counts."""
        with self._table.locked(0, STRIPES):
            for slot in self._slots:
                slot.find()
            if self._row is not None:
                self._row.find()
