"""The two filters asked by a real kernel: every system call, and every call whose arguments decide.

The verdicts are told from the kernel's own errors by dyeing: the filters run with errnos that no system call
returns (bpf_machine.dye). A table with the expected verdict of each number comes from the profile as it was
read, not from the compiled program.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from seccomp import Profile, compile_profile, load_profile
from seccomp.model import Comparison, Operator
from tests.seccomp.bpf_machine import dye
from tests.seccomp.filter_runs import Call, Filters, name_of, number_of, probe

DYES = {errno.EPERM: 4001, errno.ENOSYS: 4002, errno.EOPNOTSUPP: 4003}
UNDYED = {dyed: number for number, dyed in DYES.items()}
ZYGOTE = compile_profile("zygote")
WORKER = compile_profile("worker")
ALONE = Filters(dye(ZYGOTE, DYES))
STACKED = Filters(dye(ZYGOTE, DYES), dye(WORKER, DYES))
MINUS_ONE = (1 << 64) - 1
HIGH = 1 << 32
# uretprobe and uprobe of x86-64: recent kernels let them past every filter (kernel/seccomp.c), and answer
# whoever is not their own trampoline with SIGILL.
PAST_EVERY_FILTER = frozenset({335, 336})
EVERY_NUMBER = [n for n in (*range(471), 1000, 0x3FFFFFFF) if n not in PAST_EVERY_FILTER]
PLACEHOLDER = 0x4C415253

ALLOWED = 0
EPERM, ENOSYS = errno.EPERM, errno.ENOSYS


def verdicts(filters: Filters, calls: list[Call], directory: Path) -> list[int]:
    """0 for each call that reached the kernel, else the errno of the profile that refused it."""
    return [UNDYED.get(outcome or 0, ALLOWED) for outcome in probe(filters, calls, directory)]


def holds(comparison: Comparison, value: int) -> bool:
    """What the OCI format means by an operator, for those the two profiles use."""
    meaning = {
        Operator.EQ: value == comparison.value,
        Operator.NE: value != comparison.value,
        Operator.MASKED_EQ: value & comparison.value == comparison.value_two,
    }
    return meaning[comparison.operator]


def meant(profile: Profile, name: str | None, arguments: tuple[int, ...]) -> int:
    """What the profile says of a call: 0 or an errno."""
    for rule in profile.rules:
        if rule.syscall == name and all(holds(c, arguments[c.index]) for c in rule.comparisons):
            return rule.action.errno
    return profile.default.errno


def test_every_number_under_the_zygotes_filter(tmp_path: Path) -> None:
    """The allow-list, call by call; numbers without a name and those to come are ENOSYS."""
    profile = load_profile("zygote")
    expected = {n: meant(profile, name_of(n), (MINUS_ONE,) * 6) for n in EVERY_NUMBER}
    observed = verdicts(ALONE, [(n,) for n in EVERY_NUMBER], tmp_path)
    assert dict(zip(EVERY_NUMBER, observed, strict=True)) == expected
    assert {ALLOWED, EPERM, ENOSYS, errno.EOPNOTSUPP} == set(observed)


def test_every_number_under_both_filters(tmp_path: Path) -> None:
    """A worker: refused by the later filter, or else as the zygote's says."""
    first, second = load_profile("zygote"), load_profile("worker")
    arguments = (MINUS_ONE,) * 6
    expected = {
        n: meant(second, name_of(n), arguments) or meant(first, name_of(n), arguments) for n in EVERY_NUMBER
    }
    observed = verdicts(STACKED, [(n,) for n in EVERY_NUMBER], tmp_path)
    assert dict(zip(EVERY_NUMBER, observed, strict=True)) == expected


def test_control_without_a_filter_every_number_reaches_the_kernel(tmp_path: Path) -> None:
    """No dye appears; and what the filters refuse, this kernel would have done or judged itself."""
    # vfork is left out: its child would return into the caller's own stack.
    numbers = [n for n in EVERY_NUMBER if name_of(n) != "vfork"]
    outcomes = dict(zip(numbers, probe(Filters(), [(n,) for n in numbers], tmp_path), strict=True))
    assert not set(outcomes.values()) & set(UNDYED)
    by_name = {
        name: outcomes[number_of(name)] for name in ("socket", "unshare", "seccomp", "ptrace", "setns")
    }
    assert by_name == {
        "socket": errno.EINVAL,
        "unshare": errno.EINVAL,
        "seccomp": errno.EINVAL,
        "ptrace": errno.ESRCH,
        "setns": errno.EBADF,
    }


