"""What the set of zygotes remembers of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.supervisor.zygote import Hello, Zygote

Then = Callable[[str | None], None]  # told why it could not be done, or None


@dataclass(slots=True)
class Starting:
    """``replaces``: the worn zygote that goes when this one stands; with ``then``, one that goes when this
    one has proved itself."""

    zygote: Zygote
    replaces: int | None
    then: Then | None


@dataclass(slots=True)
class Standing:
    """``proved``: a front has run a program in it. ``followed``: a successor is on its way. ``restart_in``:
    it was killed because it is of no use, and that is when to start another. ``heir``: it is a successor
    that has not proved itself, of whom, and who is told."""

    zygote: Zygote
    hello: Hello
    proved: bool = False
    worn: bool = False
    followed: bool = False
    heir: tuple[int, Then] | None = None
    retiring: bool = False
    restart_in: float | None = None
