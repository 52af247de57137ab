"""What measures time or memory, has short deadlines, or fills all CPUs: beside other tests it would say
something of them.

scripts/test.sh runs it after the others, which share the machine; ``python -m tests.alone`` tells it which.
"""

from __future__ import annotations

import sys
from typing import Final

ALONE: Final = (
    "tests/functions/hostile/test_at_once.py",
    "tests/functions/hostile/test_control_in_doubt.py",
    "tests/functions/hostile/test_hostile_modules.py",
    "tests/functions/hostile/test_neighbours.py",
    "tests/improvement/test_cycle.py",
    "tests/pool/",
    "tests/rest/test_rest_chaos.py",
    "tests/rest/test_rest_expiry.py",
    "tests/rest/test_rest_processes.py::test_two_thousand_requests_leave_nothing_behind",
    "tests/seccomp/test_seccomp_meaning.py",
    "tests/service/control/test_function_processes.py",
    "tests/service/control/test_processes.py",
    "tests/service/functions/test_contracts.py",
    "tests/supervisor/test_far.py",
    "tests/supervisor/test_kill.py",
    "tests/supervisor/test_leaks.py",
    "tests/supervisor/test_renewal.py",
    "tests/supervisor/test_sharing.py",
    "tests/system/test_bounds_time.py",
    "tests/system/test_ending.py",
    "tests/system/test_soak.py",
)

# Files of long tests, in whatever order these come: begun last, one of them would keep one process busy
# while the others have nothing more to do.
FIRST: Final = (
    "tests/supervisor/",
    "tests/test_venv_script.py",
    "tests/system/test_system_api.py",
    "tests/improvement/test_cycle_restart.py",
    "tests/rest/test_rest_processes.py",
    "tests/access/",
    "tests/planning/test_whole_service.py",
    "tests/deploy/test_deploy.py",
    "tests/test_loadtest.py",
    "tests/test_scripts.py",
    "tests/test_bench.py",
    "tests/functions/test_function_persistence.py",
    "tests/system/",
)

if __name__ == "__main__":
    sys.stdout.write("".join(f"{path}\n" for path in ALONE))
