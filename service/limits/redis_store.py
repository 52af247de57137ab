"""Counts in a Redis that several nodes share.

Sliding windows are those of the ``limits`` library: two keys for each, changed by its scripts, so that no
two nodes count past a limit between them. A window begins with the first request in it.

Places among the runs at once are leases in a sorted set for each key, by when they end: a node that dies
gives back nothing, so each lease ends by itself.

While Redis does not answer within a second, what has limits is refused. It is asked again with each request,
so nothing has to be done when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

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
from service.settings.parsers import SettingsError

T = TypeVar("T")
PREFIX = "lars"
_SECONDS = 0.5  # for one answer, and asked twice at most
_PAUSES = (0, 1, 5, 25)  # s
_CONNECTIONS = 64
_MOST = 1 << 52  # beyond every limit, and exact in Lua, whose numbers are doubles
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
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
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
        self._asking: set[asyncio.Task[Any]] = set()

    def ledger(self, quotas: Quotas) -> RedisLedger:
        """The counters of a key."""
        return RedisLedger(self, quotas)

    async def seed(self, counter: str, seconds: int, current: int, previous: int) -> None:
        """Nothing: Redis has not forgotten when this service starts again."""

    async def close(self) -> None:
        """Let what is asked be answered, which takes no longer than a Redis is waited for; close the
        connections."""
        if self._asking:
            _, late = await asyncio.wait(self._asking, timeout=4 * _SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._pool.disconnect()

    def ask(self, question: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin to ask, in a task of its own. Await it shielded: the client leaves connections open behind it
        that a cancellation has met. LimitsUnavailable when there is no answer."""
        return self._begin(self._answer(question))

    async def _answer(self, question: Coroutine[Any, Any, T]) -> T:
        """The log says once for each outage that there is none."""
        try:
            answer = await question
        except (RedisError, OSError) as error:
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
        await self._client.zrem(key, lease)

    def abandon(self, key: str, lease: str) -> None:
        """See to it that a lease is given back, if it was given, by a Redis that may be away for a while."""
        self._begin(self._give_back_in_the_end(key, lease))

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _give_back_in_the_end(self, key: str, lease: str) -> None:
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            with contextlib.suppress(RedisError, OSError):
                await self.give_back(key, lease)
                return


class RedisLedger:
    """The counters of one key.

    What is refused has not been counted: windows are read before they are counted in. Only a request that
    loses a race for the last of a second window leaves its count in the first."""

    def __init__(self, store: RedisStore, quotas: Quotas) -> None:
        self._store = store
        self._windows = [(quota.counter(quotas.name), quota.seconds, quota.bar) for quota in quotas.windows]
        self._requests = len(quotas.requests)
        self._limit = quotas.concurrent
        self._leases = f"{PREFIX}:{{concurrent/{quotas.name}}}"

    async def admit(self, runs: bool) -> Standing:
        """As ``Ledger.admit``. A request that ends while it is asked for gives back what it gets."""
        task = self._store.ask(self._admit(runs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._abandon)
            raise

    async def charge(self, index: int, amount: int) -> State:
        """As ``Ledger.charge``."""
        return await asyncio.shield(self._store.ask(self._charge(index, amount)))

    async def release(self, lease: str) -> None:
        """As ``Ledger.release``. What cannot be given back now is given back later."""
        await asyncio.shield(self._store.ask(self._give_back(lease)))

    async def _admit(self, runs: bool) -> Standing:
        for _ in range(_RACES):
            states = await _all([self._state(counter, seconds) for counter, seconds, _ in self._windows])
            refused = self._is_used_up(runs, states)
            if refused or not runs or self._limit is None:
                held, lease = await self._held(), None
            else:
                held, lease = await self._take(self._limit)
                refused = lease is None
            if refused:
                return Standing(True, time.time(), states, held, None)
            if await self._counted(states, lease):
                return Standing(False, time.time(), states, held, lease)
        raise LimitsUnavailable("too many requests of the key arrive at once to count this one")

    async def _counted(self, states: list[State], lease: str | None) -> bool:
        """As ``_count``. Unless it was counted, the lease is given back."""
        counted = False
        try:
            counted = await self._count(states)
        finally:
            if lease is not None and not counted:
                await self._give_back(lease)
        return counted

    async def _give_back(self, lease: str) -> None:
        try:
            await self._store.give_back(self._leases, lease)
        except (RedisError, OSError):  # it may be away, or refuse to write until another takes its place
            self._store.abandon(self._leases, lease)
            raise

    async def _take(self, limit: int) -> tuple[int, str | None]:
        lease = secrets.token_hex(8)
        try:
            held, given = await self._store.take(self._leases, lease, limit)
        except (RedisError, OSError):  # a Redis that stood still does what it was asked when it goes on
            self._store.abandon(self._leases, lease)
            raise
        return held, lease if given else None

    def _abandon(self, task: asyncio.Task[Standing]) -> None:
        if task.cancelled() or task.exception() is not None:
            return
        lease = task.result().lease
        if lease is not None:
            self._store.abandon(self._leases, lease)

    async def _held(self) -> int:
        return 0 if self._limit is None else (await self._store.take(self._leases, "", 0))[0]

    async def _state(self, counter: str, seconds: int) -> State:
        previous, wanes, current, expires = await self._store.windows.get_sliding_window(counter, seconds)
        return previous, current, min(wanes if previous else max(0.0, expires - seconds), seconds)

    def _is_used_up(self, runs: bool, states: list[State]) -> bool:
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
        cost = min(amount, _MOST)
        await self._store.windows.acquire_sliding_window_entry(counter, 2 * _MOST, seconds, cost)
        return await self._state(counter, seconds)


async def _all(questions: Sequence[Awaitable[T]]) -> list[T]:
    """All answers, or the first failure once none is asked any more."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found


def _pool(url: Secret) -> BlockingConnectionPool:
    try:
        return BlockingConnectionPool.from_url(
            url.reveal(),
            max_connections=_CONNECTIONS,
            timeout=_SECONDS,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            retry=Retry(NoBackoff(), 1),  # a connection that rested may have ended meanwhile
            driver_info=None,  # else each new connection looks on the disk for the client's version
        )
    except ValueError:
        raise SettingsError(["LARS_RATE_STORE=(hidden): is no URL of a Redis; correct it"]) from None
