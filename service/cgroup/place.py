"""Where this process's cgroup is, a pure function of what /proc says: proc_pid_cgroup(5),
proc_pid_mountinfo(5).

The path that /proc/self/cgroup has is seen from the root of this cgroup namespace, and so is the root of a
mount; neither is a path in the file system. What begins with ``..`` lies outside the namespace.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from service.cgroup.absence import Absent

_OCTAL = re.compile(rb"\\([0-7]{3})")
_DELETED = " (deleted)"
_V1 = "boot with cgroup v2 alone (on the kernel's command line systemd.unified_cgroup_hierarchy=1)"
_ANEW = "mount cgroup2 anew in this cgroup namespace (podman, docker: --cgroupns=private)"


@dataclass(frozen=True, slots=True)
class Place:
    """``directory`` of this process's group, below ``top``, where the hierarchy is mounted. ``first``: it is
    the root of its cgroup namespace. ``elsewhere``: controllers that version 1 has."""

    directory: Path
    top: Path
    first: bool
    read_only: bool
    elsewhere: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Mount:
    root: str
    point: Path
    read_only: bool


def find_place(cgroup: bytes, mountinfo: bytes) -> Place:
    """From the text of /proc/self/cgroup and of /proc/self/mountinfo. Absent when there is no directory."""
    path, elsewhere = _own_path(cgroup)
    if path is None:
        raise Absent("the kernel has no cgroup v2", _V1)
    if path.endswith(_DELETED):
        raise Absent(f"the cgroup of this process has been removed: {path}", "start it in one that exists")
    if path.startswith("/.."):
        raise Absent(f"the cgroup of this process is outside its cgroup namespace: {path}", _ANEW)
    mounts = _mounts(mountinfo)
    if not mounts:
        raise Absent("cgroup v2 is mounted nowhere in sight", "mount it at /sys/fs/cgroup")
    for mount in mounts:
        below = _below(path, mount.root)
        if below is not None:
            return Place(mount.point / below, mount.point, path == "/", mount.read_only, elsewhere)
    raise Absent(f"no mount of cgroup v2 shows the group of this process: {path}", _ANEW)


def _own_path(cgroup: bytes) -> tuple[str | None, frozenset[str]]:
    """The path in the hierarchy of version 2, and the controllers of version 1."""
    path = None
    elsewhere: set[str] = set()
    for line in cgroup.split(b"\n"):
        number, _, rest = line.partition(b":")
        controllers, _, name = rest.partition(b":")
        if number == b"0" and not controllers and name.startswith(b"/"):
            path = os.fsdecode(name)
        elif number.isdigit() and controllers:
            elsewhere |= {word for word in os.fsdecode(controllers).split(",") if "=" not in word}
    return path, frozenset(elsewhere)


def _mounts(mountinfo: bytes) -> list[_Mount]:
    """Those of cgroup2, the last first: it is what a path leads to where one covers another."""
    found = []
    for line in mountinfo.split(b"\n"):
        fields, separator, rest = line.partition(b" - ")
        words = fields.split(b" ")
        if not separator or len(words) < 6 or rest.split(b" ")[0] != b"cgroup2":
            continue
        options = (*words[5].split(b","), *rest.split(b" ")[-1].split(b","))
        found.append(_Mount(_unescape(words[3]), Path(_unescape(words[4])), b"ro" in options))
    return found[::-1]


def _unescape(field: bytes) -> str:
    """Blank, tab, newline and backslash are written in octal."""
    return os.fsdecode(_OCTAL.sub(lambda match: bytes((int(match[1], 8) & 0xFF,)), field))


def _below(path: str, root: str) -> str | None:
    """``path`` seen from ``root``, "." for the same; None when it is not below."""
    if root.startswith("/.."):
        return None
    try:
        return str(PurePosixPath(path).relative_to(root))
    except ValueError:
        return None
