"""How much of what is scarce one may have while others may come: a pure decision.

Dynamic thresholds (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
IEEE/ACM Transactions on Networking 6(2), 1998): nobody may hold more than ``ALPHA`` times what is free. One
alone leaves an eighth of the places free, two leave a fifteenth, and nobody has to know how many there are.
"""

from __future__ import annotations

from typing import Final

EXEMPT: Final = ""  # a service of one user, and work of the service's own: no share limits it
ALPHA: Final = 7


def within_share(held: int, free: int, places: int) -> bool:
    """Whether who holds ``held`` of ``places`` may have one more, ``free`` being free now. One anybody may
    have; of few places too, nobody has all."""
    return free > 0 and (held == 0 or held < min(ALPHA, places - 1) * free)
