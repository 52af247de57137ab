"""How much all may use: numbers, shares and none of them, against the machine and the groups above."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cgroup.amounts import Bounds, Share, Wanted, bounds, read_cpus, read_most, what_there_is
from service.cgroup.quarters import words
from service.settings import Settings, SettingsError

MIB = 1 << 20
MACHINE = Bounds(8192 * MIB, 32_768, 4.0)
SHARES = st.builds(Share, st.floats(1, 100))
FILES = st.dictionaries(
    st.sampled_from(["memory.max", "pids.max", "cpu.max"]),
    st.one_of(st.just("max\n"), st.just(""), st.integers(0, 2**63).map(lambda number: f"{number}\n")),
)


def test_the_defaults() -> None:
    settings = Settings.from_env({}, cpus=4)
    wanted = Wanted(settings.cgroup_memory, settings.cgroup_pids, settings.cgroup_cpu)
    found = bounds(wanted, MACHINE)
    assert found == Bounds(6144 * MIB, 24_576, None)
    assert found.controllers() == ("memory", "pids")
    assert found.files() == {
        "memory": {"memory.max": str(6144 * MIB), "memory.swap.max": "0"},
        "pids": {"pids.max": "24576"},
        "cpu": {"cpu.weight": "50"},
    }
    assert words(found) == "all programs together have at most 6g of memory, 24576 processes and threads"


def test_the_least_of_all_groups_counts() -> None:
    groups = [
        {"memory.max": "max\n", "pids.max": "max\n", "cpu.max": "max 100000\n"},
        {"memory.max": f"{512 * MIB}\n", "pids.max": "4915\n", "cpu.max": "150000 100000\n"},
        {"memory.max": f"{900 * MIB}\n"},
        {},
    ]
    assert what_there_is(MACHINE, groups) == Bounds(512 * MIB, 4915, 1.5)


@given(st.lists(FILES, max_size=4))
def test_never_more_than_the_machine(groups: list[dict[str, str]]) -> None:
    found = what_there_is(MACHINE, groups)
    for field in dataclasses.fields(Bounds):
        assert getattr(found, field.name) <= getattr(MACHINE, field.name)


@given(st.none() | st.integers(1, 2**50) | SHARES, st.none() | st.integers(1, 2**22) | SHARES, SHARES)
def test_what_is_written_can_be_written(
    memory: int | Share | None, pids: int | Share | None, cpus: Share
) -> None:
    """Whole numbers of at least one, memory in whole pages, a quota that the kernel takes."""
    found = bounds(Wanted(memory, pids, cpus), MACHINE)
    files = found.files()
    assert set(found.controllers()) == {"cpu"} | {
        name for name, value in (("memory", memory), ("pids", pids)) if value is not None
    }
    assert bool(files["memory"]) == (memory is not None)
    assert bool(files["pids"]) == (pids is not None)
    if memory is not None:
        assert int(files["memory"]["memory.max"]) % 4096 == 0
    if pids is not None:
        assert int(files["pids"]["pids.max"]) >= 1
    quota, period = files["cpu"]["cpu.max"].split()
    assert int(quota) >= 1000
    assert int(quota) / int(period) == pytest.approx(4 * cpus.percent / 100, abs=0.011)


def test_a_share_of_what_is_there() -> None:
    wanted = Wanted(Share(50), Share(50), Share(50))
    assert bounds(wanted, Bounds(512 * MIB, 4915, 1.5)) == Bounds(256 * MIB, 2457, 0.75)
    assert bounds(Wanted(None, None, None), MACHINE) == Bounds(None, None, None)


@pytest.mark.parametrize(("text", "value"), [("max\n", None), ("", None), ("12\n", 12), ("x", None)])
def test_read_most(text: str, value: int | None) -> None:
    assert read_most(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("max 100000\n", None), ("50000 100000\n", 0.5), ("", None), ("1", None), ("1 0", None), ("a b", None)],
)
def test_read_cpus(text: str, value: float | None) -> None:
    assert read_cpus(text) == value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("MEMORY", "2g", 2048 * MIB),
        ("MEMORY", "50%", Share(50)),
        ("MEMORY", "12.5 %", Share(12.5)),
        ("MEMORY", "none", None),
        ("PIDS", "512", 512),
        ("PIDS", "100%", Share(100)),
        ("CPU", "1.5", 1.5),
        ("CPU", "None", None),
    ],
)
def test_settings(name: str, text: str, value: object) -> None:
    settings = Settings.from_env({f"LARS_CGROUP_{name}": text}, cpus=4)
    assert getattr(settings, f"cgroup_{name.lower()}") == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("LARS_CGROUP_MEMORY", text) for text in ("0", "1m", "0%", "101%", "%", "-5%", "1e1%", "nothing")),
        *(("LARS_CGROUP_PIDS", text) for text in ("0", "1.5", "15", "2 %%")),
        *(("LARS_CGROUP_CPU", text) for text in ("0", "-1", "all")),
        *(("LARS_CGROUP", text) for text in ("on", "lars", "./lars", "/a\0b")),
    ],
)
def test_settings_that_are_none(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env({name: text}, cpus=4)
