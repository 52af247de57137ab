"""Workers that are bound to a domain and stay for its next request, as one front lends them.

For each domain one worker, and its requests in a row. When there are more domains than workers may be, of the
domains of whoever has most workers the one that has rested longest gives its own back; one without requests
gives it back after a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sandbox_runtime.domain import WorkerKind
from service.errors import Overloaded, QueueTimeout
from service.pool.pool import Pool
from service.pool.turn import Turn
from service.telemetry.catalog import BIND_SECONDS, QUEUE_SECONDS
from service.telemetry.spans import current_trace

SPARE_WORKERS = 2  # kept ready for domains to come, once there has been one


class Bound(Protocol):
    """A worker that is bound."""

    worn: bool

    @property
    def usable(self) -> bool: ...
    def cut_off(self) -> None: ...
    def destroy(self) -> None: ...


K = TypeVar("K", bound=Hashable)
W = TypeVar("W", bound=Bound)


@dataclass(frozen=True, slots=True)
class LendingSize:
    """``workers``: how many domains may have one at once; ``queue``: how many requests of one domain may
    wait; ``rest``: seconds after which a worker without requests is let go. ``what`` a domain is called."""

    workers: int
    queue: int
    rest: float
    what: WorkerKind


@dataclass(slots=True)
class Place(Generic[W]):
    """One domain's: whose turn it is, and its worker."""

    turn: Turn = field(default_factory=Turn)
    worker: W | None = None
    waiting: int = 0
    used: float = 0.0


class Lending(Generic[K, W]):
    """``bind(domain, deadline)`` makes a bound worker of one of the pool's. ``owner`` of a domain: whose
    workers are counted together."""

    def __init__(
        self,
        pool: Pool,
        size: LendingSize,
        bind: Callable[[K, float], Awaitable[W]],
        owner: Callable[[K], Hashable],
    ) -> None:
        self.pool = pool
        self._size = size
        self._bind = bind
        self._owner = owner
        self._places: dict[K, Place[W]] = {}
        self._bound: OrderedDict[K, Place[W]] = OrderedDict()  # with a worker, the longest unused first
        self._sweeper: asyncio.TimerHandle | None = None
        self.in_line = 0  # requests that wait for their turn

    async def enter(self, key: K, deadline: float) -> Place[W]:
        """Wait for the domain's turn; then ``leave`` must follow. Overloaded when too many wait, QueueTimeout
        when it did not come in time."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place()
        if place.waiting >= self._size.queue:
            raise Overloaded(f"{place.waiting} requests of this {self._size.what} wait already")
        if place.turn.locked():
            await self._wait(place, deadline)
        else:
            await place.turn.acquire(deadline)
            QUEUE_SECONDS.observe(0.0, self._size.what)
        return place

    async def _wait(self, place: Place[W], deadline: float) -> None:
        began = time.monotonic()
        place.waiting += 1
        self.in_line += 1
        try:
            await place.turn.acquire(deadline)
        except TimeoutError as error:
            raise QueueTimeout from error
        finally:
            place.waiting -= 1
            self.in_line -= 1
            QUEUE_SECONDS.observe(_took("wait", began), self._size.what)

    def leave(self, key: K, place: Place[W]) -> None:
        """It is the next one's turn. When others wait for a worker, this one is given up."""
        place.used = time.monotonic()
        if self.pool.awaited or (place.worker is not None and not place.worker.usable):
            self._dismiss(key, place)
        place.turn.release()

    async def worker(self, key: K, place: Place[W], deadline: float) -> W:
        """The domain's, whose turn it is: the one it has, or a new one. Raises as ``Pool.lease`` does."""
        if place.worker is None or not place.worker.usable:
            self._dismiss(key, place)
            self._make_room()
            self._sweep_later()
            self.pool.keep_idle(SPARE_WORKERS)
            began = time.monotonic()
            try:
                place.worker = await self._bind(key, deadline)
            finally:  # most of all when it waited for a worker in vain
                BIND_SECONDS.observe(_took("bind", began), self._size.what)
            self._bound[key] = place
        self._bound.move_to_end(key)
        return place.worker

    def waiting(self, key: K) -> int:
        """Requests of the domain that run or wait."""
        place = self._places.get(key)
        return 0 if place is None else place.waiting + place.turn.locked()

    def bound(self) -> list[K]:
        """Those that have a worker."""
        return list(self._bound)

    def retire(self, identity: int) -> None:
        """A zygote is worn: bound workers that rest are let go, whichever zygote they are of."""
        self.pool.retire(identity)
        for key in list(self._bound):
            self.release(key)

    def release(self, key: K) -> None:
        """Let go of the domain's worker: now, or after the request that it serves."""
        place = self._bound.get(key)
        if place is None:
            return
        if not place.turn.locked():
            self._dismiss(key, place)
        elif place.worker is not None:
            place.worker.worn = True

    def cut_off(self) -> None:
        """End every worker; what runs on one is answered WorkerLost."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for place in self._bound.values():
            if place.worker is not None:
                place.worker.cut_off()
        self.pool.cut_off()

    async def close(self) -> None:
        """``cut_off``, and wait for the work on them."""
        self.cut_off()
        await self.pool.close()

    def _make_room(self) -> None:
        """Of those with domains at rest, whoever has most workers lets go of one: the longest at rest."""
        if len(self._bound) < self._size.workers:
            return
        resting = [key for key, place in self._bound.items() if not place.turn.locked()]
        count = Counter(map(self._owner, self._bound))
        if resting:
            longest = max(resting, key=lambda key: count[self._owner(key)])
            self._dismiss(longest, self._bound[longest])

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._size.rest, self._sweep)

    def _sweep(self) -> None:
        """Let go of workers that have rested long, and forget domains without one."""
        self._sweeper = None
        before = time.monotonic() - self._size.rest
        for key, place in list(self._places.items()):
            if place.waiting or place.turn.locked():
                continue
            if place.used <= before:
                self._dismiss(key, place)
            if place.worker is None:
                del self._places[key]
        if self._places:
            self._sweep_later()

    def _dismiss(self, key: K, place: Place[W]) -> None:
        self._bound.pop(key, None)
        if place.worker is not None:
            place.worker.destroy()
            place.worker = None


def _took(what: str, began: float) -> float:
    """The seconds since then, which are a span of the request."""
    now = time.monotonic()
    trace = current_trace()
    if trace is not None:
        trace.add(what, began, now)
    return now - began
