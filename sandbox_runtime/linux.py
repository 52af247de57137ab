"""Every raw system call of the sandbox, in one place.

Prototypes are declared. What makes one system call returns a ``Call``: the arguments made ready, errno turned
into an ``OSError`` that names the object. Numbers are those of the generic table that x86-64 and arm64 share,
except where noted.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sandbox_runtime.bpf import write_pid

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
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
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_PTHREAD_ATTR_BYTES = 64  # at least sizeof(pthread_attr_t): 56 on x86-64, 64 on arm64
_LINUX_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.unshare.argtypes = [ctypes.c_int]
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.capset.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
_libc.sethostname.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_libc.pthread_getattr_default_np.argtypes = [ctypes.c_void_p]
_libc.pthread_attr_setstacksize.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.pthread_setattr_default_np.argtypes = [ctypes.c_void_p]


def _syscall(number: int, *argtypes: type[ctypes._SimpleCData[Any]]) -> Callable[..., int]:
    """syscall(2) for calls that the C library does not wrap, with the prototype of one of them."""
    function = _libc["syscall"]  # a function object of its own at each look-up
    function.argtypes = [ctypes.c_long, *argtypes]
    function.restype = ctypes.c_long
    return partial(function, number)


# pivot_root is the one number the two architectures do not share; on others it is ENOSYS.
_pivot_root = _syscall(
    {"x86_64": 155, "aarch64": 41}.get(os.uname().machine, -1), ctypes.c_char_p, ctypes.c_char_p
)
_close_range = _syscall(436, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)
_mount_setattr = _syscall(442, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_size_t)
_landlock_create_ruleset = _syscall(444, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint)
_landlock_add_rule = _syscall(445, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_landlock_restrict_self = _syscall(446, ctypes.c_int, ctypes.c_uint)


class Call:
    """A system call with its arguments made ready, so that a forked child has nothing to compute.

    Calling it returns the call's result; OSError with ``what`` as its file name when that is negative.
    """

    __slots__ = ("_arguments", "_function", "keeps", "what")

    def __init__(self, what: str, function: Callable[..., int], *arguments: object) -> None:
        self.what = what
        self._function = function
        self._arguments = arguments
        self.keeps: object = None  # what the arguments point into

    def __call__(self) -> int:
        result = self._function(*self._arguments)
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), self.what)
        return result


def unshare(flags: int) -> Call:
    """Leave the named namespaces for new ones. unshare(2)."""
    return Call(f"unshare({flags:#x})", _libc.unshare, flags)


def mount(source: str, target: str, fstype: str | None, flags: int, options: str = "") -> Call:
    """mount(2). An empty ``options`` is passed as NULL."""
    return Call(
        f"mount {source} on {target}",
        _libc.mount,
        os.fsencode(source),
        os.fsencode(target),
        fstype.encode() if fstype else None,
        flags,
        options.encode() if options else None,
    )


def set_mount_attributes(target: str, attributes: int) -> Call:
    """Add attributes to a mount and every mount below it. mount_setattr(2), Linux 5.12."""
    attr = struct.pack("QQQQ", attributes, 0, 0, 0)
    what = f"mount_setattr {target}"
    return Call(what, _mount_setattr, _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attr, len(attr))


def unmount_lazily(target: str) -> Call:
    """umount2(2) with MNT_DETACH: gone from the tree now, freed with its last user."""
    return Call(f"umount {target}", _libc.umount2, os.fsencode(target), MNT_DETACH)


def pivot_root(new_root: str, put_old: str) -> Call:
    """pivot_root(2)."""
    return Call(f"pivot_root {new_root}", _pivot_root, os.fsencode(new_root), os.fsencode(put_old))


def set_hostname(name: str) -> Call:
    """sethostname(2), in the caller's UTS namespace."""
    return Call("sethostname", _libc.sethostname, name.encode(), len(name))


