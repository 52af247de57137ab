"""From settings to what a zygote is made of."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

from sandbox_runtime.call import largest_file
from seccomp import compile_profile
from service.cgroup.quarters import Quarters
from service.settings import Settings, SettingsError
from service.supervisor.zygote import ZygoteSpec


@dataclass(frozen=True, slots=True)
class SandboxSizes:
    """What of the settings the sandbox is made to. Bytes and counts."""

    scratch: int
    file_size: int
    open_files: int
    threads: int
    forks: int


def sandbox_sizes(settings: Settings) -> SandboxSizes:
    """As the settings say. SettingsError where this process may not give a worker that much."""
    sizes = SandboxSizes(
        scratch=settings.scratch_bytes,
        file_size=max(settings.scratch_bytes, largest_file(settings.session_quota)),
        open_files=settings.max_open_files,
        threads=settings.max_threads,
        forks=settings.zygote_max_forks,
    )
    _check_limits(sizes)
    return sizes


def spec_of(sizes: SandboxSizes) -> ZygoteSpec:
    """Compiles both seccomp profiles. ProfileError or CompilerUnavailableError when that cannot be done."""
    return ZygoteSpec(
        zygote_filter=compile_profile("zygote"),
        worker_filter=compile_profile("worker"),
        scratch=sizes.scratch,
        file_size=sizes.file_size,
        open_files=sizes.open_files,
        threads=sizes.threads,
        forks=sizes.forks,
    )


def sandbox_spec(settings: Settings, quarters: Quarters | None = None) -> ZygoteSpec:
    """Both in one, for zygotes that live in ``quarters``. Raises as both do."""
    spec = spec_of(sandbox_sizes(settings))
    return spec if quarters is None else replace(spec, quarters=quarters)


def _check_limits(sizes: SandboxSizes) -> None:
    """A jailed process cannot raise a limit above the hard one that it inherits, not even root's."""
    wanted = (
        ("LARS_MAX_OPEN_FILES", "n", resource.RLIMIT_NOFILE, sizes.open_files),
        ("LARS_MAX_THREADS", "u", resource.RLIMIT_NPROC, sizes.threads),
    )
    problems = []
    for name, option, number, value in wanted:
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY and hard < value:
            problems.append(
                f"{name}={value} is more than this process may give, {hard}; "
                f"raise that limit (ulimit -H{option}), or lower {name}"
            )
    if problems:
        raise SettingsError(tuple(problems))
