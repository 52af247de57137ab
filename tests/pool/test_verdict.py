"""conclude: one verdict for every ending, with limit, observation and remedy in one line."""

from __future__ import annotations

import dataclasses
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_runtime.job import Report
from service.pool.job import JobLimits
from service.pool.verdict import Conclusion, Ending, KillReason, conclude

LIMITS = JobLimits(timeout=2.5, cpu=1.25, memory=64 << 20, file_size=1 << 20, output=4096)
ENDING = Ending(LIMITS, wall=0.5, cpu=0.1)


def concluded(**observed: object) -> Conclusion:
    """From an ending that differs in these."""
    return conclude(dataclasses.replace(ENDING, **observed))  # type: ignore[arg-type]


def report(end: str, code: int = 1, detail: str | None = None) -> Report:
    """The worker's word."""
    return Report(end, code, detail=detail)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "ended", "words"),
    [
        ("timeout", ("timeout", 124), ["2.5 s", "0.50 s", "raise timeout"]),
        ("cpu", ("cpu", 137), ["1.25 s", "0.10 s used", "cpu_limit"]),
        ("protocol", ("signal", 137), ["descriptor 3", "use stdout"]),
    ],
)
@pytest.mark.parametrize("said", [None, Report("ok", 0)])
@pytest.mark.parametrize("status", [None, 0, signal.SIGKILL])
def test_what_we_did_counts_most(
    reason: KillReason, ended: tuple[str, int], words: list[str], said: Report | None, status: int | None
) -> None:
    """Whatever the worker said or how it ended after that."""
    got = concluded(killed=reason, report=said, status=status)
    assert (got.verdict, got.exit_code) == ended
    assert [word for word in words if word not in (got.detail or "")] == []


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("memory", [str(64 << 20), "memory_limit"]),
        ("output", ["4096000", str(1 << 20), "print less"]),
        ("disk", [str(1 << 20), "write less"]),
        ("syscall", ["refused it", "no network"]),
    ],
)
def test_limits_the_worker_reports(end: str, words: list[str]) -> None:
    """Limit, observation, remedy."""
    got = concluded(report=report(end, 1, "refused it"), largest_stream=4096000)
    assert (got.verdict, got.exit_code) == (end, 1)
    assert [word for word in words if word not in (got.detail or "")] == []


@pytest.mark.parametrize(("end", "code"), [("ok", 0), ("exception", 1), ("exit", 3), ("rejected", 1)])
def test_other_reports_stand(end: str, code: int) -> None:
    """The end, the code and the detail are the worker's."""
    assert concluded(report=report(end, code, "why")) == Conclusion(end, code, "why")  # type: ignore[arg-type]


def test_invalid_data_is_a_rejection() -> None:
    """Nothing ran."""
    assert concluded(report=report("invalid_data", 1, "data: deep")) == Conclusion(
        "rejected", 1, "data: deep"
    )


@pytest.mark.parametrize(
    ("status", "verdict", "code"), [(0, "ok", 0), (7 << 8, "exit", 7), (255 << 8, "exit", 255)]
)
def test_left_without_a_report(status: int, verdict: str, code: int) -> None:
    """os._exit."""
    got = concluded(status=status)
    assert (got.verdict, got.exit_code) == (verdict, code)
    assert "os._exit" in (got.detail or "")


@pytest.mark.parametrize(
    ("number", "used", "verdict", "words"),
    [
        (signal.SIGSEGV, 0.1, "signal", ["SIGSEGV", "ctypes"]),
        (signal.SIGABRT, 9.0, "signal", ["SIGABRT"]),
        (signal.SIGTERM, 0.1, "signal", ["SIGTERM"]),
        (signal.SIGKILL, 0.1, "signal", ["SIGKILL", "use less memory"]),
        (signal.SIGKILL, 1.25, "cpu", ["1.25 s"]),
        (signal.SIGXCPU, 2.0, "cpu", ["2.00 s used"]),
        (signal.SIGXFSZ, 0.1, "disk", [str(1 << 20)]),
        (signal.SIGSYS, 0.1, "syscall", ["system call"]),
        (signal.SIGRTMIN + 3, 0.1, "signal", [f"{signal.SIGRTMIN + 3}"]),
    ],
)
def test_ended_by_a_signal(number: int, used: float, verdict: str, words: list[str]) -> None:
    """128 and the number, as a shell shows it."""
    got = concluded(status=int(number), cpu=used)
    assert (got.verdict, got.exit_code) == (verdict, 128 + number)
    assert [word for word in words if word not in (got.detail or "")] == []


@pytest.mark.parametrize(
    ("observed", "verdict"),
    [
        ({"status": signal.SIGKILL}, "memory"),
        ({"status": signal.SIGKILL, "cpu": 9.0}, "cpu"),
        ({"status": signal.SIGSEGV}, "signal"),
        ({"status": signal.SIGKILL, "killed": "timeout"}, "timeout"),
        ({"status": signal.SIGKILL, "report": report("ok", 0)}, "ok"),
        ({"status": 3 << 8}, "exit"),
    ],
)
def test_killed_as_the_memory_of_all_was_used_up(observed: dict[str, object], verdict: str) -> None:
    """Only what SIGKILL ended, and nothing that is known better."""
    got = concluded(starved=True, **observed)
    assert got.verdict == verdict
    if verdict == "memory":
        assert got.exit_code == 137
        assert "LARS_CGROUP_MEMORY" in (got.detail or "")
        assert "try again" in (got.detail or "")


def test_nothing_observed() -> None:
    """Still an answer."""
    assert concluded(cpu=None) == Conclusion("signal", 137, "the worker ended without a word")


ENDS = ["ok", "exception", "exit", "memory", "output", "disk", "syscall", "rejected", "invalid_data"]


@given(
    said=st.none()
    | st.builds(report, st.sampled_from(ENDS), st.integers(0, 255), st.none() | st.just("detail")),
    killed=st.sampled_from([None, "timeout", "cpu", "protocol"]),
    status=st.none() | st.integers(0, 64) | st.integers(0, 255).map(lambda code: code << 8),
    cpu=st.none() | st.floats(0, 1e6),
    starved=st.booleans(),
)
def test_every_ending_has_an_answer(
    said: Report | None, killed: KillReason | None, status: int | None, cpu: float | None, starved: bool
) -> None:
    """One line, an exit code that a shell can show, and success only for status 0."""
    got = concluded(report=said, killed=killed, status=status, cpu=cpu, starved=starved)
    assert 0 <= got.exit_code <= 255
    assert "\n" not in (got.detail or "")
    if got.verdict in ("timeout", "cpu", "signal"):
        assert got.exit_code >= 124
        assert got.detail
