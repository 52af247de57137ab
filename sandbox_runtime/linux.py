"""Every raw system call of the sandbox, in one place.

Each function declares its prototype, turns errno into an ``OSError`` that names the object, and does
nothing else. Numbers are those of the generic table that x86-64 and arm64 share, except where noted.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

from sandbox_runtime.bpf import write_pid

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2
MOUNT_ATTR_NODEV = 4
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_LINUX_CAPABILITY_VERSION_3 = 0x20080522

# pivot_root is the one number the two architectures do not share.
_NR_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_NR_MOUNT_SETATTR = 442
_NR_LANDLOCK_CREATE_RULESET = 444
_NR_LANDLOCK_ADD_RULE = 445
_NR_LANDLOCK_RESTRICT_SELF = 446
_NR_CLOSE_RANGE = 436

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.unshare.argtypes = [ctypes.c_int]
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.capset.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
_libc.sethostname.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    """syscall(2) with every argument at full register width; bytes go as a pointer."""
    wide = (ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments)
    return int(_libc.syscall(ctypes.c_long(number), *wide))


def _number(table: dict[str, int], name: str) -> int:
    machine = os.uname().machine
    if machine not in table:
        raise OSError(38, f"{name} is not known on {machine}", name)
    return table[machine]


def unshare(flags: int) -> None:
    """Leave the named namespaces for new ones. unshare(2)."""
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def mount(source: str, target: str, fstype: str | None, flags: int, options: str = "") -> None:
    """mount(2). An empty ``options`` is passed as NULL."""
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            fstype.encode() if fstype else None,
            flags,
            options.encode() if options else None,
        ),
        f"mount {source} on {target}",
    )


def set_mount_attributes(target: str, attributes: int) -> None:
    """Add attributes to a mount and every mount below it. mount_setattr(2), Linux 5.12."""
    attr = struct.pack("QQQQ", attributes, 0, 0, 0)
    result = _syscall(_NR_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attr, len(attr))
    _check(result, f"mount_setattr {target}")


def unmount_lazily(target: str) -> None:
    """umount2(2) with MNT_DETACH: gone from the tree now, freed with its last user."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    number = _number(_NR_PIVOT_ROOT, "pivot_root")
    _check(_syscall(number, os.fsencode(new_root), os.fsencode(put_old)), f"pivot_root {new_root}")


def set_hostname(name: str) -> None:
    """sethostname(2), in the caller's UTS namespace."""
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def _prctl(option: int, value: int, what: str) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), what)


def set_parent_death_signal(signal_number: int) -> None:
    """The signal this process gets when its parent thread dies. PR_SET_PDEATHSIG(2const)."""
    _prctl(_PR_SET_PDEATHSIG, signal_number, "prctl(PR_SET_PDEATHSIG)")


def set_child_subreaper() -> None:
    """Orphaned descendants become children of this process. PR_SET_CHILD_SUBREAPER(2const)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, "prctl(PR_SET_CHILD_SUBREAPER)")


def set_no_new_privs() -> None:
    """No execve may ever add privilege again. PR_SET_NO_NEW_PRIVS(2const)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "prctl(PR_SET_NO_NEW_PRIVS)")


def set_dumpable(dumpable: bool) -> None:
    """Whether others of the same user may trace or read this process. PR_SET_DUMPABLE(2const)."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable), "prctl(PR_SET_DUMPABLE)")


_NO_CAPABILITIES = bytes(24)
_CAPSET_HEADER = struct.pack("Ii", _LINUX_CAPABILITY_VERSION_3, 0)


def drop_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets. capset(2)."""
    _check(_libc.capset(_CAPSET_HEADER, _NO_CAPABILITIES), "capset")


