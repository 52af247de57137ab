"""One cgroup: a directory whose files are read and written. OSError names the file.

Linux, Documentation/admin-guide/cgroup-v2.rst, "Core Interface Files".
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# By which systemd says that a group is for its service to divide; the first can be read by every user.
_MARKS = ("user.delegate", "trusted.delegate")
_DYING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Group:
    """It need not exist."""

    path: Path

    def child(self, name: str) -> Group:
        """The group of this name in it."""
        return Group(self.path / name)

    @property
    def parent(self) -> Group:
        """The group that it is in."""
        return Group(self.path.parent)

    def exists(self) -> bool:
        """Whether there is such a group, and not just a directory."""
        return (self.path / "cgroup.procs").exists()

    def is_root(self) -> bool:
        """Whether it is the machine's: that has no limits, and no events."""
        return not (self.path / "cgroup.events").exists()

    def is_marked(self) -> bool:
        """Whether systemd has handed it over (``Delegate=``)."""
        for mark in _MARKS:
            with contextlib.suppress(OSError):
                if os.getxattr(self.path, mark) == b"1":
                    return True
        return False

    def is_writable(self) -> bool:
        """Whether this user may divide it."""
        files = (self.path / "cgroup.procs", self.path / "cgroup.subtree_control")
        return os.access(self.path, os.W_OK | os.X_OK) and all(os.access(file, os.W_OK) for file in files)

    def read(self, name: str) -> str:
        """The text of one of its files, "" where it has no such file."""
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return ""

    def write(self, name: str, text: str) -> None:
        """Write to one of its files, in one write(2)."""
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{self.path / name} = {text}") from error
        finally:
            os.close(descriptor)

    def processes(self) -> tuple[int, ...]:
        """Who is in it, without its children; 0 for each that this PID namespace does not have."""
        return tuple(int(word) for word in self.read("cgroup.procs").split())

    def children(self) -> list[Group]:
        """The groups in it."""
        return [Group(path) for path in self.path.iterdir() if path.is_dir()]

    def controllers(self) -> frozenset[str]:
        """Those that its children may have."""
        return frozenset(self.read("cgroup.controllers").split())

    def enable(self, controllers: Iterable[str]) -> None:
        """Let its children have these."""
        self._set_controllers("+", controllers)

    def disable(self, controllers: Iterable[str]) -> None:
        """Take them back."""
        self._set_controllers("-", controllers)

    def _set_controllers(self, sign: str, controllers: Iterable[str]) -> None:
        words = " ".join(f"{sign}{controller}" for controller in controllers)
        if words:
            self.write("cgroup.subtree_control", words)

    def make(self) -> None:
        """Make it. FileExistsError."""
        self.path.mkdir()

    def enter(self, pid: int) -> None:
        """Move a process into it, with all its threads."""
        self.write("cgroup.procs", str(pid))

    def kill(self) -> None:
        """SIGKILL to all in it and below, also to those that are forked meanwhile. Nothing before Linux
        5.14, or where there is no such group."""
        with contextlib.suppress(FileNotFoundError):
            self.write("cgroup.kill", "1")

    def populated(self) -> bool:
        """Whether a process lives in it or below."""
        return "populated 1" in self.read("cgroup.events")

    def wait_empty(self, seconds: float = _DYING_SECONDS) -> bool:
        """Wait until nobody lives in it and below. Whether that came true in time."""
        try:
            descriptor = os.open(self.path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            events = select.poll()
            events.register(descriptor, select.POLLPRI)
            while b"populated 1" in os.pread(descriptor, 4096, 0):
                if not events.poll(seconds * 1000):
                    return not self.populated()
        finally:
            os.close(descriptor)
        return True

    def remove(self) -> bool:
        """Remove it and what is below, all empty. Whether it is gone."""
        try:
            for child in self.children():
                child.remove()
            self.path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
