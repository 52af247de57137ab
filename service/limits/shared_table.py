"""Counters in memory that all fronts of a node share, so that it does not matter which one a connection
reaches.

The supervisor makes one anonymous file (memfd_create(2)) and hands it to each front, which maps it. It
holds words of eight bytes in the machine's order:

    header   magic, slots, rows, columns, columns ever used, -, and 16 bytes that no caller knows
    slots    {digest, until, previous, current}     one for each sliding window of each key
    rows     {digest, runs of column 0, 1, ...}     one for each key that has had runs at once

A digest is the keyed BLAKE2b of a counter's name, and where the counter is looked for first. The word 0 is
no digest. Both tables are open-addressed with linear probing over a bounded distance, and a place is never
emptied again, only taken over, so that a search may end at the first empty one.

Locks are record locks of fcntl(2) on bytes that need not exist. Byte ``stripe`` guards the counters of the
keys of that stripe, all stripes together guard who has which place, and byte STRIPES + n is held by the
front whose column is n for as long as it lives. The kernel frees what a dead process held. They exclude
processes, not threads: use a table on one thread. They go with *any* descriptor of the file that the
process closes: a process opens a table once.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.errors import LimitsUnavailable

STRIPES = 1024
WORD = 8
SLOT_WORDS = 4
_MAGIC = int.from_bytes(b"LARSlim1", "big")
_HEADER_WORDS = 8
USED_COLUMNS = 4  # the word of the header that says how many ever were
_KEY_BYTES = 16
_PROBES = 128
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True)
class Region:
    """One of the two tables: ``count`` places of ``stride`` words from word ``base``."""

    base: int
    stride: int
    count: int


def create_shared(fronts: int = 1, *, slots: int = 1 << 16, rows: int = 1 << 12) -> int:
    """A descriptor of an empty table, sealed at its size; pages that nobody writes take no memory.

    There are columns for twice the fronts and two: those that end still hold theirs while others replace
    them."""
    columns = 2 * fronts + 2
    words = _HEADER_WORDS + SLOT_WORDS * slots + (1 + columns) * rows
    descriptor = os.memfd_create("lars-limits", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, words * WORD)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    header = memoryview(bytearray(_HEADER_WORDS * WORD)).cast("Q")
    header[0], header[1], header[2], header[3] = _MAGIC, slots, rows, columns
    os.pwrite(descriptor, header.tobytes()[:-_KEY_BYTES] + secrets.token_bytes(_KEY_BYTES), 0)
    return descriptor


class SharedTable:
    """This process's view of the table behind a descriptor, which it owns."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_open = True
        self.bytes = mmap.mmap(descriptor, 0)
        self.words = memoryview(self.bytes).cast("Q")
        magic, slots, rows, self.columns = self.words[:4].tolist()
        if magic != _MAGIC:
            raise ValueError(f"descriptor {descriptor} holds no table of limits; give one of create_shared()")
        self.slots = Region(_HEADER_WORDS, SLOT_WORDS, slots)
        self.rows = Region(_HEADER_WORDS + SLOT_WORDS * slots, 1 + self.columns, rows)
        self._key = self.bytes[_HEADER_WORDS * WORD - _KEY_BYTES : _HEADER_WORDS * WORD]

    def digest(self, name: str) -> int:
        """The digest of a counter's name, not 0."""
        raw = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=WORD, key=self._key).digest()
        return int.from_bytes(raw, "big") or 1

    def stripe(self, name: str) -> int:
        """The byte that guards the counters of the key ``name``."""
        return self.digest(name) % STRIPES

    @contextmanager
    def locked(self, first: int, count: int = 1) -> Iterator[None]:
        """Hold these bytes; wait for whoever has them."""
        fcntl.lockf(self.descriptor, fcntl.LOCK_EX, count, first)
        try:
            yield
        finally:
            self.unlock(first, count)

    def try_lock(self, byte: int) -> bool:
        """Take this byte unless another process has it."""
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, fcntl(2)
            return False
        return True

    def unlock(self, byte: int, count: int = 1) -> None:
        """Give these bytes back."""
        fcntl.lockf(self.descriptor, fcntl.LOCK_UN, count, byte)

    def take(self, region: Region, digest: int, reusable: Callable[[int], bool]) -> tuple[int, bool]:
        """The word where the place of ``digest`` begins, and whether it was another's until now: then what
        is in it is for the caller to clear. Only under the lock of all stripes. ``reusable`` says of the
        word where a place begins whether nothing in it counts any more. LimitsUnavailable when there is no
        place."""
        worn: int | None = None
        for word in self._probed(region, digest):
            found = self.words[word]
            if found == digest:
                return word, False
            if not found:
                return word, True
            if worn is None and reusable(word):
                worn = word
        if worn is None:
            raise LimitsUnavailable(
                f"the table of limits has no place for another key: of its {region.count} places all that "
                "it may take are in use"
            )
        return worn, True

    def close(self) -> None:
        """Unmap it; every lock of this process goes."""
        self.is_open = False
        self.words.release()
        self.bytes.close()
        os.close(self.descriptor)

    def _probed(self, region: Region, digest: int) -> Iterator[int]:
        first = digest // STRIPES  # the low bits are the same for the keys of a stripe
        for step in range(min(_PROBES, region.count)):
            yield region.base + (first + step) % region.count * region.stride
