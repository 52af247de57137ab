"""Before new code serves, a child of its own brings the control database to what that code expects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from service.control.refusal import ControlRefused
from service.supervisor.loop import Loop
from service.supervisor.zygote_entries import Then

_LONGEST = 60.0  # seconds: it may have to wait for who else is at it


class Errand(Protocol):
    """A child that was started."""

    @property
    def pid(self) -> int: ...
    def reaped(self, status: int) -> None:
        """It has been waited for. Raises what is then to end the service, or ControlRefused."""

    def close(self) -> None:
        """End it, unless it was reaped."""


class Upgrade:
    """``start`` begins one. OSError when that cannot be done."""

    def __init__(self, loop: Loop, start: Callable[[], Errand]) -> None:
        self._loop = loop
        self._start = start
        self._errand: Errand | None = None
        self._then: Then

    def run(self, then: Then) -> None:
        """Once. ``then`` is told why it failed, or None."""
        try:
            errand = self._errand = self._start()
        except OSError as error:
            then(str(error))
            return
        self._then = then
        self._loop.after(_LONGEST, lambda: self._end(errand))

    def reaped(self, pid: int, status: int) -> bool:
        """A child has been waited for. Whether it was this."""
        errand = self._errand
        if errand is None or errand.pid != pid:
            return False
        self._errand = None
        try:
            errand.reaped(status)
        except ControlRefused as error:
            self._then(str(error))
        else:
            self._then(None)
        return True

    def close(self) -> None:
        """End it."""
        if self._errand is not None:
            self._errand.close()
            self._errand = None

    def _end(self, errand: Errand) -> None:
        if errand is self._errand:
            self.close()
            self._then(f"it took longer than {_LONGEST:g} s")
