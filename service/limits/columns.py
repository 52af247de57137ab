"""Runs at once, over all fronts: each front counts its own in a column that dies with it.

A front writes to no column but its own, so giving a place back needs no lock; taking one needs the
stripe's, under which all columns of the key are added up.
"""

from __future__ import annotations

from service.errors import LimitsUnavailable
from service.limits.shared_table import STRIPES, USED_COLUMNS, SharedTable


class Columns:
    """The column of this process, and the rows of keys."""

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._words = table.words
        with table.locked(0, STRIPES):
            self.own = self._claim()

    def held(self, row: int) -> int:
        """Runs of the key whose row begins at this word, on all fronts."""
        words = self._words
        return sum(words[row + 1 : row + 1 + words[USED_COLUMNS]])

    def held_by_living(self, row: int) -> int:
        """The same, without those of fronts that are dead: their lock can be had. Takes a system call for
        each column that counts; under the stripe's lock."""
        for column in range(self._words[USED_COLUMNS]):
            cell = row + 1 + column
            if column != self.own and self._words[cell] and self._table.try_lock(STRIPES + column):
                self._words[cell] = 0
                self._table.unlock(STRIPES + column)
        return self.held(row)

    def is_idle(self, row: int) -> bool:
        """Whether no front has a run of this row's key."""
        return not self.held(row)

    def add(self, row: int, count: int) -> None:
        """``count`` runs more on this front; fewer, if below 0."""
        self._words[row + 1 + self.own] += count

    def _claim(self) -> int:
        """The first column that no living process has; all of those are cleared."""
        free = [n for n in range(self._table.columns) if self._table.try_lock(STRIPES + n)]
        if not free:
            raise LimitsUnavailable(f"all {self._table.columns} columns of the table of limits are taken")
        for column in free:
            if column < self._words[USED_COLUMNS]:
                self._clear(column)
        for column in free[1:]:
            self._table.unlock(STRIPES + column)
        self._words[USED_COLUMNS] = max(self._words[USED_COLUMNS], free[0] + 1)
        return free[0]

    def _clear(self, column: int) -> None:
        rows = self._table.rows
        for row in range(rows.base, rows.base + rows.count * rows.stride, rows.stride):
            if self._words[row + 1 + column]:
                self._words[row + 1 + column] = 0
