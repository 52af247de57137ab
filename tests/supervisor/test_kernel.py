"""What the trusted side asks of the kernel for itself, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.supervisor.serving import ROOT

_RAISED = """
import resource
from service.supervisor.kernel import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
raise_open_files()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_open_files_are_raised_to_the_hard_limit() -> None:
    command = [sys.executable, "-c", _RAISED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "(200, 200)\n"
