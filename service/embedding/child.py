"""One supervisor process, as its host has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys

from service.embedding.plan import Plan

# What of the host's environment Python needs to start; the rest is the host's own.
_KEPT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "TZ")


class Child:
    """Started with it. Only where an event loop runs, in the thread that will last as long as that loop: the
    kernel ends the child with the thread that made it (PR_SET_PDEATHSIG). OSError.

    Nothing here waits for SIGCHLD or for children that are not known, which are the host's: a pidfd tells."""

    def __init__(self, plan: Plan) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._process = _exec(theirs.fileno())
            self.pid = self._process.pid
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            self.control.close()
            raise
        self._status: int | None = None
        self._gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)
        with contextlib.suppress(OSError):  # it died at once: its end of file says so
            self.control.send(plan.as_json())

    async def ended(self, patience: float) -> int:
        """Wait for it, and after so many seconds kill it; its exit status, 0 where the host has taken that.
        Then nothing is left of it, and ``control`` is closed."""
        try:
            async with asyncio.timeout(patience):
                await self._gone.wait()
        except TimeoutError:
            self._kill()
            await self._gone.wait()
        self.control.close()  # not before: its last word may be unread
        return self._status or 0

    def dismiss(self) -> None:
        """Let it end, whoever else has a copy of our end, such as a process that the host has forked."""
        with contextlib.suppress(OSError):  # it has closed its own
            self.control.shutdown(socket.SHUT_RDWR)

    def _kill(self) -> None:
        """Its zygotes go with it."""
        if self._status is None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._status = self._process.wait()
        self._gone.set()


def _exec(control: int) -> subprocess.Popen[bytes]:
    """It finds its modules where the host does, and looks for none in a directory it happens to be in."""
    environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "service.embedding.supervisor", str(control)],
        pass_fds=(control,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environ,
        process_group=0,  # Ctrl-C is for the host, which closes this when it has served what it has
    )
