"""The file that an import reads: an open descriptor, read by position only."""

from __future__ import annotations

import os
import stat

from sandbox_runtime.session_operations.errors import BadArchive
from sandbox_runtime.store.errors import BadQuery, BadRecord

_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


class Source:
    """A regular file; ``size`` in bytes."""

    def __init__(self, file: int | None) -> None:
        if file is None:
            raise BadQuery("an import reads a file, and none came with it; send one")
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise BadQuery("what came to import is not a regular file; send one")
        self._file = file
        self.size = status.st_size
        start = self.read(0, 8)
        for mark, name in _COMPRESSED.items():
            if start.startswith(mark):
                raise BadRecord(f"what came to import is compressed ({name}); send it as it is")

    def read(self, position: int, count: int) -> bytes:
        """What is there, up to so many bytes; nothing at the end."""
        return os.pread(self._file, count, position)

    def exactly(self, position: int, count: int) -> bytes:
        """BadArchive when the file ends before."""
        read = self.read(position, count)
        if len(read) != count:
            raise BadArchive(
                f"the archive ends at byte {self.size}, in the middle of a member or before its end mark;"
                " send all of it"
            )
        return read
