"""What a place that counts must be able to do. There are two: the memory of this node, and Redis.

A store gives each key a ledger, which knows where that key's counters lie. Every method that is asynchronous
raises LimitsUnavailable when it cannot be told what has been counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from service.limits.quotas import Quotas
from service.limits.sliding import State
from service.secret import Secret

LEASE_SECONDS = 900.0


@dataclass(slots=True)
class Standing:
    """Where a key stands after a request was admitted, or refused: then nothing was counted.

    ``states``: one for each of the key's windows; ``held``: runs at once, this one included; ``lease``: what
    gives this one's place back, or None when it has none."""

    refused: bool
    now: float
    states: list[State]
    held: int
    lease: str | None


class Ledger(Protocol):
    """The counters of one key."""

    async def admit(self, runs: bool) -> Standing:
        """Count one request in each window of requests and, if it ``runs``, take a place among the runs at
        once; all of it or, where a limit is used up, nothing. Budgets count only for what runs."""

    async def charge(self, index: int, amount: int) -> State:
        """Add to the window at ``index``, past its limit too; what it is then."""

    async def release(self, lease: str) -> None:
        """Give a place back."""


class Store(Protocol):
    """Counters of any number of keys."""

    def ledger(self, quotas: Quotas) -> Ledger:
        """The counters of a key. Nothing is counted yet."""

    async def seed(self, counter: str, seconds: int, current: int, previous: int) -> None:
        """What a counter starts from, if nothing is counted there."""

    async def close(self) -> None:
        """Let go of what the store holds."""


async def open_store(
    url: Secret | Literal["memory"], shared: int | None = None, *, lease: float = LEASE_SECONDS
) -> Store:
    """The store that ``LARS_RATE_STORE`` names. ``shared``: the descriptor that ``create_shared`` made,
    which the store now owns; without one a memory store counts for this process alone. ``lease``: seconds
    after which Redis takes a run to be over whose node has not said so; longer than any run may take."""
    if url == "memory":
        from service.limits.memory_store import MemoryStore  # noqa: PLC0415 - a service has one of the two
        from service.limits.shared_table import SharedTable, create_shared  # noqa: PLC0415

        return MemoryStore(SharedTable(create_shared() if shared is None else shared))
    from service.limits.redis_store import RedisStore  # noqa: PLC0415 - 0.1 s to import

    return RedisStore(url, lease)
