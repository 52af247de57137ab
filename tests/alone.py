"""What measures time or memory, or fills all CPUs: beside other tests it would say something of them.

scripts/test.sh runs it after the others, which share the machine; ``python -m tests.alone`` tells it which.
"""

from __future__ import annotations

import sys
from typing import Final

ALONE: Final = (
    "tests/functions/hostile/test_at_once.py",
    "tests/functions/hostile/test_control_in_doubt.py",
    "tests/functions/hostile/test_neighbours.py",
    "tests/pool/",
    "tests/rest/test_rest_chaos.py",
    "tests/rest/test_rest_expiry.py",
    "tests/seccomp/test_seccomp_meaning.py",
    "tests/supervisor/test_kill.py",
    "tests/supervisor/test_leaks.py",
    "tests/system/test_bounds_time.py",
)

if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in ALONE))
