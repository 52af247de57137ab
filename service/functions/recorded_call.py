"""A call that was kept, to be replayed on other versions. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Query = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call that ran. ``digest``: of the version that answered it. ``query`` and ``body`` as
    ``sandbox_runtime.function.Invocation`` has query and arguments. ``value``: JSON text of what was
    returned; where it is None, ``error`` is the type of the exception. ``run`` in seconds; ``time``: when it
    ended, in seconds since the epoch."""

    digest: str
    query: Query | None
    body: bytes | None
    value: bytes | None
    error: str | None
    run: float
    time: float
