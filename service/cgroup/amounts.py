"""How much all foreign code together may use, and what is written into a cgroup for it. Pure.

Linux, Documentation/admin-guide/cgroup-v2.rst: memory.max, memory.swap.max, pids.max, cpu.max, cpu.weight.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

_PERIOD = 100_000  # microseconds; the kernel's own
_LEAST_QUOTA = 1000
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Of CPUs that all want: a third, against two for the fronts and the planner, whose group has the usual 100.
WEIGHT = 50
N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of what there is."""

    percent: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """As the settings say: a number, a share of what there is, or None for no limit."""

    memory: int | Share | None
    pids: int | Share | None
    cpus: float | Share | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes of memory, processes and threads, CPUs; None: no limit."""

    memory: int | None
    pids: int | None
    cpus: float | None

    def controllers(self) -> tuple[str, ...]:
        """Those without which these bounds cannot be kept."""
        named = {"memory": self.memory, "pids": self.pids, "cpu": self.cpus}
        return tuple(name for name, value in named.items() if value is not None)

    def files(self) -> dict[str, dict[str, str]]:
        """By controller: what is written to which file."""
        files = {"memory": {}, "pids": {}, "cpu": {"cpu.weight": str(WEIGHT)}}
        if self.memory is not None:
            files["memory"] = {"memory.max": str(self.memory // _PAGE * _PAGE), "memory.swap.max": "0"}
        if self.pids is not None:
            files["pids"] = {"pids.max": str(self.pids)}
        if self.cpus is not None:
            files["cpu"]["cpu.max"] = f"{max(_LEAST_QUOTA, round(self.cpus * _PERIOD))} {_PERIOD}"
        return files


def bounds(wanted: Wanted, there: Bounds) -> Bounds:
    """What is wanted, given what there is (``there`` has no None)."""
    return Bounds(
        _whole(wanted.memory, there.memory),
        _whole(wanted.pids, there.pids),
        _part(wanted.cpus, there.cpus),
    )


def _part(wanted: float | Share | None, there: float | None) -> float | None:
    if not isinstance(wanted, Share):
        return wanted
    return None if there is None else there * wanted.percent / 100


def _whole(wanted: int | Share | None, there: int | None) -> int | None:
    part = _part(wanted, there)
    return None if part is None else max(1, int(part))


def what_there_is(machine: Bounds, groups: Iterable[Mapping[str, str]]) -> Bounds:
    """The least of the machine and of ``groups``: the files of the group itself and of those above it, as far
    as they can be seen."""
    memory, pids, cpus = [machine.memory], [machine.pids], [machine.cpus]
    for files in groups:
        memory.append(read_most(files.get("memory.max", "")))
        pids.append(read_most(files.get("pids.max", "")))
        cpus.append(read_cpus(files.get("cpu.max", "")))
    return Bounds(_least(memory), _least(pids), _least(cpus))


def read_most(text: str) -> int | None:
    """Of memory.max or pids.max; None for ``max`` and for a file that is not there."""
    return int(text) if text.strip().isdecimal() else None


def read_cpus(text: str) -> float | None:
    """CPUs, of cpu.max: ``quota period`` in microseconds; None for a quota of ``max``."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _least(values: list[N | None]) -> N | None:
    return min((value for value in values if value is not None), default=None)