def test_undyed_the_refusals_have_the_errno_of_the_profile(tmp_path: Path) -> None:
    """What a program sees."""
    names = {"execve": EPERM, "socket": EPERM, "clone3": ENOSYS, "io_uring_setup": ENOSYS, "setxattr": 95}
    outcomes = probe(Filters(ZYGOTE, WORKER), [(number_of(name),) for name in names], tmp_path)
    assert dict(zip(names, outcomes, strict=True)) == names


CLONE_THREAD, CLONE_VM, CLONE_SIGHAND, CLONE_NEWNS, CLONE_FILES = 0x10000, 0x100, 0x800, 0x20000, 0x400
PR_SET_MM, PR_SET_PTRACER = 35, 0x59616D61
F_SETOWN, F_SETSIG, F_GETFD, F_SETOWN_EX, F_SETLEASE, F_NOTIFY = 8, 10, 1, 15, 1024, 1026
STREAM, DGRAM, RAW, SEQPACKET, CLOEXEC = 1, 2, 3, 5, 0x80000
SOL_SOCKET, SO_SNDBUF, SO_ATTACH_FILTER, SO_ATTACH_BPF = 1, 7, 26, 50
S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK = 0x1000, 0x2000, 0x6000, 0xC000

# Name, arguments, verdict under the zygote's filter alone, verdict under both.
CONDITIONS: list[tuple[str, tuple[int | str, ...], int, int]] = [
    ("clone", (17,), ALLOWED, EPERM),
    ("clone", (CLONE_VM | 17,), ALLOWED, EPERM),
    ("clone", (HIGH * CLONE_THREAD,), ALLOWED, EPERM),
    # EINVAL of the kernel where the filter allows it: CLONE_THREAD demands CLONE_SIGHAND.
    ("clone", (CLONE_THREAD | CLONE_FILES,), ALLOWED, ALLOWED),
    ("clone", (CLONE_THREAD,), ALLOWED, EPERM),
    ("clone", (CLONE_FILES | 17,), ALLOWED, EPERM),
    ("clone", (CLONE_NEWNS | 17,), ENOSYS, EPERM),
    ("clone", (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_NEWNS,), ENOSYS, ENOSYS),
    ("kill", ("self", 0), ALLOWED, ALLOWED),
    ("kill", ("parent", 0), ALLOWED, EPERM),
    ("kill", (PLACEHOLDER, 0), ALLOWED, EPERM),
    ("kill", (0, 0), ALLOWED, EPERM),
    ("kill", (-1, 0), ALLOWED, EPERM),
    ("kill", (0xFFFFFFFF, 0), ALLOWED, EPERM),
    ("kill", (HIGH, 0), ALLOWED, EPERM),
    ("tgkill", ("self", "self", 0), ALLOWED, ALLOWED),
    ("tgkill", ("parent", "parent", 0), ALLOWED, EPERM),
    ("tgkill", (-1, "self", 0), ALLOWED, EPERM),
    ("tkill", ("self", 0), EPERM, EPERM),
    ("rt_sigqueueinfo", ("self", 0), EPERM, EPERM),
    ("rt_tgsigqueueinfo", ("self", "self", 0), EPERM, EPERM),
    ("pidfd_open", ("self", 0), ALLOWED, EPERM),
    ("pidfd_send_signal", (-1, 0), ALLOWED, EPERM),
    ("prlimit64", (0, 7, 0, 0), ALLOWED, ALLOWED),
    ("prlimit64", ("parent", 7, 0, 0), EPERM, EPERM),
    ("prlimit64", ("self", 7, 0, 0), EPERM, EPERM),
    ("prlimit64", (HIGH, 7, 0, 0), EPERM, EPERM),
    ("sched_setaffinity", (0,), ALLOWED, ALLOWED),
    ("sched_setaffinity", ("parent",), EPERM, EPERM),
    ("sched_setscheduler", ("parent",), EPERM, EPERM),
    ("sched_setparam", ("parent",), EPERM, EPERM),
    ("sched_setattr", ("parent",), EPERM, EPERM),
    ("setpriority", (0, 0, 0), ALLOWED, ALLOWED),
    ("setpriority", (0, "parent", 0), ALLOWED, EPERM),
    ("setpriority", (1, 0, 0), EPERM, EPERM),
    ("setpriority", (2, 0, 0), EPERM, EPERM),
    ("ioprio_set", (1, 0, 0), EPERM, EPERM),
    ("personality", (0xFFFFFFFF,), ALLOWED, ALLOWED),
    ("personality", (0x0040000,), EPERM, EPERM),  # ADDR_NO_RANDOMIZE
    ("fcntl", (-1, F_GETFD), ALLOWED, ALLOWED),
    ("fcntl", (-1, F_GETFD + HIGH), ENOSYS, ENOSYS),
    ("fcntl", (-1, F_SETOWN), EPERM, EPERM),
    ("fcntl", (-1, F_SETOWN + HIGH), ENOSYS, ENOSYS),
    ("fcntl", (-1, F_SETSIG), EPERM, EPERM),
    ("fcntl", (-1, F_SETOWN_EX), EPERM, EPERM),
    ("fcntl", (-1, F_SETLEASE), EPERM, EPERM),
    ("fcntl", (-1, F_NOTIFY), EPERM, EPERM),
    ("fcntl", (-1, 999), ENOSYS, ENOSYS),
    ("ioctl", (-1, 0x5401), ALLOWED, ALLOWED),
    *(("ioctl", (-1, request), EPERM, EPERM) for request in (0x8901, 0x8902, 0x5452, 0x5412, 0x541C)),
    ("ioctl", (-1, 0x5412 + HIGH), ENOSYS, ENOSYS),
    ("prctl", (15, 0), ALLOWED, ALLOWED),
    *(("prctl", (option, -1), ALLOWED, EPERM) for option in (1, 4, 22)),
    *(("prctl", (option + HIGH, -1), ENOSYS, EPERM) for option in (1, 4, 22)),
    *(("prctl", (option, -1), EPERM, EPERM) for option in (28, PR_SET_MM, 36, 47, 59, PR_SET_PTRACER)),
    ("socketpair", (1, STREAM | CLOEXEC), ALLOWED, ALLOWED),
    ("socketpair", (1, SEQPACKET), ALLOWED, ALLOWED),
    ("socketpair", (1, DGRAM | CLOEXEC), EPERM, EPERM),
    ("socketpair", (1, RAW), EPERM, EPERM),
    ("socketpair", (2, STREAM), ENOSYS, ENOSYS),
    ("socketpair", (1 + HIGH, STREAM), ENOSYS, ENOSYS),
    ("setsockopt", (-1, SOL_SOCKET, SO_SNDBUF), ALLOWED, ALLOWED),
    ("setsockopt", (-1, SOL_SOCKET, SO_ATTACH_FILTER), EPERM, EPERM),
    ("setsockopt", (-1, SOL_SOCKET, SO_ATTACH_BPF), EPERM, EPERM),
    ("setsockopt", (-1, 6, SO_SNDBUF), ENOSYS, ENOSYS),
    ("mknodat", (-1, -1, S_IFIFO | 0o600), ALLOWED, ALLOWED),
    ("mknodat", (-1, -1, S_IFCHR | 0o600), EPERM, EPERM),
    ("mknodat", (-1, -1, S_IFBLK | 0o600), EPERM, EPERM),
    ("mknodat", (-1, -1, S_IFSOCK | 0o600), ENOSYS, ENOSYS),
    *((name, (), ALLOWED, EPERM) for name in ("mount", "unshare", "capset", "seccomp")),
    *((f"landlock_{what}", (), ALLOWED, EPERM) for what in ("create_ruleset", "add_rule", "restrict_self")),
]


