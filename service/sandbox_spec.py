"""From settings to what a zygote is made of."""

from __future__ import annotations

from sandbox_runtime.call import largest_file
from seccomp import compile_profile
from service.settings import Settings
from service.supervisor.zygote import ZygoteSpec


def sandbox_spec(settings: Settings) -> ZygoteSpec:
    """Compiles both seccomp profiles. ProfileError or CompilerUnavailableError when that cannot be done."""
    return ZygoteSpec(
        zygote_filter=compile_profile("zygote"),
        worker_filter=compile_profile("worker"),
        scratch=settings.scratch_bytes,
        file_size=max(settings.scratch_bytes, largest_file(settings.session_quota)),
        open_files=settings.max_open_files,
        threads=settings.max_threads,
        forks=settings.zygote_max_forks,
    )
