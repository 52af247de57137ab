"""Which group may be divided, and why not: decided from what was found of it. Nothing is changed here.

Unless an operator names one, it is a group that was handed over to this service and in which nobody else is.
systemd marks those that it hands over (``Delegate=``), and the root of a cgroup namespace is for who is
inside (cgroup_namespaces(7)). Where systemd has put the service into a subgroup of its own
(``DelegateSubgroup=``), it is the group above: not where somebody lives in another part of that, for then it
is a manager's (systemd --user, a container engine's).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

from service.cgroup.absence import Absent
from service.cgroup.group import Group
from service.cgroup.place import Place

_DELEGATE = (
    "run it from a unit with Delegate=yes (by hand: systemd-run -p Delegate=yes), or name a group of its own "
    "in LARS_CGROUP"
)
_V1 = "boot with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1)"


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to know of a group that might be divided. ``others``: processes in it that are not this
    one, and 0 for each group in it that is somebody else's. ``handed_over``: by systemd, as the root of a
    namespace, or by name."""

    group: Group
    exists: bool
    is_root: bool
    read_only: bool
    writable: bool
    handed_over: bool
    others: tuple[int, ...]
    controllers: frozenset[str]
    elsewhere: frozenset[str] = frozenset()


def look_at(place: Place) -> Findings:
    """The group of this process, or the one above where that is what was handed over."""
    own = Group(place.directory)
    group = own
    if not own.is_marked() and not place.first and own.parent.is_marked():
        group = own.parent
    handed_over = group.is_marked() or (place.first and not own.is_root())
    found = _found(group, handed_over, place.read_only, place.elsewhere)
    neighbours = [child for child in group.children() if child != own and child.populated()]
    return replace(found, others=(*found.others, *(0 for _ in neighbours)))


def look_at_named(group: Group, elsewhere: frozenset[str]) -> Findings:
    """The group that an operator has named."""
    return _found(group, True, False, elsewhere)


def _found(group: Group, handed_over: bool, read_only: bool, elsewhere: frozenset[str]) -> Findings:
    return Findings(
        group=group,
        exists=group.exists(),
        is_root=group.is_root(),
        read_only=read_only or (group.exists() and bool(os.statvfs(group.path).f_flag & os.ST_RDONLY)),
        writable=group.is_writable(),
        handed_over=handed_over,
        others=tuple(pid for pid in group.processes() if pid != os.getpid()),
        controllers=group.controllers(),
        elsewhere=elsewhere,
    )


def check(found: Findings, needed: Iterable[str]) -> None:
    """Whether it may be divided, and children of it have the controllers ``needed``. Absent."""
    path = found.group.path
    missing = [controller for controller in needed if controller not in found.controllers]
    if not found.exists:
        raise Absent(f"{path} is no cgroup v2", "name one that exists in LARS_CGROUP, or auto, or off")
    if missing:
        raise Absent(*_no_controller(found, missing))
    if found.is_root:
        raise Absent(f"{path} is the machine's own cgroup, which bounds nothing", _DELEGATE)
    if found.read_only:
        raise Absent(
            f"{path} is mounted read-only",
            "in a unit ProtectControlGroups=no; in a container --cgroupns=private and a writable "
            "/sys/fs/cgroup (podman run --security-opt unmask=/sys/fs/cgroup)",
        )
    if not found.handed_over:
        raise Absent(f"the cgroup {path} is not delegated to the service", _DELEGATE)
    if not found.writable:
        raise Absent(f"{path} cannot be written by user {os.geteuid()}", "delegate it to that user")
    if found.others:
        raise Absent(
            f"{path} is shared with {len(found.others)} other processes or groups",
            "start the service first in it (a unit of its own; in a container as its first process, by exec)",
        )


def _no_controller(found: Findings, missing: list[str]) -> tuple[str, str]:
    words = ", ".join(missing)
    if found.elsewhere & set(missing):
        return f"this machine has the controllers {words} in cgroup v1", _V1
    return (
        f"{found.group.path} has no controller {words}",
        f"delegate it (in a unit Delegate=yes), or do without: {_settings(missing)}=none",
    )


def _settings(controllers: list[str]) -> str:
    names = {"memory": "LARS_CGROUP_MEMORY", "pids": "LARS_CGROUP_PIDS", "cpu": "LARS_CGROUP_CPU"}
    return "=none ".join(names[controller] for controller in controllers)
