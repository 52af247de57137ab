"""While the first front starts: a child of ``lars serve`` sees to the control database.

What it imports for that is for it alone: the process of ``lars serve`` stays for as long as the service does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from service.control.refusal import ControlRefused


@dataclass(frozen=True, slots=True)
class Prepared:
    """``keys``: whether one was ever made. ``absent``: why there is no database, or None."""

    keys: bool
    absent: str | None


class Preparation:
    """``service.access.prepare_child``, started with it. ``secrets``: a descriptor of the settings that are
    secret (``service.handover``). OSError when it cannot be started. It speaks to files in memory, so that
    nobody has to read before it has ended."""

    def __init__(self, environ: Mapping[str, str], secrets: int) -> None:
        self._out, self._err = (os.memfd_create(name) for name in ("prepared", "refused"))
        try:
            self._process = _exec_child(environ, secrets, self._out, self._err)
        except OSError:
            self._forget()
            raise
        self.pid = self._process.pid

    def reaped(self, status: int) -> Prepared:
        """It has been waited for: what it found. ControlRefused."""
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        said, complaint = (_text(descriptor) for descriptor in (self._out, self._err))
        self._forget()
        if code != 0:
            reason = complaint.decode("utf-8", "replace").strip()
            raise ControlRefused(reason.removeprefix("lars: ") or f"the child ended with exit code {code}")
        try:
            return Prepared(**orjson.loads(said))
        except (TypeError, ValueError) as error:
            raise ControlRefused(
                f"the child that sees to it is of another version than this process; restart it ({error})"
            ) from error

    def close(self) -> None:
        """End it and wait for that: what it had begun is a transaction, or a file that the next one takes."""
        self._process.kill()
        self._process.wait()
        self._forget()

    def _forget(self) -> None:
        os.close(self._out)
        os.close(self._err)


def _exec_child(environ: Mapping[str, str], secrets: int, out: int, err: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "service.access.prepare_child", str(secrets)],
        pass_fds=(secrets,),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env=dict(environ),
        process_group=0,  # Ctrl-C is for the supervisor
    )


def _text(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
