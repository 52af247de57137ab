"""Compiled programs against what their profiles mean, call by call, on a BPF machine without a kernel."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seccomp import Profile, compile_parsed, parse_profile
from seccomp.model import Action, ActionKind, Comparison, Operator
from tests.seccomp.bpf_machine import X86_64, errno_verdict, verdict

NUMBERS = {"read": 0, "close": 3, "fcntl": 72}
# Enough unconditional names for the binary tree of a long profile.
CROWD = """
    access alarm bind brk chdir chmod chown chroot connect creat dup dup2 execve exit fchdir fchmod
    fchown flock fork fstat fsync futex getcwd getegid geteuid getgid getpgid getpgrp getpid getppid
    getsid getuid ioctl kill lchown link listen lseek lstat madvise mincore mkdir mlock mmap mount
    mprotect mremap msgctl msgget msgrcv msgsnd msync munlock munmap nanosleep open openat pause pipe
    poll ptrace reboot rename rmdir
""".split()
RETURNED = {
    ActionKind.ALLOW: 0x7FFF0000,
    ActionKind.LOG: 0x7FFC0000,
    ActionKind.TRAP: 0x00030000,
    ActionKind.KILL: 0,
    ActionKind.KILL_THREAD: 0,
    ActionKind.KILL_PROCESS: 0x80000000,
}

# Few, so that calls and conditions often meet: small, at the halves' edges, and equal in one half only.
WORDS = st.sampled_from(
    [0, 1, 2, 5, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 32) + 1, (5 << 32) + 5, 0xF << 32, (1 << 64) - 1]
)
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
def comparison(draw: st.DrawFn, index: int, operators: tuple[Operator, ...]) -> dict[str, Any]:
    """One condition on this argument."""
    operator, value = draw(st.sampled_from(operators)), draw(WORDS)
    two = draw(WORDS) & value if operator is Operator.MASKED_EQ else 0
    return {"index": index, "op": operator, "value": value, "valueTwo": two}


@st.composite
def conditions(draw: st.DrawFn, operators: tuple[Operator, ...], most: int) -> list[dict[str, Any]]:
    """From one to ``most`` conditions on different arguments."""
    indices = draw(st.lists(st.integers(0, 2), min_size=1, max_size=most, unique=True))
    return [draw(comparison(index, operators)) for index in indices]


EXACT = (Operator.EQ, Operator.MASKED_EQ)
# The shapes of rule sets that conflicts.py lets pass: operators, conditions per rule, rules.
SHAPES = [(tuple(Operator), 3, 1), (EXACT, 3, 5), ((*EXACT, Operator.NE), 1, 5), ((Operator.NE,), 1, 5)]


@st.composite
def rules(draw: st.DrawFn, name: str, default: dict[str, Any]) -> list[dict[str, Any]]:
    """Entries for one syscall that share an action, or that a value of argument 3 tells apart."""
    operators, conditions_each, count = draw(st.sampled_from(SHAPES))
    sets = draw(st.lists(conditions(operators, conditions_each), max_size=count))
    others = ACTIONS.filter(lambda action: action != default)
    if conditions_each > 1 and operators == EXACT and draw(st.booleans()):
        tags = [{"index": 3, "op": Operator.EQ, "value": place} for place in range(len(sets))]
        return [{"names": [name], **draw(others), "args": [*s, t]} for s, t in zip(sets, tags, strict=True)]
    action = draw(others)
    return [{"names": [name], **action, "args": args} for args in sets]


@st.composite
def complement(draw: st.DrawFn, name: str, default: dict[str, Any]) -> list[dict[str, Any]]:
    """One action for a value and another for all the rest, as our profiles have it."""
    value, others = draw(WORDS), ACTIONS.filter(lambda action: action != default)
    return [
        {"names": [name], **draw(others), "args": [{"index": 0, "op": operator, "value": value}]}
        for operator in draw(st.permutations([Operator.EQ, Operator.NE]))
    ]


@st.composite
def profiles(draw: st.DrawFn) -> str:
    """Profiles as JSON, all of them such as the reader accepts."""
    default = draw(ACTIONS)
    entries = []
    for name in NUMBERS:
        entries += draw(rules(name, default) | complement(name, default))
    if draw(st.booleans()):
        entries.append({"names": CROWD, **draw(ACTIONS.filter(lambda action: action != default))})
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
@given(profiles(), st.lists(st.tuples(WORDS, WORDS, WORDS, st.integers(0, 5)), min_size=20, max_size=40))
def test_a_program_does_what_its_profile_means(text: str, calls: list[tuple[int, int, int, int]]) -> None:
    """At values drawn from the same words that the profile compares with."""
    profile = parse_profile(text, "x")
    program = compile_parsed(profile)
    for name, number in NUMBERS.items():
        for arguments in calls:
            assert {verdict(program, X86_64, number, arguments)} == meant(profile, name, arguments)
    assert {verdict(program, X86_64, 39)} == meant(profile, "getpid", ())
