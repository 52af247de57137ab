"""Asks, for each request, whether its key may make it.

``admit`` counts and refuses; the Admission that it returns says what is left, is charged with what the
request has cost, and gives its place among the runs at once back.
"""

from __future__ import annotations

import contextlib
import math
from typing import Literal

from service.access.principal import Principal
from service.errors import LimitsUnavailable, RateLimited
from service.limits.headers import HeaderForm, RawHeaders, text_headers
from service.limits.quotas import CPU_UNIT, Quotas, counter_name, quotas_of
from service.limits.rates import DAY, UNLIMITED, Rates
from service.limits.sliding import left_and_wait, used
from service.limits.store import Standing, Store

SMALLEST = 0.02  # CPU seconds: a hot request of a session uses a hundredth of that
_ACCOUNTS = 10_000  # kept made ready; making one costs some ten microseconds


class Account:
    """A key's limits and where it is counted. ``rates``: what the key came with; ``cpu`` and ``tokens``:
    which of its windows these are, or None; ``owed``: CPU seconds that have not been written down yet."""

    __slots__ = ("cpu", "form", "is_limited", "ledger", "owed", "quotas", "rates", "tokens")

    def __init__(self, rates: Rates, quotas: Quotas, store: Store) -> None:
        self.rates = rates
        self.quotas = quotas
        self.is_limited = bool(quotas)
        self.form = HeaderForm(quotas)
        self.ledger = store.ledger(quotas)
        self.cpu = _index(quotas, "cpu")
        self.tokens = _index(quotas, "tokens")
        self.owed = 0.0


class Admission:
    """One request that was let in. Release it when the request is over, however it ended."""

    __slots__ = ("_account", "_standing")

    def __init__(self, account: Account, standing: Standing) -> None:
        self._account = account
        self._standing = standing

    def headers(self) -> RawHeaders:
        """For the response: RateLimit-Policy, RateLimit, X-RateLimit-*. After ``charge`` they say what is
        left."""
        return self._account.form.render(self._standing)

    async def release(self) -> None:
        """Give the place among the runs at once back. Any further time does nothing."""
        lease, self._standing.lease = self._standing.lease, None
        if lease is not None:
            # The store that cannot be asked has said so, and lets go of the place by itself.
            with contextlib.suppress(LimitsUnavailable):
                await self._account.ledger.release(lease)

    async def charge(self, *, cpu: float = 0.0, tokens: int = 0) -> None:
        """Take CPU seconds and tokens off what the day allows, below nothing too: what is owed is waited for.
        An answer that has been worked for is not lost because this cannot be counted. Less than ``SMALLEST``
        CPU seconds are kept until they are more."""
        account = self._account
        if account.cpu is not None and cpu > 0:
            account.owed += cpu
            if account.owed >= SMALLEST:
                amount, account.owed = math.ceil(account.owed * CPU_UNIT), 0.0
                await self._take(account.cpu, amount)
        if account.tokens is not None and tokens > 0:
            await self._take(account.tokens, tokens)

    async def look(self) -> None:
        """Learn what other requests have used of the tokens since this one was let in."""
        if self._account.tokens is not None:
            await self._take(self._account.tokens, 0)

    async def _take(self, index: int, amount: int) -> None:
        with contextlib.suppress(LimitsUnavailable):
            self._standing.states[index] = await self._account.ledger.charge(index, amount)

    def tokens_left(self) -> int | None:
        """What the day still allows, as of the last look; None: no limit."""
        return None if self._account.tokens is None else self._tokens(self._account.tokens)[0]

    def need_tokens(self) -> None:
        """RateLimited when none is left. The response has the headers already that say so."""
        index = self._account.tokens
        if index is None:
            return
        quota = self._account.quotas.windows[index]
        left, wait = self._tokens(index)
        if left <= 0:
            raise RateLimited(quota.policy, quota.limit, quota.seconds, wait if quota.most else DAY, {})

    def _tokens(self, index: int) -> tuple[int, int]:
        """What is left, and the seconds until more is."""
        quota = self._account.quotas.windows[index]
        return left_and_wait(self._standing.states[index], quota.seconds, quota.most, quota.unit)


class Limiter:
    """One for each front. ``default``: the limits of principals that have none of their own."""

    def __init__(self, store: Store, default: Rates = UNLIMITED) -> None:
        self._store = store
        self._default = default
        self._accounts: dict[str, Account] = {}

    async def admit(self, principal: Principal, *, runs: bool) -> Admission | None:
        """Count a request; if it ``runs`` something, take a place among the runs at once, and see that CPU
        time of the day is left. None: no limits. RateLimited: nothing was counted.
        LimitsUnavailable."""
        rates = principal.rates
        if rates is UNLIMITED and self._default is UNLIMITED:
            return None
        account = self._accounts.get(principal.name)
        if account is None or account.rates is not rates:
            account = self._account(principal.name, rates)
        if not account.is_limited:
            return None
        standing = await account.ledger.admit(runs)
        if standing.refused:
            raise _refusal(account, standing, runs)
        return Admission(account, standing)

    async def seed(
        self,
        name: str,
        cpu_today: float = 0.0,
        cpu_yesterday: float = 0.0,
        tokens_today: int = 0,
        tokens_yesterday: int = 0,
    ) -> None:
        """What the key has used on these days (UTC), for a store that has forgotten: counts that it has
        stay."""
        cpu = math.ceil(cpu_today * CPU_UNIT), math.ceil(cpu_yesterday * CPU_UNIT)
        used: tuple[tuple[Literal["cpu", "tokens"], tuple[int, int]], ...] = (
            ("cpu", cpu),
            ("tokens", (tokens_today, tokens_yesterday)),
        )
        for policy, (today, yesterday) in used:
            if today or yesterday:
                await self._store.seed(counter_name(policy, DAY, name), DAY, today, yesterday)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    def _account(self, name: str, rates: Rates) -> Account:
        account = self._accounts.get(name)
        if account is not None and account.rates == rates:
            account.rates = rates  # read anew, but the same
            return account
        if len(self._accounts) >= _ACCOUNTS:
            self._accounts.clear()
        quotas = quotas_of(name, self._default if rates == UNLIMITED else rates)
        account = self._accounts[name] = Account(rates, quotas, self._store)
        return account


def _index(quotas: Quotas, policy: str) -> int | None:
    return next((n for n, quota in enumerate(quotas.windows) if quota.policy == policy), None)


def _refusal(account: Account, standing: Standing, runs: bool) -> RateLimited:
    """Of the limits that are used up, the one that will be for longest: a retry then meets none of them."""
    quotas = account.quotas
    found: list[tuple[int, str, int, int | None]] = []
    if runs and quotas.concurrent is not None and standing.held >= quotas.concurrent:
        found.append((1, "concurrent", quotas.concurrent, None))
    for quota, state in zip(quotas.windows, standing.states, strict=True):
        if quota.gates and used(state, quota.seconds) >= quota.most and (runs or quota.policy == "requests"):
            _, wait = left_and_wait(state, quota.seconds, quota.most, quota.unit)
            found.append((wait, quota.policy, quota.limit, quota.seconds))
    wait, policy, limit, window = max(found, key=lambda row: row[0])
    return RateLimited(policy, limit, window, wait, text_headers(account.form.render(standing)))
