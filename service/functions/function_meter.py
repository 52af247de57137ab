"""What one front has seen of the functions it calls, until it is written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from service.functions.figure_store import FigureStore
from service.functions.figures import CallOutcome, Tally, VersionKey


class FunctionMeter:
    """Counts; ``write`` adds it to what is in the control database."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """``clock``: seconds since the epoch."""
        self._clock = clock
        self._tallies: dict[VersionKey, Tally] = {}
        self._writing = asyncio.Lock()

    def count(self, key: VersionKey, outcome: CallOutcome, run: float, cpu: float) -> None:
        """One call. ``run``: seconds that the function took, which count where it ran; ``cpu``: seconds that
        its worker used."""
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally()
        tally.count(outcome, run, cpu, self._clock())

    def take(self) -> dict[VersionKey, Tally]:
        """All of it; from now on it counts from nothing."""
        taken, self._tallies = self._tallies, {}
        return taken

    def put_back(self, taken: dict[VersionKey, Tally]) -> None:
        """What was taken and could not be written. It is the meter's again."""
        fewer, more = sorted((taken, self._tallies), key=len)
        for key, tally in fewer.items():
            if (known := more.get(key)) is None:
                more[key] = tally
            else:
                known.absorb(tally)
        self._tallies = more

    async def write(self, store: FigureStore) -> None:
        """Add to the store what was counted before this call: on return it is there, whoever has written it.
        ControlUnavailable, after which nothing is lost."""
        async with self._writing:
            taken = self.take()
            if not taken:
                return
            try:
                await store.add(taken)
            except BaseException:
                self.put_back(taken)
                raise
