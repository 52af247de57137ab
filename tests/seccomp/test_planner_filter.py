"""The planner's filter, asked by a real kernel: every system call, and every call whose arguments decide."""

from __future__ import annotations

import errno
from pathlib import Path

from seccomp import compile_profile, load_profile
from tests.seccomp.bpf_machine import dye
from tests.seccomp.filter_runs import Filters, name_of, number_of, probe
from tests.seccomp.test_seccomp_prober import DYES, EVERY_NUMBER, MINUS_ONE, meant

EAFNOSUPPORT, EPERM, ENOSYS, ALLOWED = errno.EAFNOSUPPORT, errno.EPERM, errno.ENOSYS, 0
OURS = {**DYES, EAFNOSUPPORT: 4004}
UNDYED = {dyed: number for number, dyed in OURS.items()}
FILTER = Filters(b"", dye(compile_profile("planner"), OURS))  # the second is bound to the caller's pid
HIGH = 1 << 32
UNIX, INET, INET6, NETLINK, PACKET, VSOCK = 1, 2, 10, 16, 17, 40
STREAM, DGRAM, RAW, CLOEXEC = 1, 2, 3, 0x80000
TCP, UDP, SCTP, MPTCP = 6, 17, 132, 262
FASTOPEN = 0x20000000
THREAD, VM, FILES, NEWUSER = 0x10000, 0x100, 0x400, 0x10000000

CONDITIONS: list[tuple[str, tuple[int | str, ...], int]] = [
    *(("socket", (family, STREAM | CLOEXEC, 0), ALLOWED) for family in (INET, INET6)),
    *(("socket", (family, STREAM, TCP), ALLOWED) for family in (INET, INET6)),
    *(("socket", (family, STREAM, MPTCP), EPERM) for family in (INET, INET6)),
    *(("socket", (family, STREAM, SCTP), ENOSYS) for family in (INET, INET6)),
    *(("socket", (family, DGRAM, UDP), ALLOWED) for family in (INET, INET6)),
    *(("socket", (family, RAW, 1), EPERM) for family in (INET, INET6)),
    ("socket", (INET, STREAM, TCP + HIGH), ENOSYS),
    ("socket", (NETLINK, RAW, 0), ALLOWED),
    ("socket", (NETLINK, RAW, 12), ENOSYS),  # netfilter
    ("socket", (UNIX, STREAM, 0), EAFNOSUPPORT),
    ("socket", (PACKET, RAW, 0), EPERM),
    ("socket", (VSOCK, STREAM, 0), ENOSYS),
    ("socketpair", (UNIX, STREAM), ALLOWED),
    ("socketpair", (UNIX, DGRAM), ENOSYS),
    *(("sendto", (-1, 0, 0, flags, 0, 0), ALLOWED) for flags in (0, 0x4000)),
    ("sendto", (-1, 0, 0, FASTOPEN, 0, 0), EPERM),
    ("sendmsg", (-1, 0, FASTOPEN), EPERM),
    ("sendmsg", (-1, 0, 0), ALLOWED),
    ("sendmmsg", (-1, 0, 0, FASTOPEN), EPERM),
    ("sendmmsg", (-1, 0, 0, 0), ALLOWED),
    *(("openat", (-1, 0, flags, 0), ALLOWED) for flags in (0, CLOEXEC)),
    *(("openat", (-1, 0, flags, 0), EPERM) for flags in (1, 2, 3, 0x441)),
    *(("openat", (-1, 0, flags, 0), ENOSYS) for flags in (0x40, 0x200)),
    ("clone", (THREAD | FILES,), ALLOWED),
    ("clone", (THREAD,), ENOSYS),
    ("clone", (THREAD | FILES | NEWUSER,), ENOSYS),
    ("clone", (VM | 17,), EPERM),
    ("kill", ("self", 0), ALLOWED),
    *(("kill", (whom, 0), EPERM) for whom in ("parent", 0, -1)),
    ("tgkill", ("parent", "parent", 0), EPERM),
    ("prlimit64", (0, 7, 0, 0), ALLOWED),
    ("prlimit64", ("parent", 7, 0, 0), EPERM),
    *(("prctl", (option, -1), EPERM) for option in (4, 22)),
    ("prctl", (1, 9), ALLOWED),
    *(("prctl", (1, number), ENOSYS) for number in (0, 15)),
    *(("setsockopt", (-1, *option), ALLOWED) for option in ((1, 9), (6, 1), (0, 11))),
    *(("setsockopt", (-1, *option), EPERM) for option in ((1, 26), (1, 50))),
    ("setsockopt", (-1, 6, 31), ENOSYS),  # TCP_ULP
]


def test_every_number(tmp_path: Path) -> None:
    """The allow-list, call by call; numbers without a name and those to come are ENOSYS."""
    profile = load_profile("planner")
    expected = {n: meant(profile, name_of(n), (MINUS_ONE,) * 6) for n in EVERY_NUMBER}
    outcomes = probe(FILTER, [(n,) for n in EVERY_NUMBER], tmp_path)
    observed = [UNDYED.get(outcome or 0, ALLOWED) for outcome in outcomes]
    assert dict(zip(EVERY_NUMBER, observed, strict=True)) == expected


def test_arguments_decide(tmp_path: Path) -> None:
    calls = [(number_of(name), *arguments) for name, arguments, _ in CONDITIONS]
    observed = [UNDYED.get(outcome or 0, ALLOWED) for outcome in probe(FILTER, calls, tmp_path)]
    table = [(name, arguments) for name, arguments, _ in CONDITIONS]
    assert [*zip(table, observed, strict=True)] == [*zip(table, [row[2] for row in CONDITIONS], strict=True)]
