"""Errors of keys: who may not come in, who has had enough, and where neither can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from service.errors.base import (
    RequestError,
    TryLater,
)


class Unauthorized(RequestError):
    """The caller has not shown a key that is good here (RFC 6750 section 3)."""

    challenge: ClassVar[str] = 'Bearer realm="lars", error="invalid_token"'

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": self.challenge})


class KeyMissing(Unauthorized):
    """No key came."""

    challenge = 'Bearer realm="lars"'


class KeyMalformed(Unauthorized):
    """What came has not the form of a key, or its checksum is wrong."""


class KeyUnknown(Unauthorized):
    """There is no such key; also said of a known key's id with another secret."""


class KeyRevoked(Unauthorized):
    """The key has been revoked."""


class KeyExpired(Unauthorized):
    """The key's time is over, or a rotation has replaced this secret."""


class ScopeMissing(RequestError):
    """The key is good, but not for this. ``who``: the name of its principal."""

    def __init__(self, detail: str, *, scope: str, who: str) -> None:
        challenge = f'Bearer realm="lars", error="insufficient_scope", scope="{scope}"'
        super().__init__(detail, extra={"scope": scope}, headers={"WWW-Authenticate": challenge})
        self.who = who


class RateLimited(RequestError):
    """The key has used up one of its limits. ``policy``: requests, concurrent, cpu, tokens or shapes;
    ``limit`` in its unit, for any ``window`` seconds (None: at once); ``retry_after``: whole seconds until a
    retry succeeds if nothing else is asked for. ``headers``: what the response says of all limits of the
    key."""

    def __init__(
        self, policy: str, limit: int, window: int | None, retry_after: int, headers: Mapping[str, str]
    ) -> None:
        self.retry_after = seconds = max(1, retry_after)
        self.policy = policy
        what = _RATE_WORDS[policy].format(limit=limit, window=window)
        super().__init__(
            f"the key is at its limit of {what}; send the request again after {seconds} s, "
            "or have the key's limits raised",
            extra={"policy": policy, "limit": limit, "window": window, "retry_after": seconds},
            headers={**headers, "Retry-After": str(seconds)},
        )


_RATE_WORDS: Final[Mapping[str, str]] = {
    "requests": "{limit} requests in {window} s",
    "concurrent": "{limit} runs at once",
    "cpu": "{limit} CPU seconds in {window} s",
    "tokens": "{limit} tokens in {window} s",
    "shapes": "{limit} new shapes of requests that a model plans in {window} s",
}
LIMITS: Final = tuple(_RATE_WORDS)


class ControlUnavailable(TryLater):
    """The control database refused, or could not be reached. ``reason``: what it said, for the log and the
    operator; a caller is not told."""

    usual = "the database of keys cannot be used"

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class LimitsUnavailable(TryLater):
    """Whether the key is within its limits cannot be told, so the request is refused."""

    usual = "the counts of the key's limits cannot be reached, so the request was refused and nothing ran"
