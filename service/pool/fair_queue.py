"""Waiting items of several principals: each one's in the order in which they came, the principals in turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from service.pool.shares import EXEMPT, within_share

Item = TypeVar("Item", bound=Hashable)


class FairQueue(Generic[Item]):
    """At most ``places`` items. Whoever has one is served at the latest when each other principal that waits
    has been served once, however many it has. Every operation takes constant time, ``pop`` beside that one
    question for each principal that it passes over."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._count = 0
        # Principals in the order of their turns; whoever has nothing waiting is not among them.
        self._lines: OrderedDict[str, OrderedDict[Item, None]] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    def waiting(self, principal: str) -> int:
        """How many items it has here."""
        line = self._lines.get(principal)
        return 0 if line is None else len(line)

    def admits(self, principal: str) -> bool:
        """Whether there is a place for one more of this principal's."""
        free = self._places - self._count
        return free > 0 if principal == EXEMPT else within_share(self.waiting(principal), free, self._places)

    def push(self, principal: str, item: Item) -> None:
        """At the end of its principal's line. Whether it is admitted, the caller has asked."""
        line = self._lines.get(principal)
        if line is None:
            line = self._lines[principal] = OrderedDict()
        line[item] = None
        self._count += 1

    def pop(self, may_have: Callable[[str], bool]) -> tuple[str, Item] | None:
        """The first item of the principal whose turn it is; those that may not have anything keep their turn.
        None when there is nobody else."""
        for principal, line in self._lines.items():
            if may_have(principal):
                item, _ = line.popitem(last=False)
                self._count -= 1
                self._turned(principal, line)
                return principal, item
        return None

    def remove(self, principal: str, item: Item) -> None:
        """It waits no longer, or does not wait any more."""
        line = self._lines.get(principal)
        if line is None or item not in line:
            return
        del line[item]
        self._count -= 1
        if not line:
            del self._lines[principal]

    def clear(self) -> list[Item]:
        """All items; nothing waits any more."""
        items = [item for line in self._lines.values() for item in line]
        self._lines.clear()
        self._count = 0
        return items

    def _turned(self, principal: str, line: OrderedDict[Item, None]) -> None:
        if line:
            self._lines.move_to_end(principal)
        else:
            del self._lines[principal]
