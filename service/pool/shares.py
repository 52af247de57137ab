"""How much of what is scarce one principal may have while others may come: pure decisions.

Places (workers, or places in the queue) are shared as ``sandbox_runtime.shares`` says, CPU by niceness.
"""

from __future__ import annotations

import math

from sandbox_runtime.shares import ALPHA, EXEMPT, within_share
from service.access.principal import ANONYMOUS

__all__ = ["ALPHA", "EXEMPT", "niceness", "payer_of", "within_share"]
_UNSLOWED = 2
_STEEPNESS = 1.5
_NICE_STEP = 1.25  # by which a step of niceness divides the weight, sched(7)
_NICEST = 19


def payer_of(principal: str) -> str:
    """Whose share is used for what this principal asks: nobody's where there is no credential, because then
    all callers may be one."""
    return EXEMPT if principal == ANONYMOUS else principal


def niceness(running: int) -> int:
    """That of a job which makes its principal's jobs ``running`` (from 1).

    Two jobs are not slowed. Of more, each weighs so much less that together they weigh less than two. With
    equal weights for principals (a steepness of 1) a crowd still has more than its half: CPUs are balanced
    coarsely among themselves, and a worker that was not yet given to anybody is as heavy as any.
    """
    return _NICENESS[min(running, len(_NICENESS)) - 1]


def _niceness(running: int) -> int:
    return max(0, min(_NICEST, round(_STEEPNESS * math.log(running / _UNSLOWED, _NICE_STEP))))


_NICENESS = tuple(map(_niceness, range(1, 65)))  # the last ones are all the nicest
