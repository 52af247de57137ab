"""Who may pass: the one decision on every request, before its body is read. Pure but for the clock."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from enum import Enum, auto
from functools import lru_cache

from service.access.credentials import token_of
from service.access.key_text import PREFIX
from service.access.keyring import Keyring
from service.access.opening import OPEN_SCOPES, is_local_host, is_loopback
from service.access.principal import ANONYMOUS, Principal
from service.access.scopes import Scope, in_order
from service.errors import ControlUnavailable, KeyMissing, ScopeMissing

STALE_SECONDS = 5.0  # without a look at the control database, after which a revocation could have been missed


class Open(Enum):
    """What no scope stands for, and LARS_PUBLIC may leave open; else any key will do."""

    HEALTH = auto()
    DOCS = auto()


Need = Scope | Open
PUBLIC_NAMES: dict[str, Need] = {
    "health": Open.HEALTH,
    "docs": Open.DOCS,
    "functions:read": Scope.FUNCTIONS_READ,
    "functions:call": Scope.FUNCTIONS_CALL,
}
# A word for each need: what a request was for, as figures tell it.
ENDPOINT_NAMES: dict[Need, str] = {
    **{scope: scope.value for scope in Scope},
    **{need: need.name.lower() for need in Open},
}
ENDPOINTS = tuple(ENDPOINT_NAMES.values())
_STALE = "no look at keys and functions for some time, in which one may have been revoked or unloaded"
_ANYBODY = Principal(ANONYMOUS, frozenset(), keyed=False)
_LOCAL = Principal(ANONYMOUS, OPEN_SCOPES, keyed=False)


Headers = Sequence[tuple[bytes, bytes]]


class Gate:
    """One front's. ``public``: what needs no key. ``local``: the service listens on a loopback address, and
    is open to it as long as there is no key."""

    def __init__(self, keyring: Keyring, public: Collection[Need], *, local: bool) -> None:
        self.keyring = keyring
        self.fresh_until = float("inf")
        self._public = frozenset(public)
        self._local = local

    @property
    def is_open(self) -> bool:
        """Whether there is no key, and the machine's own callers need none."""
        return self._local and self.keyring.empty

    @property
    def unkeyed(self) -> frozenset[Need]:
        """What needs no key now."""
        return frozenset((*OPEN_SCOPES, *Open)) if self.is_open else self._public

    def seen(self) -> None:
        """The keyring has just been compared with the control database."""
        self.fresh_until = time.monotonic() + STALE_SECONDS

    def doubt(self) -> None:
        """The control database is known to have changed, and cannot be read."""
        self.fresh_until = float("-inf")

    @property
    def in_doubt(self) -> bool:
        """Whether that is so."""
        return self.fresh_until == float("-inf")

    def admit(self, headers: Headers, address: str, need: Need) -> Principal:
        """Whom the request comes from. ``headers``: names in lower case; ``address``: the peer's, or the one
        that a trusted proxy tells. Unauthorized, ScopeMissing, ControlUnavailable, or BadRequest."""
        if need is Open.HEALTH and need in self._public:
            return _ANYBODY  # a probe is never turned away
        if self.is_open:
            return self._unkeyed(headers, address, need)
        token = token_of(headers)
        if token is None:
            if need in self._public:
                if isinstance(need, Scope) and time.monotonic() > self.fresh_until:
                    raise ControlUnavailable(_STALE)  # a function may have been unloaded since
                return _ANYBODY
            raise KeyMissing(
                "no key came; send one as X-API-Key or Authorization: Bearer (lars keys add makes them)"
            )
        if time.monotonic() > self.fresh_until:
            raise ControlUnavailable(_STALE)
        principal = self.keyring.principal_of(token)
        if isinstance(need, Scope) and need not in principal.scopes and need not in self._public:
            raise ScopeMissing(
                f"{principal.name} has the scopes {', '.join(in_order(principal.scopes))}, and this needs "
                f"{need}; use a key that has it",
                scope=need.value,
                who=principal.name,
            )
        return principal

    def _unkeyed(self, headers: Headers, address: str, need: Need) -> Principal:
        if time.monotonic() > self.fresh_until:
            raise ControlUnavailable(_STALE)
        token = token_of(headers)
        if token is not None and token.startswith(PREFIX):
            # Judged as a key: nobody works under one that is not there, and it may be the first, just made.
            return self.keyring.principal_of(token)
        if isinstance(need, Scope) and need not in OPEN_SCOPES:
            raise KeyMissing(
                f"{need} always needs a key, and there is none yet; the operator makes one with lars keys add"
            )
        if not _is_of_this_machine(address, _host(headers)):
            raise KeyMissing(
                "without a key the service is open to its own machine only, by the names localhost, "
                "127.0.0.1 and [::1]; the operator makes a key with lars keys add"
            )
        return _LOCAL if token is None else _self_styled(token)


def _self_styled(token: str) -> Principal:
    """In an open service a token proves nothing; it tells callers apart, so that each has sessions of its
    own."""
    digest = hashlib.sha256(token.encode("latin-1")).hexdigest()
    return Principal(f"bearer:{digest[:32]}", OPEN_SCOPES, keyed=False)


@lru_cache(maxsize=1024)
def _is_of_this_machine(address: str, host: bytes) -> bool:
    return is_loopback(address) and is_local_host(host.decode("latin-1"))


def _host(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"host":
            return value
    return b""
