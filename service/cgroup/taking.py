"""Taking the group that this host gives, as the settings say."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sandbox_runtime.layers import Layer, LayerState
from service.cgroup.absence import Absent
from service.cgroup.amounts import Bounds, Wanted, bounds, what_there_is
from service.cgroup.choice import check, look_at, look_at_named
from service.cgroup.group import Group
from service.cgroup.place import Place, find_place
from service.cgroup.quarters import Quarters
from service.cgroup.tree import Tree
from service.settings import Settings, available_cpus

_PROC = Path("/proc")
_USUAL_PIDS = 32_768  # where /proc/sys cannot be seen
_FILES = ("memory.max", "pids.max", "cpu.max")


@contextlib.contextmanager
def quarters(settings: Settings) -> Iterator[Quarters]:
    """Those that this host gives, as the settings say, while the block runs. This process may be moved into
    a group beside them, so enter it before there is a second one."""
    try:
        tree = _take(settings)
    except Absent as absent:
        found = Quarters(absent.state)
    else:
        found = Quarters(LayerState(Layer.CGROUP_LIMITS, True), tree)
    try:
        yield found
    finally:
        if found.tree is not None:
            found.tree.close()


def _take(settings: Settings) -> Tree:
    if settings.cgroup == "off":
        raise Absent("LARS_CGROUP=off", "set LARS_CGROUP=auto")
    wanted = Wanted(settings.cgroup_memory, settings.cgroup_pids, settings.cgroup_cpu)
    if wanted == Wanted(None, None, None):
        raise Absent("LARS_CGROUP_MEMORY, LARS_CGROUP_PIDS and LARS_CGROUP_CPU are none", "set one of them")
    try:
        place = find_place((_PROC / "self/cgroup").read_bytes(), (_PROC / "self/mountinfo").read_bytes())
        if isinstance(settings.cgroup, Path):
            found = look_at_named(Group(settings.cgroup.resolve()), place.elsewhere)
        else:
            found = look_at(place)
        there = what_there_is(_machine(), [_files(group) for group in _upwards(found.group, place)])
        bound = bounds(wanted, there)
        check(found, bound.controllers())
    except OSError as error:
        raise Absent(f"the cgroup of this process cannot be looked at: {error}", "mount /proc") from error
    return Tree(found.group, Group(place.directory), bound)


def _upwards(group: Group, place: Place) -> list[Group]:
    """It, and those above it that can be seen."""
    return [Group(path) for path in (group.path, *group.path.parents) if path.is_relative_to(place.top)]


def _files(group: Group) -> dict[str, str]:
    return {name: group.read(name) for name in _FILES}


def _machine() -> Bounds:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pids = min(_number("pid_max"), _number("threads-max"))
    return Bounds(memory, pids, float(available_cpus()))


def _number(name: str) -> int:
    try:
        return int((_PROC / "sys/kernel" / name).read_text())
    except OSError:
        return _USUAL_PIDS
