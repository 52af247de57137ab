"""Bytes that a front keeps in memory for its callers: bodies that still come in or are in work, answers that
are not taken. Of each kind no more than a limit, whatever the number of connections: the caller who has been
slow for longest gives way."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from service.telemetry.catalog import BUFFERED, CUT_OFF


class Holding:
    """What is kept for one caller. ``cut_off`` is called when it gives way; it is not kept any more then."""

    __slots__ = ("cut_off", "size")

    def __init__(self, cut_off: Callable[[], None]) -> None:
        self.cut_off = cut_off
        self.size = 0


class Holdings:
    """Of one kind, ``bodies`` or ``answers``. One that is alone does not give way: it has its own limit."""

    def __init__(self, kind: str, limit: int) -> None:
        self._kind = kind
        self._limit = limit
        self._total = 0
        self._all: set[Holding] = set()
        self._yielding: OrderedDict[Holding, None] = OrderedDict()  # by when they began

    def keep(self, holding: Holding, size: int) -> None:
        """So many bytes are kept for it now, until its caller gets on."""
        if holding not in self._all:
            self._all.add(holding)
            self._yielding[holding] = None
        self._count(holding, size)
        while self._total > self._limit and len(self._all) > 1 and self._yielding:
            oldest = next(iter(self._yielding))
            self.drop(oldest)
            CUT_OFF.add(self._kind)
            oldest.cut_off()

    def settle(self, holding: Holding, size: int) -> None:
        """It is whole, so that it does not wait for its caller any more, and does not give way."""
        self._all.add(holding)
        self._yielding.pop(holding, None)
        self._count(holding, size)

    def drop(self, holding: Holding) -> None:
        """It is not kept any more. May be called again."""
        if holding in self._all:
            self._all.remove(holding)
            self._yielding.pop(holding, None)
            self._count(holding, 0)

    def _count(self, holding: Holding, size: int) -> None:
        self._total += size - holding.size
        holding.size = size
        BUFFERED.set(self._total, self._kind)


class Kept:
    """What a front keeps for one connection: the body of the request in work, and unsent answers."""

    __slots__ = ("_answer", "_answers", "_bodies", "_body")

    def __init__(
        self,
        bodies: Holdings,
        answers: Holdings,
        cut_body_off: Callable[[], None],
        cut_answer_off: Callable[[], None],
    ) -> None:
        self._bodies, self._body = bodies, Holding(cut_body_off)
        self._answers, self._answer = answers, Holding(cut_answer_off)

    def body(self, size: int) -> None:
        """So much of it has been read, and more is to come."""
        self._bodies.keep(self._body, size)

    def whole_body(self, size: int) -> None:
        """All of it has been read."""
        self._bodies.settle(self._body, size)

    def no_body(self) -> None:
        """The request is over, or what was read of it lies elsewhere."""
        self._bodies.drop(self._body)

    def answer(self, size: int) -> None:
        """So much waits to be taken."""
        self._answers.keep(self._answer, size)

    def no_answer(self) -> None:
        """Nearly all has been taken."""
        self._answers.drop(self._answer)

    def close(self) -> None:
        """The connection is closed. No cycle of references is left."""
        self.no_body()
        self.no_answer()
        self._body.cut_off = self._answer.cut_off = _nothing


def _nothing() -> None:
    """Nobody is there to be cut off."""
