"""Compiled programs against what their profiles mean, call by call, on a BPF machine without a kernel."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seccomp import Profile, ProfileError, compile_parsed, parse_profile
from seccomp.model import Action, ActionKind, Comparison, Operator
from tests.seccomp.bpf_machine import X86_64, errno_verdict, verdict

NUMBERS = {"read": 0, "close": 3, "fcntl": 72}
# Enough unconditional names for the binary tree of a long profile.
CROWD = """
    access alarm bind brk chdir chmod chown chroot connect creat dup dup2 execve exit fchdir fchmod fchown flock
    fork fstat fsync futex getcwd getegid geteuid getgid getpgid getpgrp getpid getppid getsid getuid ioctl kill
    lchown link listen lseek lstat madvise mincore mkdir mlock mmap mount mprotect mremap msgctl msgget msgrcv
    msgsnd msync munlock munmap nanosleep open openat pause pipe poll ptrace reboot rename rmdir
""".split()
RETURNED = {
    ActionKind.ALLOW: 0x7FFF0000,
    ActionKind.LOG: 0x7FFC0000,
    ActionKind.TRAP: 0x00030000,
    ActionKind.KILL: 0,
    ActionKind.KILL_THREAD: 0,
    ActionKind.KILL_PROCESS: 0x80000000,
}

HALVES = st.sampled_from([0, 1, 2, 5, 0xF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
WORDS = st.builds(lambda high, low: high << 32 | low, HALVES, HALVES)
ACTIONS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"action": "SCMP_ACT_ALLOW"},
        {"action": "SCMP_ACT_LOG"},
        {"action": "SCMP_ACT_KILL_PROCESS"},
        {"action": "SCMP_ACT_ERRNO", "errnoRet": 1},
        {"action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]
)


@st.composite
def comparisons(draw: st.DrawFn, operators: tuple[Operator, ...]) -> list[dict[str, Any]]:
    """Up to three conditions on different arguments."""
    args = []
    for index in draw(st.lists(st.integers(0, 2), max_size=3, unique=True)):
        operator, value = draw(st.sampled_from(operators)), draw(WORDS)
        two = draw(WORDS) & value if operator is Operator.MASKED_EQ else 0
        args.append({"index": index, "op": operator, "value": value, "valueTwo": two})
    return args


@st.composite
def profiles(draw: st.DrawFn) -> str:
    """Profiles as JSON, most of them accepted."""
    default = draw(ACTIONS)
    entries = []
    for name in NUMBERS:
        operators = draw(
            st.sampled_from([tuple(Operator), (Operator.EQ, Operator.MASKED_EQ), (Operator.NE,)])
        )
        action = draw(ACTIONS)
        for args in draw(st.lists(comparisons(operators), max_size=5)):
            action = draw(ACTIONS) if draw(st.integers(0, 3)) == 0 else action
            entries.append({"names": [name], **action, "args": args})
    crowd = draw(ACTIONS)
    if draw(st.booleans()) and crowd != default:
        entries.append({"names": CROWD, **crowd})
    top = {"defaultAction": default["action"], "architectures": ["SCMP_ARCH_X86_64"], "syscalls": entries}
    return json.dumps(top | ({"defaultErrnoRet": default["errnoRet"]} if "errnoRet" in default else {}))


def holds(comparison: Comparison, value: int) -> bool:
    """The OCI format's meaning of an operator."""
    return {
        Operator.NE: value != comparison.value,
        Operator.LT: value < comparison.value,
        Operator.LE: value <= comparison.value,
        Operator.EQ: value == comparison.value,
        Operator.GE: value >= comparison.value,
        Operator.GT: value > comparison.value,
        Operator.MASKED_EQ: value & comparison.value == comparison.value_two,
    }[comparison.operator]


def returned(action: Action) -> int:
    """SECCOMP_RET_* of linux/seccomp.h."""
    return errno_verdict(action.errno) if action.kind is ActionKind.ERRNO else RETURNED[action.kind]


def meant(profile: Profile, name: str, arguments: tuple[int, ...]) -> set[int]:
    """What the profile's rules return for a call: one thing, if the profile does not contradict itself."""
    matching = {
        returned(rule.action)
        for rule in profile.rules
        if rule.syscall == name and all(holds(c, arguments[c.index]) for c in rule.comparisons)
    }
    return matching or {returned(profile.default)}


@settings(max_examples=300, deadline=None)
@given(profiles(), st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=20, max_size=40))
def test_a_program_does_what_its_profile_means(text: str, calls: list[tuple[int, int, int]]) -> None:
    """Every accepted profile, at values drawn from the same words it compares with."""
    try:
        profile = parse_profile(text, "x")
    except ProfileError:
        return
    program = compile_parsed(profile)
    for name, number in NUMBERS.items():
        for arguments in calls:
            assert {verdict(program, X86_64, number, arguments)} == meant(profile, name, arguments)
    assert {verdict(program, X86_64, 39)} == meant(profile, "getpid", ())
