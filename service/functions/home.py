"""The directory that a contract's worker has for its root: ``<uploads>/results/<hash>``, read-only to it.

Blocks; OSError.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sandbox_runtime.domain import Contract

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READABLE = 0o755  # a worker becomes nobody where the service runs as root
_EMPTY = "empty"


def open_home(uploads: Path, spare: Path, contract: Contract) -> int:
    """A descriptor of the contract's directory; no link is followed beneath ``uploads``. A function outlives
    what was uploaded, so where there is no directory it is an empty one in ``spare``."""
    try:
        return _open_beneath(uploads, ("results", contract.visible_pixel_hash))
    except (FileNotFoundError, NotADirectoryError):
        return open_empty(spare)


def open_empty(spare: Path) -> int:
    """A descriptor of a directory in which nothing is."""
    (spare / _EMPTY).mkdir(mode=_READABLE, parents=True, exist_ok=True)
    return _open_beneath(spare, (_EMPTY,))


def _open_beneath(root: Path, names: Sequence[str]) -> int:
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in names:
        above = current
        try:
            current = os.open(name, _FLAGS, dir_fd=above)
        finally:
            os.close(above)
    return current
