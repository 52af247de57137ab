"""The rows of programs: what one may use, and what a request may ask for."""

from __future__ import annotations

from service.settings import parsers
from service.settings.row import Computed, Setting, at_most

_SECONDS = parsers.number(0.05, 86_400)
_MEMORY = parsers.size(16 * 1024**2, 1024 * 1024**3)
_CORES = parsers.number(0.05, 4096)
_BYTES = parsers.size(1024, 1024**3)

PROGRAMS: tuple[Setting, ...] = (
    Setting(
        "LARS_EXECUTE_POLICY",
        "program",
        "",
        "What a program may say when its request names no policy. A request may only tighten it.",
        parsers.choice("program", "restricted"),
    ),
    Setting("LARS_TIMEOUT_MAX", "60", "s", "The longest timeout that a request may ask for.", _SECONDS),
    Setting(
        "LARS_TIMEOUT",
        at_most("10", "LARS_TIMEOUT_MAX", _SECONDS),
        "s",
        "Wall-clock time of a program whose request gives no timeout.",
        _SECONDS,
    ),
    Setting("LARS_MEMORY_MAX", "1g", "bytes", "The most memory that a request may ask for.", _MEMORY),
    Setting(
        "LARS_MEMORY",
        at_most("256m", "LARS_MEMORY_MAX", _MEMORY),
        "bytes",
        "Memory of a program whose request gives no memory_limit.",
        _MEMORY,
    ),
    Setting(
        "LARS_CPU_MAX",
        Computed("the number of CPUs", lambda facts: str(facts.cpus)),
        "cores",
        "The highest cpu_limit that a request may ask for.",
        _CORES,
    ),
    Setting(
        "LARS_CPU",
        at_most("1.0", "LARS_CPU_MAX", _CORES),
        "cores",
        "CPU of a program whose request gives no cpu_limit.",
        _CORES,
    ),
    Setting(
        "LARS_MAX_CODE_BYTES",
        at_most("512k", "LARS_MAX_BODY_BYTES", _BYTES),
        "bytes",
        "The largest program, in UTF-8.",
        _BYTES,
    ),
    Setting(
        "LARS_MAX_OUTPUT_BYTES",
        "1m",
        "bytes",
        "Output kept of each of stdout and stderr; of more, head and tail are kept.",
        _BYTES,
    ),
    Setting("LARS_MAX_RESULT_BYTES", "1m", "bytes", "The largest result, as JSON.", _BYTES),
    Setting(
        "LARS_SCRATCH_BYTES",
        "64m",
        "bytes",
        "Size of the scratch directory, in memory, that each program gets as /tmp.",
        parsers.size(64 * 1024, 64 * 1024**3),
    ),
    Setting("LARS_MAX_THREADS", "64", "", "Threads of one program.", parsers.integer(1, 32_768)),
    Setting(
        "LARS_MAX_OPEN_FILES",
        "256",
        "",
        "File descriptors that one program may have open.",
        parsers.integer(16, 1_048_576),
    ),
    Setting(
        "LARS_CGROUP",
        "auto",
        "",
        "The cgroup (version 2) that bounds all programs, sessions and functions together. auto takes the "
        "one that the service is in, where that is delegated to it and nobody else is in it; off takes none.",
        parsers.cgroup(),
    ),
    Setting(
        "LARS_CGROUP_MEMORY",
        "75%",
        "bytes",
        "Memory of all of them together, files in memory and page tables included. What there is: the "
        "machine's, or the cgroup's own limit where that is lower.",
        parsers.amount(parsers.size(64 * 1024**2, 1024**5)),
    ),
    Setting(
        "LARS_CGROUP_PIDS",
        "75%",
        "",
        "Processes and threads of all of them together.",
        parsers.amount(parsers.integer(16, 2**22)),
    ),
    Setting(
        "LARS_CGROUP_CPU",
        "none",
        "cores",
        "CPUs of all of them together. With none they may use all, but only a third of those that the "
        "service itself wants too.",
        parsers.amount(_CORES),
    ),
)
