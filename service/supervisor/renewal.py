"""Replacing all that serves, one after the other, while it serves: each goes when its successor has shown
that it does its work. What is on the disk then is what successors run.

    control database ─► zygotes ─► planner ─► fronts

The first that cannot be replaced ends it: that one stays, and all after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from service.supervisor.fronts import Fronts
from service.supervisor.loop import Loop
from service.supervisor.planner_keeper import PlannerKeeper
from service.supervisor.upgrade import Upgrade
from service.supervisor.zygotes import Zygotes

_log: FilteringBoundLogger = structlog.get_logger(__name__)
# Signals that come in a row are one. One that comes later, while all is being replaced, is another: what it
# is about may be newer than what has been started.
_GATHER = 0.1
_LOOK_AGAIN = 0.1


class Listener(Protocol):
    """Whom it tells."""

    def on_renewed(self, why_not: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Children:
    """What is replaced."""

    upgrade: Upgrade | None
    zygotes: Zygotes
    planner: PlannerKeeper | None
    fronts: Fronts


class Renewal:
    """One at a time, as often as it is asked for."""

    def __init__(self, loop: Loop, children: Children, listener: Listener) -> None:
        self._loop = loop
        self._children = children
        self._listener = listener
        self._asked = False
        self._runs = False
        self._over = False

    def ask(self) -> None:
        """Replace all that has been started until now. The listener is told when that is done, or why not."""
        if not self._asked:
            self._asked = True
            self._loop.after(_GATHER, self._begin)

    def stop(self) -> None:
        """Go on no further."""
        self._over = True

    def _begin(self) -> None:
        if self._runs or self._over or not self._asked:
            return
        self._asked, self._runs = False, True
        _log.info("renewal_begins")
        if self._children.upgrade is None:
            self._upgraded(None)
        else:
            self._children.upgrade.run(self._upgraded)

    def _upgraded(self, why_not: str | None) -> None:
        if self._failed("the control database", why_not):
            return
        self._zygotes(self._children.zygotes.newest, None)

    def _zygotes(self, newest: int, why_not: str | None) -> None:
        if self._failed("a zygote", why_not):
            return
        older = self._children.zygotes.older(newest)
        if older:
            self._children.zygotes.renew(older[0], partial(self._zygotes, newest))
        elif self._children.planner is not None:
            self._children.planner.renew(self._planned)
        else:
            self._planned(None)

    def _planned(self, why_not: str | None) -> None:
        if self._failed("the planner", why_not):
            return
        present = self._children.fronts.present
        self._fronts([front.pid for front in present], None)

    def _fronts(self, older: list[int], why_not: str | None) -> None:
        """``older``: pids of those that are still to be replaced; who is gone has been replaced already."""
        if self._failed("a front", why_not):
            return
        fronts = self._children.fronts
        left = [front for front in fronts.present if front.pid in older]
        if not left:
            self._done(None)
        elif left[0].said_hello and fronts.leaving < len(fronts.present):
            fronts.renew(left[0], partial(self._fronts, older))
        else:  # it is only starting, or those that an earlier renewal has sent away are still here
            self._loop.after(_LOOK_AGAIN, partial(self._fronts, older, None))

    def _failed(self, what: str, why_not: str | None) -> bool:
        """Whether nothing more is to be done."""
        if self._over:
            return True
        if why_not is None:
            return False
        _log.error("renewal_failed", not_replaced=what, reason=why_not)
        self._done(f"{what} could not be replaced: {why_not}")
        return True

    def _done(self, why_not: str | None) -> None:
        self._runs = False
        if why_not is None:
            _log.info("renewal_ends")
        if self._asked:
            self._begin()
        else:
            self._listener.on_renewed(why_not)
