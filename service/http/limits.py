"""What one connection, and all of them together, may take of a front."""

from __future__ import annotations

import resource
from dataclasses import dataclass

import structlog
from structlog.typing import FilteringBoundLogger

from service.pool.lending import SPARE_WORKERS
from service.settings import Settings

_OF_WORKER = 5  # its four, and the directory of a session on the way to it
_OWN = 256  # event loop, zygotes, logs, spools, and connections that are being refused
_FEWEST = 16
_REMEDY = "raise the limit of open files (ulimit -n), or lower LARS_MAX_CONNECTIONS or LARS_SESSION_WORKERS"

_log: FilteringBoundLogger = structlog.get_logger("lars.front")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. ``header_bytes``: of a request line and its header fields together,
    and of what a chunked body has beside its content."""

    header_bytes: int
    headers: int
    header_seconds: float
    body_seconds: float
    write_seconds: float
    connections: int
    buffer_bytes: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """As the settings say; of connections no more than there are descriptors
        for, which is logged."""
        connections = min(settings.max_connections, room(settings, open_files()))
        if connections < settings.max_connections:
            _log.warning(
                "few_connections", asked=settings.max_connections, possible=connections, remedy=_REMEDY
            )
        return cls(
            header_bytes=settings.max_header_bytes,
            headers=settings.max_headers,
            header_seconds=settings.header_seconds,
            body_seconds=settings.body_seconds,
            write_seconds=settings.write_seconds,
            connections=connections,
            buffer_bytes=settings.buffer_bytes,
        )


def open_files() -> int:
    """The soft RLIMIT_NOFILE of this process, getrlimit(2)."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def room(settings: Settings, descriptors: int) -> int:
    """Connections for which a front with so many descriptors has room beside its workers'."""
    bound = settings.session_workers + settings.contract_workers + 2 * SPARE_WORKERS
    workers = settings.max_workers + settings.pool_size + bound
    return max(_FEWEST, descriptors - _OF_WORKER * workers - _OWN)
