"""Counts in a Redis that several nodes share.

Sliding windows are those of the ``limits`` library: two keys for each, changed by its scripts, so that no
two nodes count past a limit between them. A window begins with the first request in it.

Places among the runs at once are leases in a sorted set for each key, by when they end: a node that dies
gives back nothing, so each lease ends by itself.

A Redis that does not answer within a second refuses what has limits. It is asked again with each request,
so nothing has to be done when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from structlog.typing import FilteringBoundLogger

from service.errors import LimitsUnavailable
from service.limits.quotas import Quotas
from service.limits.sliding import State, used
from service.limits.store import Standing
from service.secret import Secret
from service.settings_parsers import SettingsError

T = TypeVar("T")
PREFIX = "lars"
_SECONDS = 1.0
_CONNECTIONS = 64
_ANY_AMOUNT = 1 << 53
_RACES = 4
_log: FilteringBoundLogger = structlog.get_logger("lars.limits")

# By Redis's own clock, which all nodes share. KEYS: the set. ARGV: the lease, its milliseconds, the limit.
# Returns how many are held, this one included if it was given, and whether it was. Limit 0 only looks.
_LEASE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local held = redis.call('ZCARD', KEYS[1])
if held >= tonumber(ARGV[3]) then return {held, 0} end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {held + 1, 1}
"""


class RedisStore:
    """One pool of connections, made as they are needed. ``lease`` in seconds. SettingsError when the URL is
    none that the client reads; it is never repeated, for it may hold a password."""

    def __init__(self, url: Secret, lease: float) -> None:
        self._pool = _pool(url)
        self._client = Redis(connection_pool=self._pool)
        # Without an address: the library connects through the pool, and cannot tell what it does not know.
        self.windows = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type]  # typed as a text or number
        )
        self._milliseconds = round(lease * 1000)
        self._lease = self._client.register_script(_LEASE)
        self._is_lost = False
        self._returning: set[asyncio.Task[None]] = set()

    def ledger(self, quotas: Quotas) -> RedisLedger:
        """The counters of a key."""
        return RedisLedger(self, quotas)

    async def seed(self, counter: str, seconds: int, current: int, previous: int) -> None:
        """Nothing: Redis has not forgotten when this service starts again."""

    async def close(self) -> None:
        """Give back what is being given back, and close the connections."""
        await asyncio.gather(*self._returning)
        await self._pool.disconnect()

    async def ask(self, question: Awaitable[T]) -> T:
        """Its answer. LimitsUnavailable when there is none in time; the log says so once for each outage."""
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await question
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            if not self._is_lost:
                self._is_lost = True
                _log.error("rate_store_lost", reason=type(error).__name__)  # its text may hold the URL
            raise LimitsUnavailable from None
        if self._is_lost:
            self._is_lost = False
            _log.warning("rate_store_back")
        return answer

    async def take(self, key: str, lease: str, limit: int) -> tuple[int, bool]:
        """Runs at once, and whether the lease is of one of them."""
        held, given = await self._lease(keys=[key], args=[lease, self._milliseconds, limit])
        return int(held), bool(given)

    async def give_back(self, key: str, lease: str) -> None:
        """The run of this lease is over."""
        await self.ask(self._client.zrem(key, lease))

    def give_back_later(self, key: str, lease: str) -> None:
        """For a request that is itself ended just now. What fails is given back by time."""

        async def give_back() -> None:
            with contextlib.suppress(LimitsUnavailable):
                await self.give_back(key, lease)

        task = asyncio.create_task(give_back())
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)


class RedisLedger:
    """The counters of one key.

    What is refused has not been counted: windows are read before they are counted in. Only a request that
    loses a race for the last of a second window leaves its count in the first."""

    def __init__(self, store: RedisStore, quotas: Quotas) -> None:
        self._store = store
        self._windows = [(quota.counter(quotas.name), quota.seconds, quota.most) for quota in quotas.windows]
        self._requests = len(quotas.requests)
        self._limit = quotas.concurrent
        self._leases = f"{PREFIX}:{{concurrent/{quotas.name}}}"

    async def admit(self, runs: bool) -> Standing:
        """As ``Ledger.admit``."""
        lease = secrets.token_hex(8)
        try:
            standing = await self._store.ask(self._admit(runs, lease))
        except BaseException:
            if runs and self._limit is not None:  # whether it was given is not known
                self._store.give_back_later(self._leases, lease)
            raise
        return standing

    async def charge(self, index: int, amount: int) -> State:
        """As ``Ledger.charge``."""
        return await self._store.ask(self._charge(index, amount))

    async def release(self, lease: str) -> None:
        """As ``Ledger.release``."""
        await self._store.give_back(self._leases, lease)

    async def _admit(self, runs: bool, lease: str) -> Standing:
        for _ in range(_RACES):
            held, states = await asyncio.gather(self._held(), self._states())
            if self._is_used_up(runs, held, states):
                return Standing(True, time.time(), states, held, None)
            given = False
            if runs and self._limit is not None:
                held, given = await self._store.take(self._leases, lease, self._limit)
                if not given:
                    return Standing(True, time.time(), states, held, None)
            if await self._count(states):
                return Standing(False, time.time(), states, held, lease if given else None)
            if given:
                await self._store.give_back(self._leases, lease)
        raise LimitsUnavailable("too many requests of the key arrive at once to count this one")

    async def _held(self) -> int:
        return 0 if self._limit is None else (await self._store.take(self._leases, "", 0))[0]

    async def _states(self) -> list[State]:
        read = (self._state(counter, seconds) for counter, seconds, _ in self._windows)
        return list(await asyncio.gather(*read))

    async def _state(self, counter: str, seconds: int) -> State:
        previous, wanes, current, expires = await self._store.windows.get_sliding_window(counter, seconds)
        return previous, current, min(wanes if previous else max(0.0, expires - seconds), seconds)

    def _is_used_up(self, runs: bool, held: int, states: list[State]) -> bool:
        if runs and self._limit is not None and held >= self._limit:
            return True
        ask = len(states) if runs else self._requests
        return any(
            used(state, seconds) >= most
            for state, (_, seconds, most) in zip(states[:ask], self._windows, strict=False)
        )

    async def _count(self, states: list[State]) -> bool:
        """One request in each window of requests; False when another took the last of one."""
        for index, (counter, seconds, most) in enumerate(self._windows[: self._requests]):
            if not await self._store.windows.acquire_sliding_window_entry(counter, most, seconds):
                return False
            previous, current, ttl = states[index]
            states[index] = previous, current + 1, ttl if previous or current else float(seconds)
        return True

    async def _charge(self, index: int, amount: int) -> State:
        counter, seconds, _ = self._windows[index]
        # A limit that nothing reaches: what has been used is used, within the budget or not.
        await self._store.windows.acquire_sliding_window_entry(counter, _ANY_AMOUNT, seconds, amount)
        return await self._state(counter, seconds)


def _pool(url: Secret) -> BlockingConnectionPool:
    try:
        return BlockingConnectionPool.from_url(
            url.reveal(),
            max_connections=_CONNECTIONS,
            timeout=_SECONDS,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(
                NoBackoff(), 1
            ),  # once: a connection that rested may be to a Redis that has gone since
        )
    except ValueError:
        raise SettingsError(["LARS_RATE_STORE=(hidden): is no URL of a Redis; correct it"]) from None
