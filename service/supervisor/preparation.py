"""Before new code serves, a child of its own brings the control database to what that code expects."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

from service.supervisor.loop import Loop
from service.supervisor.zygotes import Then

_LONGEST = 60.0  # seconds: it may have to wait for who else is at it


class Preparation:
    """``start`` begins one, whose standard error is ours."""

    def __init__(self, loop: Loop, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._loop = loop
        self._start = start
        self._process: subprocess.Popen[bytes] | None = None
        self._then: Then

    def run(self, then: Then) -> None:
        """Once. ``then`` is told why it failed, or None."""
        try:
            process = self._process = self._start()
        except OSError as error:
            then(str(error))
            return
        self._then = then
        self._loop.after(_LONGEST, lambda: self._end(process))

    def reaped(self, pid: int, status: int) -> bool:
        """A child has been waited for. Whether it was this."""
        process = self._process
        if process is None or process.pid != pid:
            return False
        self._process = None
        process.returncode = code = os.waitstatus_to_exitcode(status)
        self._then(None if code == 0 else f"it ended with exit code {code}; the line above says why")
        return True

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process is self._process:
            process.kill()
