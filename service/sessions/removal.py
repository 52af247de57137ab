"""Removing a directory that jailed code has filled, and may still be filling: of any depth and any mode.

Nothing in it is followed or opened but directories, each through a descriptor of its own. Blocks; OSError.
"""

from __future__ import annotations

import os
import secrets
import time

import structlog

log = structlog.get_logger(__name__)
_SECONDS = 5.0
_PAUSE = 0.005


def remove_tree(name: str, beneath: int) -> None:
    """Remove the directory ``name`` of the directory ``beneath``. One in which a worker goes on making and
    removing files, not having heard of its end, is tried again for some seconds, and then left and logged."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            _remove(name, beneath)
            return
        except OSError as error:
            if time.monotonic() > deadline:
                log.error("session_left_over", directory=name, reason=str(error))
                return
            time.sleep(_PAUSE)


def _remove(name: str, beneath: int) -> None:
    top = open_anyhow(name, beneath)
    try:
        _empty(top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=beneath)


def _empty(top: int) -> None:
    """What is there now. Directories within come up to ``top`` first, so that depth costs neither stack nor
    descriptors."""
    while found := _entries(top):
        for name, is_directory in found:
            if not is_directory:
                os.unlink(name, dir_fd=top)
                continue
            inner = open_anyhow(name, top)
            try:
                _raise(inner, top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _raise(inner: int, top: int) -> None:
    for name, is_directory in _entries(inner):
        if not is_directory:
            os.unlink(name, dir_fd=inner)
            continue
        os.close(open_anyhow(name, inner))  # its mode: rename(2) changes the entry ".." in it
        os.rename(name, f"{secrets.token_hex(8)}.up", src_dir_fd=inner, dst_dir_fd=top)


def _entries(directory: int) -> list[tuple[str, bool]]:
    with os.scandir(directory) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]


def open_anyhow(name: str, beneath: int) -> int:
    """A descriptor of the directory, whose mode may have been taken from us."""
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, os.O_PATH | flags, dir_fd=beneath)
    try:
        # Through the descriptor: a name may be a link to elsewhere by now (proc_pid_fd(5)).
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)
