"""Which group may be divided: everything that forbids it, in the order in which it is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cgroup.absence import Absent
from service.cgroup.choice import Findings, check
from service.cgroup.group import Group

GOOD = Findings(
    group=Group(Path("/sys/fs/cgroup/system.slice/lars.service")),
    exists=True,
    is_root=False,
    read_only=False,
    writable=True,
    handed_over=True,
    others=(),
    controllers=frozenset(("cpu", "memory", "pids")),
)
FORBIDS: dict[str, tuple[dict[str, object], str]] = {
    "absent": ({"exists": False}, "is no cgroup v2"),
    "controllers": ({"controllers": frozenset(("pids",))}, "has no controller memory"),
    "hybrid": (
        {"controllers": frozenset(("hugetlb",)), "elsewhere": frozenset(("memory", "pids"))},
        "has the controllers memory, pids in cgroup v1",
    ),
    "root": ({"is_root": True}, "is the machine's own cgroup"),
    "read-only": ({"read_only": True}, "is mounted read-only"),
    "foreign": ({"handed_over": False}, "is not delegated to the service"),
    "not ours": ({"writable": False}, "cannot be written by user"),
    "company": ({"others": (7, 0)}, "is shared with 2 other processes or groups"),
}


def test_nothing_forbids_it() -> None:
    check(GOOD, ("memory", "pids", "cpu"))
    check(dataclasses.replace(GOOD, controllers=frozenset()), ())


@pytest.mark.parametrize("name", FORBIDS)
def test_each_obstacle_is_told_with_a_remedy(name: str) -> None:
    changed, words = FORBIDS[name]
    with pytest.raises(Absent) as caught:
        check(dataclasses.replace(GOOD, **changed), ("memory", "pids"))  # type: ignore[arg-type]
    assert words in caught.value.state.reason
    assert caught.value.state.remedy


@given(st.sets(st.sampled_from(sorted(FORBIDS)), min_size=1))
def test_any_obstacles_together_forbid_it(names: set[str]) -> None:
    found = GOOD
    for name in names:
        found = dataclasses.replace(found, **FORBIDS[name][0])  # type: ignore[arg-type]
    with pytest.raises(Absent):
        check(found, ("memory", "pids"))
