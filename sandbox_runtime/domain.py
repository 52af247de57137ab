"""The isolation domain: what may share a worker, and what never may.

A worker is bound to one domain before it sees the first foreign byte and serves only that domain until
it dies. Two domains that compare unequal never share memory, files or a process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class OneShot:
    """One program, one worker, then death. Two one-shot runs are never the same domain."""

    kind = "oneshot"


@dataclass(frozen=True, slots=True)
class Session:
    """One caller's private session. The principal is part of the identity, so the same session id
    under two keys is two sessions."""

    principal: str
    session_id: str
    kind = "session"


@dataclass(frozen=True, slots=True)
class Contract:
    """The loaded functions of one ``visible_pixel_hash``."""

    visible_pixel_hash: str
    kind = "contract"


Domain = OneShot | Session | Contract
WorkerKind = Literal["oneshot", "session", "contract"]
WORKER_KINDS: tuple[WorkerKind, ...] = ("oneshot", "session", "contract")
