"""What the service manager reads of the service (sd_notify(3)): its state, in words for machines and in plain
ones for people."""

from __future__ import annotations

import time

from service.supervisor.notify import Notifier

_SIGNS = 6  # of life, within what is allowed
_MARGIN = 5.0  # seconds that the end may take beyond what it is given


class Report:
    """``url``: where the service is reached. ``wanted``: how many fronts and zygotes it is to have."""

    def __init__(self, notifier: Notifier, url: str, wanted: tuple[int, int]) -> None:
        self._notifier = notifier
        self._url = url
        self._wanted = wanted
        self._doing = "starting"
        self._why_not = ""
        self._said = ""
        self._owed: tuple[str, ...] = ()  # what the manager did not take, and waits for

    @property
    def watchdog(self) -> float | None:
        """Seconds between two signs of life, where they are wanted. Several may be missing: a front that is
        being replaced gives none."""
        return None if self._notifier.watchdog is None else self._notifier.watchdog / _SIGNS

    def counted(self, fronts: int, zygotes: int) -> None:
        """How many there are now. Told when it is news."""
        text = f"{self._doing} at {self._url}: {fronts} of {self._wanted[0]} fronts, "
        text += f"{zygotes} of {self._wanted[1]} zygotes{self._why_not}"
        if self._owed:
            self._tell(*self._owed)
        if text != self._said and self._notifier.tell(f"STATUS={text}"):
            self._said = text

    def ready(self, why_not: str | None = None) -> None:
        """It serves. ``why_not``: what of it could not be replaced, when that was tried last."""
        self._doing = "serving"
        self._why_not = "" if why_not is None else f"; {why_not.splitlines()[0]}"
        self._tell("READY=1")

    def renewing(self) -> None:
        """It serves and is being replaced; ``ready`` ends that."""
        self._doing = "serving, and replacing what serves,"
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """It ends, within so many seconds."""
        self._doing = f"ending within {seconds:g} s, by finishing what was accepted,"
        self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round((seconds + _MARGIN) * 1e6)}")

    def alive(self) -> None:
        """It does its work."""
        self._notifier.tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        self._owed = () if self._notifier.tell(*lines) else lines

    def close(self) -> None:
        """Nothing more is told."""
        self._notifier.close()
