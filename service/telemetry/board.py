"""The memory in which all processes of a service count, so that any front can tell of all of them.

One anonymous file (memfd_create(2)) that the supervisor makes and hands to each front, which maps it. Nothing
of it is left when the service has ended, however it ended.

    header    mark of the families, columns
    column    the cells of one process (``service.telemetry.families``)      0: the supervisor; then fronts

A process writes to no column but its own, and holds a record lock (fcntl(2)) on the byte of its number for
as long as it lives; the kernel frees it. Whoever takes a free column counts on from what the dead one has
counted, so nothing goes backwards, and clears its gauges. A store of eight aligned bytes is whole or not
there. The locks go with *any* descriptor of the file that the process closes: a process joins once.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.telemetry.catalog import FAMILIES
from service.telemetry.families import CELLS, Family, Gauge, Histogram

SUPERVISOR: Final = 0
_CELL: Final = 8
_LOOK_AGAIN: Final = 1.0  # seconds
_LINE: Final = 8  # cells of a cache line: two processes never write to the same one
_HEADER: Final = _LINE
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_FLOCK: Final = struct.Struct("hhqqi")  # struct flock of fcntl(2), where long has eight bytes


def _described(family: Family) -> tuple[object, ...]:
    bounds = family.bounds if isinstance(family, Histogram) else ()
    return family.name, bounds, *family.at.items()


_SIZE: Final = sum(family.width * len(family.at) for family in FAMILIES)
_STRIDE: Final = -(-_SIZE // _LINE) * _LINE
_MARK: Final = float(int.from_bytes(hashlib.sha256(repr([*map(_described, FAMILIES)]).encode()).digest()[:6]))


def create_board(fronts: int = 1) -> int:
    """A descriptor of an empty one, sealed at its size; pages that nobody writes take no memory. There are
    columns for the supervisor, and for twice the fronts and two: those that end still hold theirs while
    others replace them."""
    columns = 1 + 2 * fronts + 2
    descriptor = os.memfd_create("lars-figures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, (_HEADER + columns * _STRIDE) * _CELL)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    os.pwrite(descriptor, struct.pack("dd", _MARK, columns), 0)
    return descriptor


@dataclass(frozen=True, slots=True)
class Column:
    """What one process has counted: all cells. ``name``: supervisor, or front-N. ``lives``: False when its
    gauges do not count."""

    name: str
    cells: Sequence[float]
    lives: bool


class Board:
    """This process's view of the memory behind a descriptor, which it owns, with a column of its own. From
    now on it counts there. ValueError when the memory is not of these families, or every column is taken.
    ``supervisor``: it is the one that made it."""

    def __init__(self, descriptor: int, *, supervisor: bool = False) -> None:
        self._descriptor = descriptor
        self._bytes = mmap.mmap(descriptor, 0)
        self._cells = memoryview(self._bytes).cast("d")
        mark, columns = self._cells[0], int(self._cells[1])
        if mark != _MARK:
            raise ValueError(f"descriptor {descriptor} holds no figures of this version; restart the service")
        self._columns = columns
        places = (SUPERVISOR,) if supervisor else range(1, columns)
        self.number = next((number for number in places if self._take(number)), -1)
        if self.number < 0:
            raise ValueError(f"all {columns} columns of the figures are taken")
        own = self._own_part(self.number)
        _clear_gauges(own)
        CELLS.own = own
        self._others: list[int] = []
        self._looked = -_LOOK_AGAIN

    def columns(self) -> Iterator[Column]:
        """Those that were ever used, as they are now."""
        for number in range(self._columns):
            cells = self._own_part(number).tolist()
            lives = self._lives(number)
            if lives or any(cells):
                yield Column("supervisor" if number == SUPERVISOR else f"front-{number}", cells, lives)

    def lowest_of_others(self, gauge: Gauge, where: Gauge) -> float | None:
        """Of this gauge in the other fronts in which ``where`` is not 0, and which live, or did a second ago;
        None where there is none."""
        now = time.monotonic()
        if now > self._looked + _LOOK_AGAIN:
            self._looked = now
            fronts = range(SUPERVISOR + 1, self._columns)
            self._others = [n for n in fronts if n != self.number and self._lives(n)]
        (at,), (chosen,) = gauge.at.values(), where.at.values()
        columns = (_HEADER + number * _STRIDE for number in self._others)
        return min(
            (self._cells[first + at] for first in columns if self._cells[first + chosen]), default=None
        )

    def _own_part(self, number: int) -> memoryview[float]:
        first = _HEADER + number * _STRIDE
        return self._cells[first : first + _SIZE]

    def _take(self, number: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, fcntl(2)
            return False
        return True

    def _lives(self, number: int) -> bool:
        """Only asks: to take the lock in order to see would make a dead one look alive to who else asks."""
        if number == self.number:
            return True
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        kind: int = _FLOCK.unpack(fcntl.fcntl(self._descriptor, fcntl.F_GETLK, asked))[0]
        return kind != fcntl.F_UNLCK


class _Joined:
    board: Board | None = None


_joined: Final = _Joined()


def join(descriptor: int, *, supervisor: bool = False) -> None:
    """Count there from now on, and tell of all. Once in a process. Raises as ``Board`` does."""
    _joined.board = Board(descriptor, supervisor=supervisor)


def columns() -> list[Column]:
    """Of all processes; of this one alone, where it has joined no others."""
    if _joined.board is None:
        return [Column("front-1", list(CELLS.own), True)]
    return list(_joined.board.columns())


def lowest_of_others(gauge: Gauge, where: Gauge) -> float | None:
    """``Board.lowest_of_others``; None for a process that has joined no others."""
    return None if _joined.board is None else _joined.board.lowest_of_others(gauge, where)


def total(family: Family, columns: Sequence[Column]) -> Mapping[tuple[str, ...], list[float]]:
    """The cells of each set of labels, added up over the processes that count."""
    counted = [column.cells for column in columns if column.lives or not isinstance(family, Gauge)]
    return {
        values: [sum(cells[cell] for cells in counted) for cell in range(at, at + family.width)]
        for values, at in family.at.items()
    }


def _clear_gauges(own: memoryview[float]) -> None:
    for family in FAMILIES:
        if isinstance(family, Gauge):
            for at in family.at.values():
                own[at] = 0.0
