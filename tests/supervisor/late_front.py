"""``python late_front.py HOW_MANY SECONDS``: ``lars serve`` whose first so many fronts hang before they say
hello, for which each has so long."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import count

from service import cli
from service.supervisor import front, fronts

_start = front._exec_front
_numbers = count()


def _hanging(descriptors: Sequence[int], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if next(_numbers) >= int(sys.argv[1]):
        return _start(descriptors, environ)
    return subprocess.Popen(["sleep", "600"], pass_fds=descriptors, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    fronts.LAUNCH_SECONDS = float(sys.argv[2])
    front._exec_front = _hanging
    sys.exit(cli.main(["serve", "--port", "0"]))
