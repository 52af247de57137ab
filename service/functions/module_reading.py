"""Reading a module's file once, whoever has put it there and whatever it may be. Blocks; OSError.

What it is, is looked at before it is opened, and both through one descriptor: opening a FIFO would wait,
opening a device may do something, and a name can mean another file a moment later.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from service.errors import Conflict, NotFound, PayloadTooLarge, UploadRefused
from service.functions.beneath import open_beneath
from service.functions.places import RESULTS, contract_directory, file_of, refusing

_SETTING: Final = "LARS_MAX_CODE_BYTES"


def read_module(root: Path, contract: str, module: str, most: int) -> bytes:
    """Its bytes, at most ``most``; ``contract`` and ``module`` as ``names`` reads them. NotFound;
    PayloadTooLarge; UploadRefused for what is no file of somebody who may put one there; Conflict when it
    changed meanwhile."""
    what = f"{RESULTS}/{contract}/{file_of(module)}"
    with contract_directory(root, contract) as directory:
        return _read(directory, module, what, most)


def _read(directory: int, module: str, what: str, most: int) -> bytes:
    handle = _look(directory, module, what)
    try:
        found = os.fstat(handle)
        _check(found, os.fstat(directory).st_uid, what)
        if found.st_size > most:
            raise PayloadTooLarge("module", most, setting=_SETTING, observed=found.st_size)
        return _content(handle, found, what)
    finally:
        os.close(handle)


def _look(directory: int, module: str, what: str) -> int:
    with refusing(what):
        try:
            return open_beneath(directory, file_of(module), os.O_PATH)
        except FileNotFoundError as error:
            raise NotFound(f"there is no module {what}; upload it first, or check module_name") from error


def _check(found: os.stat_result, owner: int, what: str) -> None:
    """UploadRefused for what somebody may have put there who may not, or may not read what it leads to."""
    if not stat.S_ISREG(found.st_mode):
        raise UploadRefused(f"{what} is no regular file; put a file there", reason="not_a_file")
    if found.st_nlink > 1:
        raise UploadRefused(
            f"{what} is a hard link to a file that has other names; put a copy there", reason="hard_link"
        )
    if found.st_uid not in {os.geteuid(), 0, owner}:
        raise UploadRefused(
            f"{what} belongs to user {found.st_uid}, who is neither the service's nor the directory's owner; "
            "have it uploaded by the service",
            reason="owner",
        )
    if found.st_mode & stat.S_IWOTH:
        raise UploadRefused(f"{what} can be written by anybody; take o+w from its mode", reason="writable")


def _content(handle: int, found: os.stat_result, what: str) -> bytes:
    # Through the descriptor: proc_pid_fd(5). NONBLOCK: a lease of the owner's would hold us up (fcntl(2)).
    try:
        opened = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (PermissionError, BlockingIOError) as error:
        raise UploadRefused(
            f"{what} cannot be read by the service: {error.strerror}; give it a mode such as 0644",
            reason="unreadable",
        ) from error
    with os.fdopen(opened, "rb") as file:
        data = file.read(found.st_size + 1)
        after = os.fstat(opened)
    # That its name is another file's by now is no matter: this one was whole.
    same = (after.st_size, after.st_mtime_ns) == (found.st_size, found.st_mtime_ns)
    if not same or len(data) != found.st_size:
        raise Conflict(f"{what} was changed while it was read; load it again when it is written")
    return data
