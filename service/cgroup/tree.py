"""The group that was given to the service, divided:

    GROUP              its limits are its owner's; no process is in it any more
      ├── main         supervisor, fronts, planner
      └── sandbox      the bounds on all foreign code together
            ├── 1      a zygote and all its workers: a room
            └── 2

A room has no bounds of its own. It is there to be killed as one, and to count what the kernel has killed in
it for want of memory. Why no worker has one: docs/architecture.md.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from itertools import count

import structlog

from service.cgroup.absence import Absent
from service.cgroup.amounts import Bounds
from service.cgroup.group import Group

log = structlog.get_logger(__name__)
MAIN, SANDBOX = "main", "sandbox"
_DYING_SECONDS = 1.0
_MAY_BE_MISSING = frozenset(("memory.swap.max",))  # where there is no swap, nothing has to forbid it


class Room:
    """The group of one zygote. OSError when it cannot be made."""

    def __init__(self, group: Group) -> None:
        self._group = group
        group.make()

    def take_in(self, pid: int) -> None:
        """Move a process into it that has not forked yet. OSError."""
        self._group.enter(pid)

    def open_events(self) -> int | None:
        """A descriptor of what happened to its memory, to be closed; None where nobody counts that."""
        try:
            return os.open(self._group.path / "memory.events", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def kill(self) -> None:
        """SIGKILL to all in it."""
        with contextlib.suppress(OSError):  # the PID namespace ends them too
            self._group.kill()

    def clear(self) -> bool:
        """Kill what is left in it, and remove it. Whether it is gone."""
        self.kill()
        return self._group.remove()


class Tree:
    """A divided group. ``bounds``: what all foreign code together may use."""

    def __init__(self, group: Group, origin: Group, bounds: Bounds) -> None:
        """Divide ``group``; this process, which is in ``origin``, moves into a part of it unless it is in one
        already. Absent when that fails; then all is as it was."""
        self.bounds = bounds
        self._sandbox = group.child(SANDBOX)
        self._numbers = count(1)
        self._full: list[Room] = []
        with contextlib.ExitStack() as undo:
            try:
                self._divide(group, origin, undo)
            except OSError as error:
                raise Absent(f"{group.path} could not be divided: {error}", "see cgroups(7)") from error
            self._undo = undo.pop_all()

    def _divide(self, group: Group, origin: Group, undo: contextlib.ExitStack) -> None:
        _refuse_neighbours(group, origin)
        if origin.parent != group:
            main = group.child(MAIN)
            _make(main, undo)
            main.enter(os.getpid())
            undo.callback(_attempt, "go back", lambda: origin.enter(os.getpid()))
        enabled = list(self.bounds.controllers())
        group.enable(enabled)
        undo.callback(_attempt, "take back the controllers", lambda: group.disable(enabled))
        if "cpu" not in enabled and "cpu" in group.controllers():
            # Only for the weight, which is no bound: cpu cannot be had beside realtime processes.
            with contextlib.suppress(OSError):
                group.enable(("cpu",))
                enabled.append("cpu")
        _make(self._sandbox, undo)
        undo.callback(_attempt, "end what is in the sandbox", self._end_all)
        for controller, files in self.bounds.files().items():
            if controller in enabled:
                _limit(self._sandbox, files)
        if self.bounds.memory is not None:
            self._sandbox.enable(("memory",))

    def room(self) -> Room:
        """A group for one more zygote. OSError."""
        self._full = [room for room in self._full if not room.clear()]
        return Room(self._sandbox.child(str(next(self._numbers))))

    def clear(self, room: Room) -> None:
        """Its zygote is gone: kill what is left in it, and remove it, now or when the next one is made."""
        if not room.clear():
            self._full.append(room)

    def close(self) -> None:
        """End everything in the sandbox and put the group back together."""
        self._undo.close()

    def _end_all(self) -> None:
        self._sandbox.kill()
        self._sandbox.wait_empty()


def _refuse_neighbours(group: Group, origin: Group) -> None:
    """What another service has made here is its own; what one has left that died here is removed. Processes
    of that one are dying with it. FileExistsError."""
    main, sandbox = group.child(MAIN), group.child(SANDBOX)
    strangers = main != origin and not main.wait_empty(_DYING_SECONDS)
    if strangers or origin == sandbox or not sandbox.wait_empty(_DYING_SECONDS):
        lives_in = main if strangers else sandbox
        raise FileExistsError(errno.EEXIST, "somebody lives there", str(lives_in.path))
    sandbox.remove()


def _make(group: Group, undo: contextlib.ExitStack) -> None:
    with contextlib.suppress(FileExistsError):
        group.make()
    undo.callback(_attempt, f"remove {group.path}", lambda: _remove(group))


def _remove(group: Group) -> None:
    if not group.remove():
        raise OSError(errno.EBUSY, "something lives there", str(group.path))


def _limit(group: Group, files: dict[str, str]) -> None:
    """Write each and read it again: a limit that the kernel has taken otherwise is none."""
    for name, text in files.items():
        try:
            group.write(name, text)
        except FileNotFoundError:
            if name not in _MAY_BE_MISSING:
                raise
            continue
        if group.read(name).strip() != text:
            raise OSError(errno.EINVAL, f"is {group.read(name).strip()}, not {text}", str(group.path / name))


def _attempt(what: str, step: Callable[[], object]) -> None:
    """What fails as the group is given back is told, and what comes after it is tried."""
    try:
        step()
    except OSError as error:
        log.warning("cgroup_left", step=what, reason=str(error))
