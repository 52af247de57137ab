"""Where modules lie: ``<uploads>/results/<visible_pixel_hash>/<module>.py``. Blocks; OSError.

Other software may write there too, and what it leaves is not trusted: everything beneath the directory of
uploads is reached by ``open_beneath``, through no link.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from service.errors import NotFound, UploadRefused
from service.functions.beneath import open_beneath

RESULTS: Final = "results"
_LISTING: Final = os.O_RDONLY | os.O_DIRECTORY
_PATIENCE: Final = 5.0  # s
_PAUSE: Final = 0.005
_ROOT_MODE: Final = 0o700
_MODE: Final = 0o755  # who has a descriptor of it, such as a jailed worker of another user, may look


def file_of(module: str) -> str:
    """The name of the module's file."""
    return f"{module}.py"


@contextmanager
def contract_directory(root: Path, contract: str) -> Iterator[int]:
    """A descriptor of the directory of one hash. NotFound; UploadRefused when it is no directory, or behind a
    link."""
    what = f"{RESULTS}/{contract}"
    try:
        with _opened(os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as top, refusing(what):
            found = open_beneath(top, what, _LISTING)
    except FileNotFoundError as error:
        raise NotFound(
            f"nothing has been uploaded for {contract}: there is no directory {what}; "
            f"PUT /uploads/{contract}/MODULE.py makes it"
        ) from error
    with _opened(found) as directory:
        yield directory


@contextmanager
def made_directory(root: Path, contract: str) -> Iterator[int]:
    """The same, made where there is none. Nobody else, on any front, writes to any directory of uploads until
    the block ends: the lock is above what a jailed worker may have a descriptor of."""
    root.mkdir(mode=_ROOT_MODE, parents=True, exist_ok=True)
    with _opened(os.open(root, _LISTING | os.O_CLOEXEC)) as top, refusing(f"{RESULTS}/{contract}"):
        made = _made(top, RESULTS, _ROOT_MODE)
    with _opened(made) as results:
        _lock(results)
        with refusing(f"{RESULTS}/{contract}"):
            inner = _made(results, contract, _MODE)
        with _opened(inner) as directory:
            yield directory


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """UploadRefused where a link, or what is no directory, stands in the way to ``what``."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EXDEV}:
            raise UploadRefused(
                f"{what} is a symbolic link or lies behind one, and no link is followed; "
                "put the file itself there",
                reason="link",
            ) from error
        if error.errno == errno.ENOTDIR:
            raise UploadRefused(
                f"{what} is no directory, or lies behind what is none; have it removed",
                reason="not_a_directory",
            ) from error
        raise


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _made(beneath: int, name: str, mode: int) -> int:
    try:
        os.mkdir(name, mode, dir_fd=beneath)
    except FileExistsError:
        return open_beneath(beneath, name, _LISTING)
    made = open_beneath(beneath, name, _LISTING)
    try:
        os.fchmod(made, mode)  # a umask may have taken from it
        os.fsync(beneath)
    except OSError:
        os.close(made)
        raise
    return made


def _lock(directory: int) -> None:
    """Until the descriptor is closed: flock(2)."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                said = f"another process has had the lock for {_PATIENCE:g} s"
                raise OSError(errno.EWOULDBLOCK, said) from error
            time.sleep(_PAUSE)
