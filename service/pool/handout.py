"""Which job gets which worker: idle workers on one side, waiting jobs on the other, shares between them.

While a worker is idle, whoever waits has used up their share: each change on either side is followed by
handing out what can be.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from functools import partial
from typing import TypeVar

from service.pool.channel import Channel
from service.pool.fair_queue import FairQueue
from service.pool.shares import EXEMPT, within_share
from service.pool.worker import Worker

Entry = tuple[Channel, Worker]
Awaited = asyncio.Future[Entry]
Key = TypeVar("Key")


class Handout:
    """At most ``workers`` are held at once, at most ``queue`` jobs wait. With ``by_shares`` a principal may
    hold no more than its share of the workers; without it they are lent, and whoever lends them takes them
    back. A worker is held until its process is gone: until then its place is not another's."""

    def __init__(self, workers: int, queue: int, *, by_shares: bool) -> None:
        self._workers = workers
        self._by_shares = by_shares
        self._held: Counter[str] = Counter()
        self._held_in_all = 0
        self._of_zygote: Counter[tuple[str, Channel]] = Counter()
        self._idle: deque[Entry] = deque()
        self._queue: FairQueue[Awaited] = FairQueue(queue)

    @property
    def idle(self) -> int:
        """Workers that nobody has."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """Jobs that have no worker yet."""
        return len(self._queue)

    @property
    def held_in_all(self) -> int:
        """Workers that somebody has, or that are not gone yet."""
        return self._held_in_all

    def held(self, principal: str) -> int:
        """Workers that this principal has."""
        return self._held[principal]

    def waiting_of(self, principal: str) -> int:
        """Jobs of this principal that have no worker yet."""
        return self._queue.waiting(principal)

    def admits(self, principal: str) -> bool:
        """Whether a job of this principal that came now would be given a worker, or a place in the queue."""
        return (bool(self._idle) and self._may_have(principal)) or self._queue.admits(principal)

    def take(self, principal: str) -> Worker | None:
        """A worker at once, where there is one and it may have it."""
        if not self._idle or not self._may_have(principal):
            return None
        return self._give(principal)[1]

    def wait(self, principal: str, future: Awaited) -> None:
        """``future`` gets a worker when it is its turn."""
        self._queue.push(principal, future)

    def give_up(self, principal: str, future: Awaited) -> None:
        """It wants none any more. One that came just now goes to the next."""
        if not future.done() or future.cancelled() or future.exception() is not None:
            self._queue.remove(principal, future)
            return
        channel, worker = future.result()
        if worker.gone.is_set():
            worker.destroy()
        else:
            worker.on_gone = None
            self._count_back(principal, channel)
            self.offer(channel, worker)

    def offer(self, channel: Channel, worker: Worker) -> None:
        """A worker that nobody has: to whose turn it is, or kept. A retired zygote's is not kept."""
        self._idle.append((channel, worker))
        self._hand_out()
        if channel.retired:
            self.drop(channel)

    def drop(self, channel: Channel) -> None:
        """End the idle workers of this zygote."""
        for entry in [entry for entry in self._idle if entry[0] is channel]:
            self._idle.remove(entry)
            entry[1].destroy()

    def drop_dead(self, channel: Channel, worker: Worker) -> None:
        """It has died; if it was idle, nobody may get it."""
        if (channel, worker) in self._idle:
            self._idle.remove((channel, worker))
            worker.destroy()

    def close(self, error: type[Exception]) -> None:
        """End the idle workers and answer those who wait with an ``error``."""
        for future in self._queue.clear():
            if not future.done():
                future.set_exception(error())
        for _, worker in self._idle:
            worker.destroy()
        self._idle.clear()

    def _may_have(self, principal: str) -> bool:
        if principal == EXEMPT or not self._by_shares:
            return True
        return within_share(self._held[principal], self._workers - self._held_in_all, self._workers)

    def _hand_out(self) -> None:
        while self._idle and (next_one := self._queue.pop(self._may_have)) is not None:
            principal, future = next_one
            if not future.done():  # it may have been cancelled, and not yet have come to leave the queue
                future.set_result(self._give(principal))

    def _give(self, principal: str) -> Entry:
        entry = channel, worker = self._pick(principal)
        self._held[principal] += 1
        self._held_in_all += 1
        self._of_zygote[principal, channel] += 1
        worker.on_gone = partial(self._given_back, principal, channel)
        return entry

    def _pick(self, principal: str) -> Entry:
        """The one that has waited longest. Those of a principal come from all zygotes alike: where each has
        a share of the CPUs (sched(7), autogroup), niceness weighs only within one."""
        if principal == EXEMPT:
            return self._idle.popleft()
        entry = min(self._idle, key=lambda entry: self._of_zygote[principal, entry[0]])
        self._idle.remove(entry)
        return entry

    def _given_back(self, principal: str, channel: Channel) -> None:
        self._count_back(principal, channel)
        self._hand_out()

    def _count_back(self, principal: str, channel: Channel) -> None:
        self._held_in_all -= 1
        _less(self._held, principal)
        _less(self._of_zygote, (principal, channel))


def _less(counter: Counter[Key], key: Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
