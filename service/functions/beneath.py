"""Opening a path that cannot lead out of a directory, whatever lies in it: openat2(2), Linux 5.6.

A check before the opening could be overtaken; here the kernel refuses while it walks. Where it has not this
call, nothing is opened.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final

# linux/openat2.h: no symbolic link, no link of /proc, nothing above the directory.
_NO_MAGICLINKS: Final = 0x02
_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08
_RESOLVE: Final = _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS
_OPENAT2: Final = 437  # of every architecture but alpha
_HOW: Final = struct.Struct("=QQQ")  # struct open_how: flags, mode, resolve
_NEEDED: Final = "the kernel has not openat2(2), or a filter forbids it; uploads need Linux 5.6"

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc["syscall"]
_syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
_syscall.restype = ctypes.c_long


def open_beneath(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """A descriptor of ``path`` beneath ``directory``, closed on exec. ``mode``: only where ``flags`` make a
    file. OSError that names the path: ELOOP for a link anywhere in it, EXDEV for a way out, ENOSYS where the
    kernel cannot tell."""
    how = _HOW.pack(flags | os.O_CLOEXEC, mode, _RESOLVE)
    opened: int = _syscall(_OPENAT2, directory, os.fsencode(path), how, len(how))
    if opened < 0:
        number = ctypes.get_errno()
        raise OSError(number, _NEEDED if number == errno.ENOSYS else os.strerror(number), path)
    return opened
