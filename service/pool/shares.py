"""How much of what is scarce one principal may have while others may come: pure decisions.

Places (workers, or places in the queue) are shared by dynamic thresholds (Choudhury and Hahne, "Dynamic
queue length thresholds for shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998):
nobody may hold more than ``ALPHA`` times what is free. One principal alone leaves an eighth of the places
free, two leave a fifteenth, and nobody has to know how many there are. CPU is shared by niceness.
"""

from __future__ import annotations

import math

from service.access.principal import ANONYMOUS

EXEMPT = ""  # a service of one user, and work of the service's own: no share limits it
ALPHA = 7
_UNSLOWED = 2
_STEEPNESS = 1.5
_NICE_STEP = 1.25  # by which a step of niceness divides the weight, sched(7)
_NICEST = 19


def payer_of(principal: str) -> str:
    """Whose share is used for what this principal asks: nobody's where there is no credential, because then
    all callers may be one."""
    return EXEMPT if principal == ANONYMOUS else principal


def within_share(held: int, free: int, places: int) -> bool:
    """Whether who holds ``held`` of ``places`` may have one more, ``free`` being free now. One anybody may
    have; of few places too, nobody has all."""
    return free > 0 and (held == 0 or held < min(ALPHA, places - 1) * free)


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
