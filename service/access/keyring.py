"""All keys of the service as one front has them in memory, and whom a token stands for.

A look-up takes the same steps for every token of the right form, so that the time does not show whether its
id is known. Rows come from the control database (``service.access.watch``), and are never removed there.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from service.access.key_text import PREFIX, KeyText, digest_of, read_key
from service.access.principal import Key, KeySpec, Principal
from service.access.scopes import Scope
from service.errors import KeyExpired, KeyMalformed, KeyRevoked, KeyUnknown
from service.limits.rates import UNLIMITED
from service.secret import Secret

_UNKNOWN = "there is no such key; check it, or have one made with lars keys add"
_MOST_READ = 10_000
_NOBODYS = bytes(32)  # no secret has this digest that anyone could find
# Variables whose value is a key, with what it is for.
VARIABLES: Mapping[str, frozenset[Scope]] = {
    "LARS_AUTH_TOKEN": frozenset((Scope.REST,)),
    "STARGATE_API_KEY": frozenset((Scope.FUNCTIONS_WRITE,)),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key, and whom its secrets stand for: the present one, and the one before the last rotation."""

    key: Key
    principal: Principal
    leaving: Principal


class Keyring:
    """``variables``: name -> the key in it."""

    def __init__(self, variables: Mapping[str, Secret] | None = None) -> None:
        self._entries: dict[str, _Entry] = {}
        self._variables = _of_environment(variables or {})
        self._had_keys = False
        self._read: dict[bytes, KeyText] = {}  # by SHA-256 of the token: what the keys in use read as

    @property
    def empty(self) -> bool:
        """Whether there has never been a key. One that has gone again, with a database that was put back,
        opens nothing."""
        return not (self._entries or self._variables or self._had_keys)

    def has_key_for(self, scope: Scope) -> bool:
        """Whether anybody may do this: there is a key with this scope, neither revoked nor expired."""
        now = time.time()
        keys = (entry.key for entry in self._entries.values())
        return any(scope in principal.scopes for _, principal in self._variables) or any(
            scope in key.spec.scopes
            and key.revoked is None
            and (key.spec.expires is None or key.spec.expires > now)
            for key in keys
        )

    def replace(self, keys: Iterable[Key]) -> None:
        """All keys there are: the database is another than before."""
        self._entries = {}
        self.update(keys)

    def update(self, keys: Iterable[Key]) -> None:
        """New and changed keys."""
        for key in keys:
            known = self._entries.get(key.id)
            if known is None or known.key.revision < key.revision:
                self._entries[key.id] = _entry(key)
                self._had_keys = True

    def principal_of(self, token: str) -> Principal:
        """Whom the token stands for. KeyMalformed, KeyUnknown, KeyRevoked or KeyExpired."""
        digest = digest_of(token)
        principal = self._of_variable(digest) if self._variables else None
        if principal is not None:
            return principal
        known = self._read.get(digest)
        if known is not None:
            return _judged(known, self._entries.get(known.id, _NOBODY))
        text = read_key(token)
        if text is not None:
            principal = _judged(text, self._entries.get(text.id, _NOBODY))
            self._remember(digest, text)
            return principal
        if token.startswith(PREFIX) or not self._variables:
            raise KeyMalformed(
                "the key has not the form sk_ENV_ID_SECRET_CHECKSUM, or a typo in it; send it as it was shown"
            )
        raise KeyUnknown(_UNKNOWN)

    def _remember(self, digest: bytes, text: KeyText) -> None:
        if len(self._read) >= _MOST_READ:
            self._read.clear()
        self._read[digest] = text

    def _of_variable(self, digest: bytes) -> Principal | None:
        matching = [principal for known, principal in self._variables if hmac.compare_digest(known, digest)]
        return matching[0] if matching else None


def _entry(key: Key) -> _Entry:
    spec = key.spec
    rates = UNLIMITED if spec.rates == UNLIMITED else spec.rates  # asked for by identity on every request
    principal = Principal(f"key:{key.id}", spec.scopes, rates=rates, policy=spec.policy, key_id=key.id)
    return _Entry(key, principal, replace(principal, sunset=key.previous_until))


def _judged(text: KeyText, entry: _Entry) -> Principal:
    key = entry.key
    present = hmac.compare_digest(key.digest, text.digest)
    leaving = hmac.compare_digest(key.previous or _NOBODYS, text.digest)
    if not (present or leaving) or entry is _NOBODY or key.spec.env != text.env:
        raise KeyUnknown(_UNKNOWN)
    now = time.time()
    if key.revoked is not None:
        raise KeyRevoked(f"key {key.id} was revoked; ask the operator for another")
    if key.spec.expires is not None and key.spec.expires <= now:
        raise KeyExpired(f"key {key.id} has expired; ask the operator for another")
    if present:
        return entry.principal
    if key.previous_until is None or key.previous_until <= now:
        raise KeyExpired(f"key {key.id} was rotated, and the time of its old secret is over; use the new one")
    return entry.leaving


def _of_environment(variables: Mapping[str, Secret]) -> tuple[tuple[bytes, Principal], ...]:
    """One principal for each different text: two variables may hold the same key."""
    names: dict[bytes, list[str]] = {}
    for name, secret in variables.items():
        names.setdefault(digest_of(secret.reveal()), []).append(name)
    return tuple(
        (
            digest,
            Principal(f"env:{same[0]}", frozenset().union(*(VARIABLES[name] for name in same))),
        )
        for digest, same in names.items()
    )


# What a token is compared with whose id is unknown.
_NOBODY = _entry(Key("", KeySpec("", "test", frozenset()), _NOBODYS, 0.0, 0))