@pytest.mark.parametrize("stacked", [False, True], ids=["zygote", "zygote-and-worker"])
def test_arguments_decide(stacked: bool, tmp_path: Path) -> None:
    """Each row of CONDITIONS, with the upper half of the register counted."""
    calls: list[Call] = [(number_of(name), *arguments) for name, arguments, _, _ in CONDITIONS]
    observed = verdicts(STACKED if stacked else ALONE, calls, tmp_path)
    expected = [both if stacked else alone for _, _, alone, both in CONDITIONS]
    rows = [(name, arguments) for name, arguments, _, _ in CONDITIONS]
    assert list(zip(rows, observed, strict=True)) == list(zip(rows, expected, strict=True))


def test_control_without_a_filter_the_conditions_reach_the_kernel(tmp_path: Path) -> None:
    """The calls of the table are real ones: none is refused by anything else with a dye."""
    calls: list[Call] = [
        (number_of(name), *arguments) for name, arguments, _, _ in CONDITIONS if name != "clone"
    ]
    assert verdicts(Filters(), calls, tmp_path) == [ALLOWED] * len(calls)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="x32 numbers exist on x86-64 only")
@pytest.mark.parametrize("filters", [ALONE, Filters(b"", STACKED.worker)], ids=["zygote", "worker"])
def test_an_x32_number_ends_the_process(filters: Filters, tmp_path: Path) -> None:
    """Bit 30 selects another table of calls; None is a call that did not return."""
    assert probe(filters, [(0x40000000 + 39,)], tmp_path) == [None]
    assert probe(Filters(), [(0x40000000 + 39,)], tmp_path) == [ENOSYS]
