"""Several processes count in one table: exactly, whatever becomes of any of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.limits.shared_table import create_shared
from tests.service.limits.clock import NOON
from tests.support import wait_until

ROOT = Path(__file__).parents[3]
PROCESSES = 4


class Parties:
    """Processes that share one table; the test has its descriptor and looks at nothing in it."""

    def __init__(self, fronts: int = PROCESSES) -> None:
        self.descriptor = create_shared(fronts)
        self._stack = ExitStack()
        self._stack.callback(os.close, self.descriptor)

    def start(self, *command: object) -> subprocess.Popen[str]:
        """One more; it ends with its stdin, at the latest with the test."""
        party = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.service.limits.party", str(self.descriptor)),
                *map(str, command),
            ],
            cwd=ROOT,
            pass_fds=(self.descriptor,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.enter_context(party)
        self._stack.callback(party.kill)
        return party

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def parties() -> Iterator[Parties]:
    parties = Parties()
    yield parties
    parties.close()


def heard(party: subprocess.Popen[str]) -> object:
    """The next thing that it says."""
    assert party.stdout is not None
    return json.loads(party.stdout.readline())


def go_on(party: subprocess.Popen[str]) -> None:
    """A line for it."""
    assert party.stdin is not None
    party.stdin.write("\n")
    party.stdin.flush()


def ends(party: subprocess.Popen[str]) -> None:
    """It ends by itself, and well."""
    assert party.stdin is not None
    party.stdin.close()
    assert party.wait(20) == 0


def test_together_they_count_to_the_limit_exactly(parties: Parties) -> None:
    """More than each of them asks for, and less than all of them: not one is lost or counted twice."""
    limit, tries = 50_000, 20_000
    assert counted(parties, PROCESSES, limit, tries, NOON + 20) == limit
    # The next window begins with what the last has left: two thirds of it still weigh.
    assert counted(parties, 1, limit, tries, NOON + 80) == limit - limit * 2 // 3


def counted(parties: Parties, processes: int, limit: int, tries: int, at: float) -> int:
    """How many are admitted of so many processes that begin at once."""
    running = [parties.start("times", limit, tries, at) for _ in range(processes)]
    assert [heard(party) for party in running] == ["stands"] * processes
    for party in running:
        go_on(party)
    counts = [heard(party) for party in running]
    return sum(count for count in counts if isinstance(count, int))


def test_no_window_ever_has_more(parties: Parties) -> None:
    """In real time, over some windows: each that was admitted was within the limit, by the arithmetic."""
    limit, until = 700, time.time() + 2.5
    admitted: list[float] = []
    for party in [parties.start("count", limit, 1, until) for _ in range(PROCESSES)]:
        times = heard(party)
        assert isinstance(times, list)
        admitted += times
    counts: dict[int, int] = {}
    for now in sorted(admitted):
        window, elapsed = divmod(now, 1)
        previous, current = counts.get(int(window) - 1, 0), counts.get(int(window), 0)
        assert int(previous * (1 - elapsed)) + current + 1 <= limit
        counts[int(window)] = current + 1
    assert len(admitted) > limit


def test_runs_of_a_front_that_dies(parties: Parties) -> None:
    """Are over: others may begin as many at once, whether or not another front has taken its place."""
    dies, stays = parties.start("hold", 4, 3), parties.start("hold", 4, 0)
    assert (heard(dies), heard(stays)) == (3, 0)
    refused = parties.start("hold", 4, 4)
    assert heard(refused) == 1
    dies.kill()
    dies.wait()
    assert heard(parties.start("hold", 4, 4)) == 3


def test_runs_of_a_front_that_ends(parties: Parties) -> None:
    """The same, when it closes the table."""
    ending = parties.start("hold", 4, 4)
    assert heard(ending) == 4
    other = parties.start("hold", 4, 1)
    assert heard(other) == 0
    ends(ending)
    ends(other)
    assert heard(parties.start("hold", 4, 5)) == 4


def test_dead_runs_are_noticed_by_who_stands_already(parties: Parties) -> None:
    """Without anybody new: the next that would be refused looks whether those that count still live."""
    dies = parties.start("hold", 2, 2)
    assert heard(dies) == 2
    asks = parties.start("again", 2)
    assert heard(asks) is False
    dies.kill()
    dies.wait()
    go_on(asks)
    assert heard(asks) is True


def test_more_fronts_than_columns() -> None:
    """Refused, with the number; a column is for as long as a process lives."""
    parties = Parties(fronts=0)  # two columns
    holding = [parties.start("hold", 1, 0) for _ in range(2)]
    assert [heard(party) for party in holding] == [0, 0]
    third = parties.start("hold", 1, 0)
    assert third.wait(20) == 1
    ends(holding[0])
    assert heard(parties.start("hold", 1, 0)) == 0
    parties.close()


def test_a_lock_dies_with_who_held_it(parties: Parties) -> None:
    """A front that is killed while it counts holds nobody up."""
    waiting = parties.start("once")
    assert heard(waiting) == "stands"
    holder = parties.start("grip")
    assert heard(holder) == "held"
    go_on(waiting)
    wait_until(lambda: is_blocked(waiting.pid), "the other waits for the lock", 20)
    holder.kill()
    assert heard(waiting) == "admitted"


def is_blocked(pid: int) -> bool:
    """proc_locks(5): a line with an arrow is a request that waits; the process is its fifth field."""
    lines = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(fields[1] == "->" and fields[5] == str(pid) for fields in lines)
