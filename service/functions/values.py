"""A function that is served, its versions, and which of them a call gets. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Improvement = Literal["scan", "agent", "api"]


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """What the one who loads a function decides. ``hash``: visible_pixel_hash, in lower case; ``module``: the
    file it is in, without .py; ``path`` and ``method``: its own endpoint. ``improvement``: what it improves,
    if it does: that decides the path, and POST calls it as well. ``names.read_spec`` checks it."""

    hash: str
    name: str
    module: str
    path: str
    method: Method = "GET"
    improvement: Improvement | None = None

    @property
    def methods(self) -> tuple[Method, ...]:
        """All that call it at its path."""
        return (self.method,) if self.improvement is None else ("GET", "POST")


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a function, never changed. ``number`` counts from 1 without gaps; ``digest``: of its
    source; ``signature``: JSON; ``created``: seconds since the epoch; ``created_by``: ``Principal.name``."""

    number: int
    digest: str
    signature: str
    created: float
    created_by: str


@dataclass(frozen=True, slots=True)
class Canary:
    """A version that gets ``weight`` percent of the calls, 1 to 99."""

    version: int
    weight: int
    digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class Split:
    """What a canary is to be: ``weight`` percent of the calls, 1 to 99, for ``version``."""

    version: int
    weight: int


@dataclass(frozen=True, slots=True)
class Recording:
    """Which calls of the current version are kept to be replayed: ``percent`` of them at random, 1 to 100,
    and of these the newest ``calls``."""

    percent: int
    calls: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it is now. ``version``, ``digest`` and ``signature`` are those of the version that calls
    get but for the canary's share. One that is not ``loaded`` is not served. ``owner``: who loaded it
    first; times in seconds since the epoch; ``revision`` grows with every change of any key or function.
    ``recording``: None where no call is kept."""

    spec: FunctionSpec
    version: int
    digest: str
    signature: str
    canary: Canary | None
    loaded: bool
    created: float
    updated: float
    revision: int
    owner: str
    recording: Recording | None = None


def drawn(function: Function, draw: float) -> tuple[int, str]:
    """Version and digest for one call. ``draw``: from 0 up to, not including, 1; at random, or made from what
    should always get the same version."""
    canary = function.canary
    if canary is not None and draw * 100 < canary.weight:
        return canary.version, canary.digest
    return function.version, function.digest
