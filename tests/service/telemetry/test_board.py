"""The memory that processes count in, with real processes: sums, the dead, their successors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.telemetry.board import Board, Column, create_board, total
from service.telemetry.catalog import CPU, FAMILIES, FORKS, MEMORY, RUN_SECONDS, ZYGOTES
from service.telemetry.families import CELLS, Counter, Gauge


@pytest.fixture(autouse=True)
def own_cells() -> Iterator[None]:
    """This process counts on where it did before."""
    before = CELLS.own
    yield
    CELLS.own = before


class Counting:
    """One process; ``number``: of its column."""

    def __init__(self, descriptor: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.telemetry.counting", str(descriptor)],
            pass_fds=(descriptor,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.number = int(self._line())

    def do(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        assert self._line() == "done\n"

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def counting(descriptor: int) -> Iterator[Counting]:
    process = Counting(descriptor)
    try:
        yield process
    finally:
        process.kill()


def forks(columns: list[Column]) -> float:
    (number,) = total(FORKS, columns)[("session",)]
    return number


def test_what_the_dead_have_counted_stays() -> None:
    """All are added up. A process that is killed takes nothing from the counters, and its gauges with it;
    the next one has its column, counts on from there, and says nothing of it that was the dead one's."""
    descriptor = create_board(2)
    board = Board(descriptor, supervisor=True)
    assert board.number == 0
    FORKS.add("session", by=5)
    ZYGOTES.set(1)
    with counting(descriptor) as first, counting(descriptor) as second:
        assert (first.number, second.number) == (1, 2)
        for process in (first, second):
            process.do("count 3")
            process.do("gauge 7")
        columns = list(board.columns())
        assert [(column.name, column.lives) for column in columns] == [
            ("supervisor", True),
            ("front-1", True),
            ("front-2", True),
        ]
        assert (forks(columns), total(ZYGOTES, columns)[()]) == (11, [15])
        seconds, *buckets = total(RUN_SECONDS, columns)[("session",)]
        assert (seconds, sum(buckets)) == (1.5, 6)
        assert buckets[RUN_SECONDS.bounds.index(0.25)] == 6
        first.kill()
        columns = list(board.columns())
        assert [column.lives for column in columns] == [True, False, True]
        assert (forks(columns), total(ZYGOTES, columns)[()]) == (11, [8])
        with counting(descriptor) as third:
            assert third.number == 1
            columns = list(board.columns())
            assert (forks(columns), total(ZYGOTES, columns)[()]) == (11, [8])
            assert columns[1].cells[MEMORY.at[()]] == 0
            third.do("count 1")
            columns = list(board.columns())
            assert forks(columns) == 12
            assert columns[1].cells[CPU.at[()]] == 4


def test_the_lowest_of_others() -> None:
    """Of those that live and are counted: not ours, not the supervisor's, not one whose other gauge is 0."""
    descriptor = create_board(4)
    with counting(descriptor) as first, counting(descriptor) as second, counting(descriptor) as third:
        ours = Board(descriptor)
        assert ours.lowest_of_others(ZYGOTES, MEMORY) is None
        ZYGOTES.set(1)
        MEMORY.set(1)
        for process, value in ((first, 3), (second, 4)):
            process.do(f"gauge {value}")
        assert third.number == 3
        assert lowest_soon(ours) == 3
        first.kill()
        assert lowest_soon(ours) == 4


def lowest_soon(board: Board) -> float | None:
    """When it has looked again who lives."""
    board._looked = float("-inf")
    return board.lowest_of_others(ZYGOTES, MEMORY)


def test_a_column_for_each() -> None:
    """There are twice as many as fronts, and two; who finds none says so."""
    descriptor = create_board(1)
    with pytest.raises(ValueError, match="all 5 columns"), _others(descriptor, 4):
        Board(descriptor)


@contextmanager
def _others(descriptor: int, count: int) -> Iterator[None]:
    processes = [Counting(descriptor) for _ in range(count)]
    assert sorted(process.number for process in processes) == [1, 2, 3, 4]
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def test_memory_of_another_version() -> None:
    """Whose families are not ours is refused: its cells would mean something else."""
    descriptor = create_board()
    os.pwrite(descriptor, b"\0" * 8, 0)
    with pytest.raises(ValueError, match="no figures of this version"):
        Board(descriptor)
    os.close(descriptor)


def test_families() -> None:
    """Names are by Prometheus' conventions and no name is there twice; sets of labels are few; each has cells
    of its own."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("lars_")
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_ms"))
        assert family.said.endswith(".")
    cells = [
        cell for family in FAMILIES for at in family.at.values() for cell in range(at, at + family.width)
    ]
    assert sorted(cells) == list(range(len(cells)))
    assert len(cells) < 2000
    with pytest.raises(KeyError):
        FORKS.add("somebody's")
    with pytest.raises(KeyError):
        Gauge.set(ZYGOTES, 1.0, "x")
    CELLS.own = memoryview(bytearray(8)).cast("d")
    with pytest.raises(TypeError):
        Counter("lars_late", "Too late.", {})
