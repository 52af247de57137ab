"""A real group, divided and put together again, in the hierarchy that this machine has.

What needs controllers (the bounds, and what the kernel does when they are reached) is
``tests/deploy/cgroup_checks.py``: few machines that run this suite have one to give.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.cgroup.absence import Absent
from service.cgroup.choice import look_at
from service.cgroup.group import Group
from service.cgroup.place import Place, find_place
from service.cgroup.taking import quarters
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
_numbers = itertools.count()


@pytest.fixture
def group() -> Iterator[Group]:
    """One of our own, which is gone after the test with all that is in it."""
    try:
        place = find_place(Path("/proc/self/cgroup").read_bytes(), Path("/proc/self/mountinfo").read_bytes())
        made = Group(place.top / f"lars-test-{os.getpid()}-{next(_numbers)}")
        made.make()
    except (Absent, OSError) as error:
        pytest.skip(f"no group of cgroup v2 can be made here: {error}")
    yield made
    made.kill()
    assert made.wait_empty()
    assert made.remove()


def case(name: str, group: Group) -> dict[str, Any]:
    """What ``divided.py`` has seen."""
    command = [sys.executable, "-m", "tests.service.cgroup.divided", name, str(group.path)]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert outcome.returncode == 0, outcome.stderr
    seen = json.loads(outcome.stdout)
    assert isinstance(seen, dict)
    return seen


def test_a_group_is_divided_and_put_together_again(group: Group) -> None:
    name = group.path.name
    assert case("divide", group) == {
        "in": f"{name}/main",
        "left in the group": [],
        "groups": ["main", "sandbox", "sandbox/1", "sandbox/2"],
        "families": ["sandbox/1", "sandbox/2"],
        "killed": -signal.SIGKILL,
        "other lives": True,
        "after the first": ["main", "sandbox", "sandbox/2"],
        "closed": -signal.SIGKILL,
        "at the end": [[], True],
    }


def test_another_service_keeps_its_group(group: Group) -> None:
    seen = case("occupied", group)
    assert "somebody lives there" in seen.pop("reason")
    assert seen == {"unchanged": True, "back": True, "neighbour lives": True}


def test_strangers_in_the_sandbox_are_not_ours_to_kill(group: Group) -> None:
    seen = case("populated", group)
    assert "somebody lives there" in seen.pop("reason")
    assert seen == {"unchanged": True, "back": True, "stranger lives": True}


def test_what_a_dead_service_has_left_is_removed(group: Group) -> None:
    assert case("left_over", group) == {"during": ["main", "sandbox"], "after": []}


def test_what_fails_half_way_leaves_all_as_it_was(group: Group) -> None:
    """The kernel has no such controller to give, and says so when we are in ``main`` already."""
    if "memory" in group.controllers():
        pytest.skip("this machine gives the controller: tests/deploy/cgroup_checks.py goes further")
    seen = case("no_controller", group)
    assert "could not be divided" in seen.pop("reason")
    assert seen == {"unchanged": True, "back": True}


def test_who_is_in_a_part_of_it_stays_there(group: Group) -> None:
    assert case("subgroup", group) == {"groups": ["own", "sandbox"], "in": "own", "after": ["own"]}


def test_a_group_is_whose_mark_it_has_unless_others_live_in_it(group: Group) -> None:
    own, other = group.child("own"), group.child("init.scope")
    own.make()
    place = Place(own.path, group.path.parent, first=False, read_only=False, elsewhere=frozenset())
    found = look_at(place)
    assert (found.group, found.handed_over, found.others) == (own, False, ())
    os.setxattr(group.path, "user.delegate", b"1")
    found = look_at(place)
    assert (found.group, found.handed_over, found.others) == (group, True, ())
    other.make()
    with subprocess.Popen(["sleep", "60"]) as manager:
        other.enter(manager.pid)
        assert look_at(place).others == (0,)
        group.enter(manager.pid)
        assert look_at(place).others == (manager.pid,)
        os.setxattr(own.path, "user.delegate", b"1")
        found = look_at(place)
        assert (found.group, found.handed_over, found.others) == (own, True, ())
        manager.kill()


def test_zygotes_and_workers_live_in_a_room(group: Group) -> None:
    assert case("sandbox", group) == {
        "result": True,
        "layer": [True],
        "zygote": "sandbox/1",
        "workers": ["sandbox/1"],
        "groups": ["main", "sandbox", "sandbox/1"],
        "after": ["main", "sandbox"],
    }


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"LARS_CGROUP": "off"}, "LARS_CGROUP=off"),
        ({"LARS_CGROUP_MEMORY": "none", "LARS_CGROUP_PIDS": "none"}, "_CPU are none"),
        ({"LARS_CGROUP": "/nowhere"}, "/nowhere is no cgroup v2"),
        ({"LARS_CGROUP": "/tmp"}, "/tmp is no cgroup v2"),
    ],
)
def test_settings_that_take_none(variables: dict[str, str], words: str) -> None:
    with quarters(Settings.from_env(variables)) as found:
        assert found.tree is None
        assert found.room() is None
        assert found.words() == ""
        assert words in found.state.reason
        assert found.state.remedy


def test_this_process_is_moved_nowhere_by_default() -> None:
    """It was started by hand, and its group is not its own."""
    before = Path("/proc/self/cgroup").read_bytes()
    with quarters(Settings.from_env({})) as found:
        assert found.tree is None
        assert Path("/proc/self/cgroup").read_bytes() == before
