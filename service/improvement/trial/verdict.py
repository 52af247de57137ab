"""What becomes of a candidate whose calls were replayed: the decision, from counts and times. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from service.improvement.trial.times import Times, chance
from service.improvement.trial.values import Goal, Verdict

MAX_UNREPEATABLE: Final = 0.2
"""Part of the calls that the live version may answer otherwise when it is asked again."""

LEAST_HELD_BACK: Final = 0.25
"""Part of the calls that are compared which the model must not have seen."""

SLOWER: Final = 1.1
FASTER: Final = 0.9
CHANCE: Final = 0.001
"""How likely equally fast versions may be to look as far apart."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Recorded calls. ``answered``: those that were answered when they were recorded, ``failed``: the
    others; of these ``*_unrepeatable``. ``compared`` are the rest; the model was ``shown`` so many of them.
    Of the candidate's replies to them so many ``differ``, or came too ``late``, or answer what failed:
    ``mended``. ``cases_*``: of the calls a model thought of."""

    answered: int = 0
    failed: int = 0
    answered_unrepeatable: int = 0
    failed_unrepeatable: int = 0
    mended: int = 0
    differ: int = 0
    late: int = 0
    cases_differ: int = 0
    cases_late: int = 0
    shown: int = 0

    @property
    def unrepeatable(self) -> int:
        """All that are."""
        return self.answered_unrepeatable + self.failed_unrepeatable

    @property
    def compared(self) -> int:
        """Those of which it is known what the right answer is."""
        return self.answered + self.failed - self.unrepeatable


def is_unrepeatable(counts: Counts, goal: Goal, least: int = 1) -> bool:
    """Whether replaying says too little. Where failures are to be mended, those that do not fail again are
    only left out: what they failed of (memory, time, a state that has gone) is often not in the call. What
    was answered then decides alone, for that is what must stay as it is. But what is left must not be less
    than MAX_UNREPEATABLE leaves of the ``least`` calls that there must be, nor what the model was shown."""
    held_back = counts.compared - counts.shown
    too_few = counts.compared < max(1.0, (1 - MAX_UNREPEATABLE) * least)
    if too_few or held_back < LEAST_HELD_BACK * counts.compared:
        return True
    if goal == "errors":
        return counts.answered_unrepeatable > MAX_UNREPEATABLE * counts.answered
    return counts.unrepeatable > MAX_UNREPEATABLE * (counts.answered + counts.failed)


def fault_of(counts: Counts) -> Verdict | None:
    """What is wrong with the candidate's replies; None where nothing is."""
    if counts.late or counts.cases_late:
        return "timeout"
    if counts.differ:
        return "differs"
    return "case_differs" if counts.cases_differ else None


def decide(counts: Counts, times: Times, goal: Goal, least: int = 1) -> Verdict:
    """When all was asked that is to be asked. ``least``: recorded calls that there must be."""
    if is_unrepeatable(counts, goal, least):
        return "unrepeatable"
    return fault_of(counts) or _by_gain(counts, times)


def _by_gain(counts: Counts, times: Times) -> Verdict:
    """A gain is one whatever it was written for: a call that the live version does not finish is mended under
    either goal, and a function that fails with good reason can still be made faster."""
    if is_slower(times):
        return "slower"
    return "admitted" if counts.mended > 0 or is_faster(times) else "no_gain"


def is_faster(times: Times) -> bool:
    """By enough, and not by chance."""
    return times.ratio is not None and times.ratio <= FASTER and _apart(times.mine_rounds, times.live_rounds)


def is_slower(times: Times) -> bool:
    """By more than may be, and not by chance."""
    return times.ratio is not None and times.ratio > SLOWER and _apart(times.live_rounds, times.mine_rounds)


def _apart(quick: Sequence[float], slow: Sequence[float]) -> bool:
    """Whether equally fast versions would hardly be so far apart. Few rounds, which are long ones, must be
    apart altogether."""
    whole = 1 / math.comb(len(quick) + len(slow), len(quick))
    return chance(quick, slow) <= max(CHANCE, whole)
