"""Putting a module's file in its place: whole and on the disk, or not at all. Blocks; OSError.

There is one writer at a time (``made_directory``), so what it finds half written is somebody's who died.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.errors import PayloadTooLarge, UploadRefused
from service.functions.beneath import open_beneath
from service.functions.places import RESULTS, file_of, made_directory, refusing

MAX_MODULES: Final = 1000
_MODE: Final = 0o644
_UNFINISHED: Final = ".upload"


@dataclass(frozen=True, slots=True)
class Bounds:
    """In bytes: of one module, and of all of one hash."""

    module: int
    together: int


def write_module(root: Path, contract: str, module: str, data: bytes, bounds: Bounds) -> bool:
    """Whether it is a new one. ``contract`` and ``module`` as ``names`` reads them. PayloadTooLarge;
    UploadRefused."""
    if len(data) > bounds.module:
        raise PayloadTooLarge("module", bounds.module, setting="LARS_MAX_CODE_BYTES", observed=len(data))
    with made_directory(root, contract) as directory:
        sizes = _sizes(directory)
        is_new = sizes.pop(file_of(module), None) is None
        if len(data) + sum(sizes.values()) > bounds.together:
            raise PayloadTooLarge(f"modules of {contract}", bounds.together, setting="LARS_UPLOADS_QUOTA")
        if is_new and len(sizes) >= MAX_MODULES:
            raise UploadRefused(
                f"{contract} has {len(sizes)} modules, and the limit is {MAX_MODULES}; replace one of them",
                reason="count",
            )
        _put(directory, module, data, f"{RESULTS}/{contract}/{file_of(module)}")
        return is_new


def _put(directory: int, module: str, data: bytes, what: str) -> None:
    name = f".{module}.{secrets.token_hex(8)}{_UNFINISHED}"
    made = open_beneath(directory, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(made, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(made, _MODE)
            os.fsync(made)
        _rename(directory, name, file_of(module), what)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        raise
    os.fsync(directory)


def _rename(directory: int, name: str, target: str, what: str) -> None:
    # A link or FIFO of this name is replaced, and not followed: rename(2).
    try:
        with refusing(what):
            os.rename(name, target, src_dir_fd=directory, dst_dir_fd=directory)
    except IsADirectoryError as error:
        raise UploadRefused(f"{what} is a directory; have it removed", reason="not_a_file") from error


def _sizes(directory: int) -> dict[str, int]:
    """Of the modules there, in bytes. What was left half written is removed."""
    sizes: dict[str, int] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(_UNFINISHED):
                with contextlib.suppress(OSError):  # it may be anything of another's
                    os.unlink(entry.name, dir_fd=directory)
            elif entry.name.endswith(".py"):
                found = entry.stat(follow_symlinks=False)
                sizes[entry.name] = found.st_size if stat.S_ISREG(found.st_mode) else 0
    return sizes