def set_parent_death_signal(signal_number: int) -> Call:
    """The signal this process gets when its parent thread dies. PR_SET_PDEATHSIG(2const)."""
    return Call("prctl(PR_SET_PDEATHSIG)", _libc.prctl, _PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def set_no_new_privs() -> Call:
    """No execve may ever add privilege again. PR_SET_NO_NEW_PRIVS(2const)."""
    return Call("prctl(PR_SET_NO_NEW_PRIVS)", _libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def set_dumpable(dumpable: bool) -> Call:
    """Whether others of the same user may trace or read this process. PR_SET_DUMPABLE(2const)."""
    return Call("prctl(PR_SET_DUMPABLE)", _libc.prctl, _PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def drop_capabilities() -> Call:
    """Empty the effective, permitted and inheritable sets. capset(2)."""
    header = struct.pack("Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    return Call("capset", _libc.capset, header, bytes(24))


def set_thread_stack(size: int) -> None:
    """The stack of threads whose creator does not choose, in bytes. pthread_setattr_default_np(3)."""
    attributes = ctypes.create_string_buffer(_PTHREAD_ATTR_BYTES)
    for function, arguments in (
        (_libc.pthread_getattr_default_np, (attributes,)),
        (_libc.pthread_attr_setstacksize, (attributes, size)),
        (_libc.pthread_setattr_default_np, (attributes,)),
    ):
        number = function(*arguments)  # the error itself, not through errno
        if number:
            raise OSError(number, os.strerror(number), f"thread stack of {size} bytes")


def close_from(first: int) -> Call:
    """Close every descriptor from ``first`` up. close_range(2), Linux 5.9."""
    return Call(f"close_range({first})", _close_range, first, 0xFFFFFFFF, 0)


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

    def install(self) -> Call:
        """Install for this thread and what it forks. PR_SET_SECCOMP(2const); needs no_new_privs."""
        address = ctypes.addressof(self._prog)
        call = Call(
            "prctl(PR_SET_SECCOMP)", _libc.prctl, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address, 0, 0
        )
        call.keeps = self
        return call

    def bind(self, pid: int) -> None:
        """Put ``pid`` where the placeholder stood."""
        write_pid(self._buffer, self._offsets, pid)


# Landlock, Documentation/userspace-api/landlock.rst
LANDLOCK_EXECUTE = 1 << 0
_LANDLOCK_WRITE_FILE = 1 << 1
LANDLOCK_READ_FILE = 1 << 2
LANDLOCK_READ_DIR = 1 << 3
_LANDLOCK_REMOVE_FILE = 1 << 5
_LANDLOCK_MAKE_CHAR = 1 << 6
_LANDLOCK_MAKE_REG = 1 << 8
_LANDLOCK_MAKE_BLOCK = 1 << 11
_LANDLOCK_TRUNCATE = 1 << 14
_LANDLOCK_FS_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_LANDLOCK_NET_BOTH = 0b11
_LANDLOCK_SCOPE_BOTH = 0b11
_LANDLOCK_CREATE_RULESET_VERSION = 1
_LANDLOCK_RULE_PATH_BENEATH = 1
_LANDLOCK_RULE_NET_PORT = 2
_LANDLOCK_CONNECT_TCP = 1 << 1


def landlock_abi() -> int:
    """The Landlock ABI of this kernel; 0 when it has none or it is switched off."""
    return max(0, _landlock_create_ruleset(None, 0, _LANDLOCK_CREATE_RULESET_VERSION))


def landlock_file_rights(abi: int) -> int:
    """Every file right that this ABI knows, as a bit set."""
    return (1 << _LANDLOCK_FS_RIGHTS_BY_ABI[min(abi, 5)]) - 1


def landlock_scratch_rights(abi: int) -> int:
    """What a program may do in its own scratch: everything but execute and device nodes."""
    return landlock_file_rights(abi) & ~(LANDLOCK_EXECUTE | _LANDLOCK_MAKE_CHAR | _LANDLOCK_MAKE_BLOCK)


def landlock_session_rights(abi: int) -> int:
    """What a plan may do in its session's directory: what SQLite does with regular files."""
    files = LANDLOCK_READ_FILE | LANDLOCK_READ_DIR | _LANDLOCK_WRITE_FILE | _LANDLOCK_TRUNCATE
    return landlock_file_rights(abi) & (files | _LANDLOCK_MAKE_REG | _LANDLOCK_REMOVE_FILE)


def landlock_device_rights(abi: int) -> int:
    """Read and write, and the truncation that ``open(device, "w")`` asks for."""
    return (LANDLOCK_READ_FILE | _LANDLOCK_WRITE_FILE | _LANDLOCK_TRUNCATE) & landlock_file_rights(abi)


def landlock_ruleset(abi: int) -> Call:
    """Makes a ruleset and returns its descriptor. It handles every file right; TCP from ABI 4; scopes from
    ABI 6."""
    attr = struct.pack(
        "QQQ",
        landlock_file_rights(abi),
        _LANDLOCK_NET_BOTH if abi >= 4 else 0,
        _LANDLOCK_SCOPE_BOTH if abi >= 6 else 0,
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    return Call("landlock_create_ruleset", _landlock_create_ruleset, attr, size, 0)


def landlock_rule(rights: int, descriptor: int) -> bytes:
    """struct landlock_path_beneath_attr: ``rights`` on what the O_PATH descriptor names and, for a directory,
    on everything beneath it."""
    return struct.pack("=Qi", rights, descriptor)


def landlock_restrict_self(ruleset: int, rules: Iterable[bytes], ports: Iterable[int] = ()) -> None:
    """Add the rules and enter a new Landlock domain, which may connect to these TCP ports where the ABI is 4
    or later. Needs no_new_privs."""
    for rule in rules:
        Call("landlock_add_rule", _landlock_add_rule, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)()
    for port in ports:
        rule = struct.pack("=QQ", _LANDLOCK_CONNECT_TCP, port)  # struct landlock_net_port_attr
        Call(f"landlock port {port}", _landlock_add_rule, ruleset, _LANDLOCK_RULE_NET_PORT, rule, 0)()
    Call("landlock_restrict_self", _landlock_restrict_self, ruleset, 0)()


def thread_limit_is_per_user_namespace() -> bool:
    """RLIMIT_NPROC is counted per user namespace from Linux 5.14 on."""
    release = os.uname().release.split(".")
    return (int(release[0]), int(release[1].split("-")[0])) >= (5, 14)


if sys.platform != "linux":  # pragma: no cover
    raise ImportError("the LARS sandbox runs on Linux only")
