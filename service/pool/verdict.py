"""How a run ended: a pure function from what was observed to a verdict, exit code and line of advice."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Literal

from sandbox_runtime.job import Report
from service.pool.job import JobLimits, Verdict

KillReason = Literal["timeout", "cpu", "protocol"]
TIMEOUT_EXIT_CODE = 124
_KILLED = 128 + signal.SIGKILL
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP)


_STARVED = (
    "all programs together had used up the memory that they may use (LARS_CGROUP_MEMORY), and the kernel "
    "killed this one, which held much of it; use less memory, or try again later"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """What was observed. ``report`` is the worker's own account; ``killed`` is why we killed it; ``status``
    is its wait(2) status and ``cpu`` its CPU seconds as the zygote's kernel saw them. ``starved``: the memory
    of all workers together was used up as it was killed."""

    limits: JobLimits
    wall: float
    report: Report | None = None
    killed: KillReason | None = None
    status: int | None = None
    cpu: float | None = None
    starved: bool = False
    largest_stream: int = 0


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict, the exit code as a shell would show it, and ``detail``: limit, value observed, remedy."""

    verdict: Verdict
    exit_code: int
    detail: str | None


def conclude(ending: Ending) -> Conclusion:
    """The one verdict for an ending."""
    if ending.killed is not None:
        return _concluded_by_us(ending.killed, ending)
    if ending.report is not None:
        return _concluded_by_itself(ending.report, ending)
    if ending.status is not None:
        return _concluded_by_the_kernel(ending.status, ending)
    return Conclusion("signal", _KILLED, "the worker ended without a word")


def _concluded_by_us(reason: KillReason, ending: Ending) -> Conclusion:
    limits = ending.limits
    if reason == "timeout":
        return Conclusion(
            "timeout",
            TIMEOUT_EXIT_CODE,
            f"the limit is {limits.timeout:g} s with the wait for a worker, stopped after {ending.wall:.2f} "
            "s of running; do less work or raise timeout",
        )
    if reason == "cpu":
        return Conclusion("cpu", _KILLED, _cpu_detail(ending))
    return Conclusion(
        "signal",
        _KILLED,
        "the program wrote to descriptor 3, the worker's own channel, and was killed; use stdout, stderr or "
        "result",
    )


def _concluded_by_itself(report: Report, ending: Ending) -> Conclusion:
    details = {
        "memory": _memory_detail(report, ending),
        "output": _output_detail(ending),
        "disk": f"scratch files reached their limit of {ending.limits.file_size} bytes; write less",
        "syscall": f"{report.detail}; programs have no network and start no processes",
    }
    if report.end == "invalid_data":
        return Conclusion("rejected", report.exit_code, report.detail)
    detail = details.get(report.end, report.detail)
    return Conclusion(report.end, report.exit_code, detail)


def _concluded_by_the_kernel(status: int, ending: Ending) -> Conclusion:
    if os.WIFEXITED(status):
        code = os.WEXITSTATUS(status)
        left = "the program left through os._exit, so there is no result"
        return Conclusion("exit" if code else "ok", code, left)
    number = os.WTERMSIG(status)
    code = 128 + number
    if number == signal.SIGSYS:
        return Conclusion("syscall", code, "the program made a system call of a foreign architecture")
    if number in (signal.SIGXCPU, signal.SIGKILL) and (ending.cpu or 0) >= ending.limits.cpu:
        return Conclusion("cpu", code, _cpu_detail(ending))
    if number == signal.SIGKILL and ending.starved:
        return Conclusion("memory", code, _STARVED)
    if number == signal.SIGXFSZ:
        return _too_large(code, ending)
    return Conclusion("signal", code, _signal_detail(number))


def _too_large(code: int, ending: Ending) -> Conclusion:
    if ending.largest_stream >= ending.limits.file_size:
        return Conclusion("output", code, _output_detail(ending))
    return Conclusion(
        "disk", code, f"a file reached the limit of {ending.limits.file_size} bytes; write less"
    )


def _memory_detail(report: Report, ending: Ending) -> str:
    return (
        f"memory_limit of {ending.limits.memory} bytes of address space beyond the bare interpreter was "
        f"reached, with {report.memory_peak} bytes resident in all; use less memory or raise memory_limit"
    )


def _output_detail(ending: Ending) -> str:
    return (
        f"a stream reached {ending.largest_stream} bytes, the limit is {ending.limits.file_size}; print less"
    )


def _cpu_detail(ending: Ending) -> str:
    used = f"{ending.cpu:.2f} s" if ending.cpu is not None else "all"
    return (
        f"the budget is {ending.limits.cpu:.2f} s (timeout x cpu_limit), {used} used; do less work or raise "
        "timeout or cpu_limit"
    )


def _signal_detail(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL:
        return (
            "killed by SIGKILL: by itself, or by the kernel because the machine ran out of memory; use less "
            "memory"
        )
    if number in _CRASHES:
        return f"killed by {name}; C code (ctypes) crashed, or the program raised the signal itself"
    return f"killed by {name}, which the program raised itself or asked for (an alarm, a timer)"
