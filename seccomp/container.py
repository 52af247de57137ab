"""The seccomp profile of a container that LARS runs in.

    python -m seccomp.container > infra/docker-seccomp.json

An engine's own profile refuses what the jail is built with: Docker's leaves the calls of ``JAIL`` to those
who have CAP_SYS_ADMIN or CAP_SYS_CHROOT in the container, although the jail makes them in a user namespace
of its own. This one is made from our filters: what the zygote's and the planner's allow, what builds the
jail, and what the supervisor, the fronts and the engine need beside. So it is shorter than the engines'
(docs/docker.md has the difference), and a call that is added to a filter is in it.

No architecture is named, so the engine takes the machine's own, and calls by another entry (x32, 32-bit) end
the process. An unknown call is ENOSYS, so that a newer C library falls back; what a filter of ours refuses by
name is EPERM.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from seccomp.compiler import load_profile
from seccomp.model import ActionKind

_ENOSYS = 38
_NAMESPACES = 0x7E020000  # CLONE_NEW*, without CLONE_NEWTIME, which clone(2) cannot take
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16

# What an engine's own profile leaves to CAP_SYS_ADMIN and CAP_SYS_CHROOT.
JAIL = ("chroot", "mount", "mount_setattr", "pivot_root", "sethostname", "umount2", "unshare")
BESIDE = {
    "Programs that start others: the supervisor, an engine's exec, a shell.": (
        *("execve", "execveat", "fork", "setpgid", "setsid", "tkill", "vfork"),
    ),
    "Connections: of clients, to databases and language models.": (
        *("accept", "accept4", "bind", "connect", "listen"),
    ),
    "Without no-new-privileges an engine installs the filter before it becomes the container's user.": (
        *("setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid"),
        "setuid",
    ),
}
# Which of their arguments the filters of the jail allow is the jail's own matter.
_LIMITED_HERE = frozenset({"clone", "personality", "socket"})
# clone3's flags lie in memory, where no filter sees them.
_ABSENT = ("clone3", "fchmodat2")


def allowed_names() -> frozenset[str]:
    """Every call that this profile allows, some of them only with certain arguments."""
    beside = {name for names in BESIDE.values() for name in names}
    return frozenset(_filters(ActionKind.ALLOW) | beside | {*JAIL, *_LIMITED_HERE})


def container_profile(without: Iterable[str] = ()) -> dict[str, Any]:
    """The profile as an engine reads it. ``without`` refuses calls of it, for controls that show what each is
    needed for."""
    left_out = frozenset(without)
    allowed = allowed_names() - left_out
    entries = [*_allowing(allowed), *_limited(allowed)]
    refused = (_filters(ActionKind.ERRNO) | left_out) - allowed - {*_ABSENT}
    entries.append(_entry("What is known and refused.", refused, "SCMP_ACT_ERRNO", errnoRet=1))
    comment = "Told apart by the C library, which falls back; Docker before 23 knows no defaultErrnoRet."
    entries.append(_entry(comment, _ABSENT, "SCMP_ACT_ERRNO", errnoRet=_ENOSYS))
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ENOSYS,
        "syscalls": [entry for entry in entries if entry["names"]],
    }


def _allowing(allowed: frozenset[str]) -> Iterator[dict[str, Any]]:
    """One entry for each reason; a call is in the first that has it."""
    groups = {
        "The jail: each in a user namespace of its own, where it reaches nothing of the container's.": JAIL,
        **BESIDE,
        "What the filters of the zygote and of the planner allow (seccomp/*.json).": allowed,
    }
    given: set[str] = set(_LIMITED_HERE)
    for comment, names in groups.items():
        yield _entry(comment, (allowed & frozenset(names)) - given, "SCMP_ACT_ALLOW")
        given |= set(names)


def _limited(allowed: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Calls of which only some arguments are allowed."""
    if "clone" in allowed:
        argument = {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": _NAMESPACES, "valueTwo": 0}
        yield _entry(
            "Processes and threads without new namespaces: those are unshare's.",
            ("clone",),
            "SCMP_ACT_ALLOW",
            args=[argument],
        )
    if "personality" in allowed:
        argument = {"index": 0, "op": "SCMP_CMP_EQ", "value": 0xFFFFFFFF}
        yield _entry("The query.", ("personality",), "SCMP_ACT_ALLOW", args=[argument])
    if "socket" in allowed:
        for family in (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK):
            argument = {"index": 0, "op": "SCMP_CMP_EQ", "value": family}
            comment = "AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (glibc's resolver): one entry each."
            yield _entry(comment, ("socket",), "SCMP_ACT_ALLOW", args=[argument])


def _entry(comment: str, names: Iterable[str], action: str, **more: Any) -> dict[str, Any]:
    return {"comment": comment, "names": sorted(names), "action": action, **more}


def _filters(kind: ActionKind) -> set[str]:
    """The calls for which a filter of ours has this action."""
    profiles = (load_profile(name) for name in ("zygote", "planner"))
    return {rule.syscall for profile in profiles for rule in profile.rules if rule.action.kind is kind}


def render() -> str:
    """The file."""
    return json.dumps(container_profile(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
