"""The worker's pid in the worker's filter."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.bpf import PLACEHOLDER_PID, bind_pid
from seccomp import compile_profile, load_profile
from tests.seccomp.bpf_machine import ALLOW, X86_64, errno_verdict, verdict
from tests.seccomp.filter_runs import number_of

WORKER = compile_profile("worker")
NATIVE = struct.unpack_from("=HBBI", WORKER, 8)[3]  # the architecture that the second instruction asks for
PIDS = st.integers(1, 1 << 22)
REFUSED = errno_verdict(1)


def instruction(code: int, operand: int) -> bytes:
    """One struct sock_filter."""
    return struct.pack("=HBBI", code, 1, 2, operand)


def test_the_profile_says_the_placeholder() -> None:
    """The same number in JSON, which has no names for numbers."""
    compared = {
        r.comparisons[0].value for r in load_profile("worker").rules if r.syscall in {"kill", "tgkill"}
    }
    assert compared == {PLACEHOLDER_PID}


@given(PIDS, st.one_of(PIDS, st.integers(0, (1 << 64) - 1)))
def test_only_this_pid_may_be_signalled(pid: int, other: int) -> None:
    """All 64 bits of the argument count."""
    program = bind_pid(WORKER, pid)
    for name in ("kill", "tgkill"):
        number = number_of(name)
        assert verdict(program, NATIVE, number, (pid,)) == ALLOW
        assert verdict(program, NATIVE, number, (other,)) == (ALLOW if other == pid else REFUSED)
        for garbage in (pid | 1 << 32, pid | 0xFFFFFFFF << 32, (1 << 64) - pid, 0, (1 << 64) - 1, 0xFFFFFFFF):
            assert verdict(program, NATIVE, number, (garbage,)) == REFUSED


def test_nothing_but_the_pid_changes() -> None:
    """Binding and putting the placeholder back gives the same program."""
    bound = bind_pid(WORKER, 4321)
    assert bound != WORKER
    assert bound.replace(struct.pack("=I", 4321), struct.pack("=I", PLACEHOLDER_PID)) == WORKER


@pytest.mark.parametrize("pid", [0, -1, (1 << 22) + 1, PLACEHOLDER_PID])
def test_what_is_no_pid_is_refused(pid: int) -> None:
    """0 and negative numbers would mean a group, or everyone."""
    with pytest.raises(ValueError, match=f"^pid {pid}: expected 1 to 4194304$"):
        bind_pid(WORKER, pid)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"", "BPF program of 0 bytes: the placeholder pid does not occur in it"),
        (instruction(0x15, 7), "BPF program of 8 bytes: the placeholder pid does not occur in it"),
        (bind_pid(WORKER, 7), "the placeholder pid does not occur in it"),
        (WORKER[:-1], "bytes: expected a multiple of 8"),
        (instruction(0x25, PLACEHOLDER_PID), "BPF instruction 0: code 0x25 with the placeholder pid is no"),
        (instruction(0x06, PLACEHOLDER_PID), "BPF instruction 0: code 0x6 with the placeholder pid is no"),
    ],
)
def test_what_cannot_be_bound_is_refused(program: bytes, message: str) -> None:
    """A filter that was not bound would let the worker signal another process, or not itself."""
    with pytest.raises(ValueError, match=message):
        bind_pid(program, 5)


def test_bytes_that_only_look_like_the_placeholder_stay() -> None:
    """Instructions are eight bytes; what lies across two of them is none."""
    across = struct.pack("=HBBI", 0x15, 0, 0, PLACEHOLDER_PID << 16 & 0xFFFFFFFF)
    follow = struct.pack("=HBBI", PLACEHOLDER_PID >> 16, 0, 0, 0)
    program = across + follow + instruction(0x15, PLACEHOLDER_PID)
    assert bind_pid(program, 9) == across + follow + instruction(0x15, 9)


def test_the_machine_is_the_one_the_tests_know() -> None:
    """NATIVE is read out of the program; on x86-64 it must be what linux/audit.h says."""
    if number_of("arch_prctl") > 0:
        assert NATIVE == X86_64
