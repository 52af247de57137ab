"""Where the own cgroup is: every form that /proc has for it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cgroup.absence import Absent
from service.cgroup.place import Place, find_place

UNIFIED = (
    b"30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
)
OTHERS = (
    b"22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
    b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
)
V1 = (
    b"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    b"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    b"39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
)
HYBRID = V1 + b"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
NAMES = st.text(st.characters(exclude_characters="/\0\n", codec="utf-8"), min_size=1, max_size=9)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), max_size=4).map(
    lambda names: "/" + "/".join(names)
)


def escaped(path: str) -> bytes:
    """As the kernel writes a path to mountinfo."""
    text = os.fsencode(path)
    for char in b"\\ \t\n":  # the backslash first
        text = text.replace(bytes((char,)), b"\\%03o" % char)
    return text


def test_the_unit_of_a_service() -> None:
    assert find_place(b"0::/system.slice/lars.service\n", OTHERS + UNIFIED) == Place(
        directory=Path("/sys/fs/cgroup/system.slice/lars.service"),
        top=Path("/sys/fs/cgroup"),
        first=False,
        read_only=False,
        elsewhere=frozenset(),
    )


def test_a_hybrid_machine() -> None:
    """Version 2 has a mount of its own, and version 1 the controllers."""
    cgroup = b"9:name=systemd:/\n8:pids:/\n4:memory:/job/1\n2:cpu,cpuacct:/\n0::/a:b\n"
    assert find_place(cgroup, OTHERS + HYBRID) == Place(
        Path("/sys/fs/cgroup/unified/a:b"),
        Path("/sys/fs/cgroup/unified"),
        first=False,
        read_only=False,
        elsewhere=frozenset(("pids", "memory", "cpu", "cpuacct")),
    )


def test_a_private_namespace() -> None:
    """A container's: its own group is the root of all that it sees."""
    mount = b"610 604 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
    assert find_place(b"0::/\n", mount) == Place(
        Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup"), first=True, read_only=True, elsewhere=frozenset()
    )


def test_a_part_of_the_hierarchy_that_is_mounted() -> None:
    mount = b"9 8 0:26 /machine.slice/box /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
    found = find_place(b"0::/machine.slice/box/init\n", mount)
    assert (found.directory, found.first) == (Path("/sys/fs/cgroup/init"), False)
    assert not find_place(b"0::/machine.slice/box\n", mount).first, "it is not that of a namespace"


def test_the_last_mount_covers_the_others() -> None:
    second = UNIFIED.replace(b"rw,nosuid", b"ro,nosuid")
    assert not find_place(b"0::/a\n", UNIFIED).read_only
    assert find_place(b"0::/a\n", UNIFIED + second).read_only


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "words"),
    [
        (b"", UNIFIED, "the kernel has no cgroup v2"),
        (b"4:memory:/\n1:name=systemd:/\n", V1, "the kernel has no cgroup v2"),
        (b"0::/a\n", V1, "mounted nowhere in sight"),
        (b"0::/a\n", b"", "mounted nowhere in sight"),
        (b"0::/a (deleted)\n", UNIFIED, "has been removed: /a (deleted)"),
        (b"0::/../b\n", UNIFIED, "outside its cgroup namespace: /../b"),
        (b"0::/\n", UNIFIED.replace(b" / /sys", b" /../.. /sys"), "no mount of cgroup v2 shows"),
        (b"0::/ab\n", UNIFIED.replace(b" / /sys", b" /a /sys"), "no mount of cgroup v2 shows"),
        (b"0::no path\n", UNIFIED, "the kernel has no cgroup v2"),
    ],
)
def test_no_place(cgroup: bytes, mountinfo: bytes, words: str) -> None:
    with pytest.raises(Absent) as caught:
        find_place(cgroup, mountinfo)
    state = caught.value.state
    assert (state.layer, state.in_force) == ("cgroup_limits", False)
    assert words in state.reason
    assert state.remedy


@given(PATHS, PATHS, PATHS)
def test_any_path_below_any_root_at_any_point(root: str, below: str, point: str) -> None:
    """However odd the names are."""
    path = str(PurePosixPath(root) / below.lstrip("/"))
    mount = b"9 8 0:26 %b %b rw - cgroup2 cgroup rw\n" % (escaped(root), escaped(point))
    if path.endswith(" (deleted)"):
        return
    found = find_place(b"3:cpu:/x\n0::" + os.fsencode(path) + b"\n", OTHERS + mount)
    assert found.directory == Path(point) / below.lstrip("/")
    assert found.top == Path(point)
    assert found.first == (path == "/")


@given(st.binary(max_size=80), st.binary(max_size=160))
def test_any_bytes_are_a_place_or_none(cgroup: bytes, mountinfo: bytes) -> None:
    for text in (cgroup, b"0::/" + cgroup.replace(b"\n", b"")):
        try:
            find_place(text, mountinfo + b"\n" + UNIFIED)
        except Absent:
            continue


def test_this_process() -> None:
    """What it says of this very process, where version 2 is mounted: it is in that group's list."""
    place = find_place(Path("/proc/self/cgroup").read_bytes(), Path("/proc/self/mountinfo").read_bytes())
    assert str(os.getpid()) in (place.directory / "cgroup.procs").read_text().split()
