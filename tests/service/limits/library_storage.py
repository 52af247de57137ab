"""The shared table as a storage of the ``limits`` library, so that its own strategy can be asked about it.

A front does not go this way: its ledgers count in all windows of a key under one lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from limits.storage import SlidingWindowCounterSupport, Storage

from service.limits.memory_store import MemoryStore, Slot
from service.limits.shared_table import SharedTable
from service.limits.sliding import used


class SharedWindows(Storage, SlidingWindowCounterSupport):
    """For ``SlidingWindowCounterRateLimiter`` and no other strategy. It owns the descriptor, which is one of
    ``create_shared``. ``clock``: seconds since the epoch."""

    STORAGE_SCHEME = None

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._store = MemoryStore(SharedTable(descriptor), clock)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the library may wrap."""
        return OSError

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count ``amount`` unless that would be more than ``limit``."""
        slot = Slot(self._store, key, expiry)
        with self._store.alone_with(slot) as state:
            if used(state, expiry) + amount > limit:
                return False
            slot.write(state[0], state[1] + amount)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Counts of the previous and the current window, and how long each is still of use."""
        with self._store.alone_with(Slot(self._store, key, expiry)) as (previous, current, ttl):
            return previous, ttl if previous else 0.0, current, ttl + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted."""
        slot = Slot(self._store, key, expiry)
        with self._store.alone_with(slot):
            slot.write(0, 0)

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def close(self) -> None:
        """Unmap the table."""
        self._store.table.close()

    def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        """Fixed windows are not counted here."""
        raise NotImplementedError(key)

    def get(self, key: str) -> NoReturn:
        """As ``incr``."""
        raise NotImplementedError(key)

    def get_expiry(self, key: str) -> NoReturn:
        """As ``incr``."""
        raise NotImplementedError(key)

    def clear(self, key: str) -> NoReturn:
        """As ``incr``."""
        raise NotImplementedError(key)

    def reset(self) -> NoReturn:
        """The table is not this storage's alone."""
        raise NotImplementedError
