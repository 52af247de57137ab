"""When memory runs out: whose turn it is first, and what the kernel says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.oom import OomKills, oom_kills

ROOT = Path(__file__).resolve().parents[2]
EVENTS = "low 0\nhigh 3\nmax 12\noom 4\noom_kill {}\noom_group_kill 9\n"


@given(st.integers(0, 2**64))
def test_the_count(number: int) -> None:
    assert oom_kills(EVENTS.format(number).encode()) == number


@given(st.binary(max_size=64))
def test_any_bytes_are_a_count(text: bytes) -> None:
    assert oom_kills(text) >= 0


@pytest.mark.parametrize(
    "text", ["", "low 0\n", "oom_kill\n", "oom_kill x\n", "oom_kill 1 2\n", "oom_kills 3\n"]
)
def test_no_count(text: str) -> None:
    assert oom_kills(text.encode()) == 0


def test_a_kill_is_remembered_for_moments() -> None:
    """From when it was noticed; what was killed before we looked first is none of ours."""
    events = os.memfd_create("memory.events")
    try:
        os.pwrite(events, EVENTS.format(7).encode(), 0)
        kills = OomKills(events)
        assert not kills.just_now(100.0)
        os.pwrite(events, EVENTS.format(8).encode(), 0)
        assert [kills.just_now(now) for now in (200.0, 201.9, 202.1)] == [True, True, False]
        os.pwrite(events, EVENTS.format(9).encode(), 0)
        assert [kills.just_now(now) for now in (203.0, 206.0)] == [True, False]
    finally:
        os.close(events)


def test_where_nobody_counts() -> None:
    assert not OomKills(None).just_now(0.0)


FORKING = """
import json, os, sys
from sandbox_runtime.oom import FirstToGo

def score():
    return int(open("/proc/self/oom_score_adj").read())

def of_a_child():
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, str(score()).encode())
        os._exit(0)
    os.wait()
    return int(os.read(reader, 16))

seen = [score()]
first = FirstToGo(os.open(sys.argv[1], os.O_PATH | os.O_DIRECTORY))
seen += [score(), of_a_child()]
first.begin()
seen += [of_a_child()]
first.end()
seen += [score(), of_a_child()]
print(json.dumps(seen))
"""


def scores(proc: Path) -> list[int]:
    """Of a process of its own and its children, with this in the place of /proc: its own; its own and a
    child's before; a child's between; its own and a child's after."""
    command = [sys.executable, "-c", FORKING, str(proc)]
    return list(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout))


def test_what_is_forked_between_goes_first() -> None:
    own, *seen = scores(Path("/proc"))
    assert seen == [own, own, min(own + 200, 1000), own, own]


def test_where_there_is_no_such_file_all_are_alike(tmp_path: Path) -> None:
    own, *seen = scores(tmp_path)
    assert seen == [own] * 5
