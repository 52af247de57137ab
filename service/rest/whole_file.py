"""A small file that other processes read while it is replaced."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def put_whole(path: Path, content: bytes) -> None:
    """Whole or not at all, and nothing else of it on a disk that is full. The directory is made. OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        with suppress(OSError):
            os.unlink(name)
        raise