def close_from(first: int) -> None:
    """Close every descriptor from ``first`` up. close_range(2), Linux 5.9."""
    _check(_syscall(_NR_CLOSE_RANGE, first, 0xFFFFFFFF, 0), f"close_range({first})")


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class SeccompFilter:
    """BPF bytes (struct sock_filter[]) ready to install. The buffer lives as long as the object."""

    def __init__(self, program: bytes, pid_offsets: tuple[int, ...] = ()) -> None:
        if not program or len(program) % 8:
            raise ValueError(f"seccomp program of {len(program)} bytes: expected a multiple of 8, not 0")
        self._offsets = pid_offsets
        self._buffer = ctypes.create_string_buffer(program, len(program))
        self._prog = _SockFprog(len(program) // 8, ctypes.cast(self._buffer, ctypes.c_void_p))
        self._address = ctypes.addressof(self._prog)

    def install(self) -> None:
        """Install for this thread and what it forks. PR_SET_SECCOMP(2const); needs no_new_privs."""
        result = _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, self._address, 0, 0)
        _check(result, "prctl(PR_SET_SECCOMP)")

    def install_for(self, pid: int) -> None:
        """Put ``pid`` where the placeholder stood, then install."""
        write_pid(self._buffer, self._offsets, pid)
        self.install()


# Landlock, Documentation/userspace-api/landlock.rst
LANDLOCK_EXECUTE = 1 << 0
_LANDLOCK_WRITE_FILE = 1 << 1
LANDLOCK_READ_FILE = 1 << 2
LANDLOCK_READ_DIR = 1 << 3
_LANDLOCK_MAKE_CHAR = 1 << 6
_LANDLOCK_MAKE_BLOCK = 1 << 11
_LANDLOCK_TRUNCATE = 1 << 14
_LANDLOCK_FS_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_LANDLOCK_NET_BOTH = 0b11
_LANDLOCK_SCOPE_BOTH = 0b11
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1


def landlock_abi() -> int:
    """The Landlock ABI of this kernel; 0 when it has none or it is switched off."""
    result = _syscall(_NR_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    return max(0, result)


def landlock_file_rights(abi: int) -> int:
    """Every file right that this ABI knows, as a bit set."""
    return (1 << _LANDLOCK_FS_RIGHTS_BY_ABI[min(abi, 5)]) - 1


def landlock_scratch_rights(abi: int) -> int:
    """What a program may do in its own scratch: everything but execute and device nodes."""
    return landlock_file_rights(abi) & ~(LANDLOCK_EXECUTE | _LANDLOCK_MAKE_CHAR | _LANDLOCK_MAKE_BLOCK)


def landlock_device_rights(abi: int) -> int:
    """Read and write, and the truncation that ``open(device, "w")`` asks for."""
    return (LANDLOCK_READ_FILE | _LANDLOCK_WRITE_FILE | _LANDLOCK_TRUNCATE) & landlock_file_rights(abi)


def landlock_ruleset(abi: int) -> int:
    """A new ruleset's descriptor. It handles every file right; TCP from ABI 4; scopes from ABI 6."""
    attr = struct.pack(
        "QQQ",
        landlock_file_rights(abi),
        _LANDLOCK_NET_BOTH if abi >= 4 else 0,
        _LANDLOCK_SCOPE_BOTH if abi >= 6 else 0,
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    return _check(_syscall(_NR_LANDLOCK_CREATE_RULESET, attr, size, 0), "landlock_create_ruleset")


def landlock_allow(ruleset: int, descriptor: int, rights: int) -> None:
    """Allow ``rights`` on what the O_PATH descriptor names and, for a directory, on everything beneath it."""
    attr = struct.pack("=Qi", rights, descriptor)
    result = _syscall(_NR_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, attr, 0)
    _check(result, f"landlock_add_rule on descriptor {descriptor}")


def landlock_restrict_self(ruleset: int) -> None:
    """Enter a new Landlock domain. Needs no_new_privs."""
    _check(_syscall(_NR_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")


def thread_limit_is_per_user_namespace() -> bool:
    """RLIMIT_NPROC is counted per user namespace from Linux 5.14 on."""
    release = os.uname().release.split(".")
    return (int(release[0]), int(release[1].split("-")[0])) >= (5, 14)


if sys.platform != "linux":  # pragma: no cover
    raise ImportError("the LARS sandbox runs on Linux only")
