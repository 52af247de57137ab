"""Who a request comes from, and the key that says so. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.access.key_text import Environment
from service.access.scopes import Scope
from service.limits.rates import UNLIMITED, Rates

Policy = Literal["program", "restricted"]
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What the maker of a key decides. ``expires``: seconds since the epoch. ``policy``: what its programs
    run under at least; None leaves that to the service."""

    name: str
    env: Environment
    scopes: frozenset[Scope]
    description: str = ""
    rates: Rates = UNLIMITED
    policy: Policy | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: no secret. Times in seconds since the epoch.

    ``digest``: SHA-256 of the secret; ``previous``: of the one before the last rotation, which is taken until
    ``previous_until``. ``revision`` grows with every change of any key."""

    id: str
    spec: KeySpec
    digest: bytes
    created: float
    revision: int
    rotated: float | None = None
    previous: bytes | None = None
    previous_until: float | None = None
    revoked: float | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``name``: ``key:ID``, ``env:VARIABLE``, or who a caller of an open service says it is;
    ``keyed`` tells the first two from the last. ``sunset``: until when the secret that came is taken, after a
    rotation."""

    name: str
    scopes: frozenset[Scope]
    rates: Rates = UNLIMITED
    policy: Policy | None = None
    key_id: str | None = None
    sunset: float | None = None
    keyed: bool = True


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, for the audit log. ``source``: the address it came from, or ``command line``."""

    principal: str
    source: str
