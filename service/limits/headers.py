"""What a response says of the limits of its key.

    RateLimit-Policy: "requests";q=100;w=60, "concurrent";q=4;qu="concurrent-runs"
    RateLimit: "requests";r=42;t=3, "concurrent";r=3
    X-RateLimit-Limit: 100      X-RateLimit-Remaining: 42      X-RateLimit-Reset: 1767225603

RateLimit-Policy and RateLimit are those of draft-ietf-httpapi-ratelimit-headers-11: ``q`` what a window of
``w`` seconds allows, in the unit ``qu`` if that is not requests; ``r`` what is left of it; ``t`` the
seconds until more is, 0 when all of it is left. The older three are of the window of requests with the
least left; Reset is in seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from service.limits.quotas import Quota, Quotas
from service.limits.sliding import State, left_and_wait
from service.limits.store import Standing

_UNITS = {"requests": "", "cpu": ';qu="cpu-seconds"', "tokens": ';qu="tokens"'}
RawHeaders = list[tuple[bytes, bytes]]


class HeaderForm:
    """The headers of one key, made but for the numbers."""

    def __init__(self, quotas: Quotas) -> None:
        self._windows = [(quota.seconds, quota.most, quota.unit) for quota in quotas.windows]
        self._limits = [b"%d" % quota.limit for quota in quotas.requests]
        self._concurrent = quotas.concurrent
        self._policy = _policy(quotas.windows, quotas.concurrent).encode()
        self._current = _current(quotas.windows, quotas.concurrent).encode()
        self._known: list[tuple[State, tuple[int, int]]] = [((0, 0, 0.0), (0, 0)) for _ in quotas.windows]

    def render(self, standing: Standing) -> RawHeaders:
        """Names in lower case, as ASGI wants them."""
        numbers: list[int] = []
        for index, state in enumerate(standing.states):
            known, left = self._known[index]
            if known is not state:  # of budgets the same is shown to many requests
                left = left_and_wait(state, *self._windows[index])
                self._known[index] = state, left
            numbers += left
        requests = 2 * len(self._limits)
        if self._concurrent is not None:
            numbers.append(max(0, self._concurrent - standing.held))
        headers = [(b"ratelimit-policy", self._policy), (b"ratelimit", self._current % tuple(numbers))]
        if requests:
            least = min(range(0, requests, 2), key=numbers.__getitem__) if requests > 2 else 0
            headers += (
                (b"x-ratelimit-limit", self._limits[least // 2]),
                (b"x-ratelimit-remaining", b"%d" % numbers[least]),
                (b"x-ratelimit-reset", b"%d" % math.ceil(standing.now + numbers[least + 1])),
            )
        return headers


def text_headers(headers: RawHeaders) -> dict[str, str]:
    """The same for an error's answer."""
    return {name.decode(): value.decode() for name, value in headers}


def _policy(windows: Sequence[Quota], concurrent: int | None) -> str:
    items = [f'"{quota.label}";q={quota.limit};w={quota.seconds}{_UNITS[quota.policy]}' for quota in windows]
    if concurrent is not None:
        items.append(f'"concurrent";q={concurrent};qu="concurrent-runs"')
    return ", ".join(items)


def _current(windows: Sequence[Quota], concurrent: int | None) -> str:
    items = [f'"{quota.label}";r=%d;t=%d' for quota in windows]
    if concurrent is not None:
        items.append('"concurrent";r=%d')
    return ", ".join(items)
