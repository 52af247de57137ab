"""The same limits in a real Redis, by several nodes, and without it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from itertools import count

import pytest
from blockbuster import BlockBuster
from redis.asyncio import Redis
from structlog.testing import capture_logs

from service.access.principal import Principal
from service.errors import LimitsUnavailable, RateLimited
from service.limits.limiter import Admission, Limiter
from service.limits.rates import DAY
from service.limits.store import open_store
from service.secret import Secret
from service.settings.parsers import SettingsError
from tests.service.limits.asking import admitted, refused
from tests.service.limits.clock import principal
from tests.service.limits.conftest import PASSWORD, RedisServer

_numbers = count()


def somebody(*rates: str) -> Principal:
    """A key that no other test has."""
    return principal(*rates, name=f"key:{next(_numbers)}")


@pytest.fixture
async def limiter(redis_server: RedisServer) -> AsyncIterator[Limiter]:
    limiter = Limiter(await open_store(Secret(redis_server.url), lease=30))
    yield limiter
    await limiter.close()


async def outcomes(limiters: list[Limiter], who: Principal, times: int) -> list[Admission]:
    """Those admitted of so many requests at once, from all of these nodes."""
    asked = [limiter.admit(who, runs=True) for limiter in limiters for _ in range(times)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, Admission | RateLimited | LimitsUnavailable) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Admission)]


async def test_a_window_of_requests(limiter: Limiter, loop_guard: BlockBuster) -> None:
    who = somebody("3/hour")
    left = [dict((await admitted(limiter, who)).headers())[b"x-ratelimit-remaining"] for _ in range(3)]
    assert left == [b"2", b"1", b"0"]
    error = await refused(limiter, who)
    assert (error.extra["policy"], error.extra["limit"], error.extra["window"]) == ("requests", 3, 3600)
    assert error.extra["retry_after"] in (3600, 3601)
    assert error.headers["ratelimit"] == f'"requests";r=0;t={error.extra["retry_after"]}'


async def test_a_retry_after_what_was_told_succeeds(limiter: Limiter) -> None:
    """In Redis's own time: the only test that waits for it."""
    who = somebody("2/second")
    for _ in range(2):
        await admitted(limiter, who)
    error = await refused(limiter, who)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.call_later(int(str(error.extra["retry_after"])), told.set)
    await told.wait()
    await admitted(limiter, who)


async def test_nodes_share_their_counts(redis_server: RedisServer, limiter: Limiter) -> None:
    """However many ask at once, as many as the limit says are admitted."""
    other = Limiter(await open_store(Secret(redis_server.url)))
    assert len(await outcomes([limiter, other], somebody("20/hour"), 20)) == 20
    who = somebody("concurrent=5")
    holding = await outcomes([limiter, other], who, 10)
    assert len(holding) == 5
    await refused(other, who)
    await holding[0].release()
    await holding[0].release()
    await admitted(other, who)
    await refused(limiter, who)
    await other.close()


async def test_what_is_refused_is_not_counted(limiter: Limiter) -> None:
    who = somebody("10/minute", "2/hour", "concurrent=5")
    for _ in range(2):
        await (await admitted(limiter, who)).release()
    errors = [await refused(limiter, who) for _ in range(5)]
    assert errors[-1].headers["ratelimit"].startswith('"requests";r=8;')
    assert errors[-1].headers["ratelimit"].endswith('"concurrent";r=5')


async def test_budgets_of_the_day(limiter: Limiter) -> None:
    """Charged past their end; what runs nothing is let in all the same."""
    who = somebody("cpu=10", "tokens=100", "concurrent=9")
    admission = await admitted(limiter, who)
    assert admission.tokens_left() == 100
    await admission.charge(cpu=4.5, tokens=30)
    assert admission.tokens_left() == 70
    assert b'"cpu";r=5;' in dict(admission.headers())[b"ratelimit"]
    await admission.charge(cpu=15.5)
    error = await refused(limiter, who)
    assert error.extra["policy"] == "cpu"
    # 20 s: a day until they begin to wane, and more than half a day until they are 9.
    assert error.extra["retry_after"] == pytest.approx(DAY + DAY * 11 / 20, abs=20)
    await admitted(limiter, who, runs=False)
    await admission.charge(tokens=1 << 70)
    assert admission.tokens_left() == 0
    await limiter.seed(who.name, cpu_today=1)


async def test_a_lease_ends_by_itself(redis_server: RedisServer, limiter: Limiter) -> None:
    """A node that dies gives nothing back; its runs are taken to be over when no run could last longer. Those
    of others are not."""
    node = Limiter(await open_store(Secret(redis_server.url), lease=0.3))
    who = somebody("concurrent=2")
    await admitted(limiter, who)
    await admitted(node, who)
    await refused(node, who)
    async with asyncio.timeout(20):
        while await is_refused(node, who):
            pass
    await admitted(node, who)
    await refused(limiter, who)
    await node.close()


async def is_refused(limiter: Limiter, who: Principal) -> bool:
    """If it is not, it is over at once."""
    try:
        admission = await limiter.admit(who, runs=True)
    except RateLimited:
        return True
    assert admission is not None
    await asyncio.shield(admission.release())
    return False


async def test_a_request_that_is_cancelled_holds_no_place(limiter: Limiter) -> None:
    """Wherever it is stopped: what it may have been given is given back."""
    who = somebody("1000/minute", "concurrent=1")
    ended: set[bool | None] = set()
    turns = 0
    while False not in ended:
        task = asyncio.create_task(is_refused(limiter, who))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        ended.add(None if task.cancelled() else task.result())
        turns += 1
    assert turns > 5
    assert None in ended
    async with asyncio.timeout(20):
        while await is_refused(limiter, who):
            pass


async def test_every_key_has_the_prefix_and_an_end(redis_server: RedisServer, limiter: Limiter) -> None:
    """Nothing stays in Redis for ever, and nothing lies where others may keep theirs."""
    who = somebody("5/minute", "concurrent=1", "cpu=1", "tokens=1")
    await (await admitted(limiter, who)).charge(cpu=1, tokens=1)
    async with Redis.from_url(redis_server.url) as client:
        keys = [key async for key in client.scan_iter()]
        assert all(key.startswith(b"lars:") for key in keys)
        own = [key for key in keys if who.name.encode() in key]  # those of other tests may just be ending
        assert len(own) == 4
        assert all([0 < await client.ttl(key) <= 2 * DAY for key in own])


async def test_without_redis(redis_server: RedisServer, limiter: Limiter) -> None:
    """What has limits is refused, what has none is not; said once; and all is well when it is back."""
    who = somebody("5/minute", "concurrent=2", "tokens=5")
    admission = await admitted(limiter, who)
    with capture_logs() as lines:
        redis_server.stop()
        for _ in range(3):
            with pytest.raises(LimitsUnavailable, match=r"^the counts .* cannot be reached"):
                await limiter.admit(who, runs=True)
        await admission.charge(tokens=5)  # the answer has been worked for
        await admission.release()
        assert await limiter.admit(Principal("key:free", frozenset()), runs=True) is None
        redis_server.start()
        await admitted(limiter, who)
    assert [line["event"] for line in lines] == ["rate_store_lost", "rate_store_back"]
    assert PASSWORD not in str(lines)


async def test_a_redis_that_does_not_answer(redis_server: RedisServer, limiter: Limiter) -> None:
    """Is waited for no longer than a second."""
    who = somebody("5/minute", "concurrent=1")
    await (await admitted(limiter, who)).release()
    loop = asyncio.get_running_loop()
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        began = loop.time()
        with pytest.raises(LimitsUnavailable):
            await limiter.admit(who, runs=True)
        assert 0.9 < loop.time() - began < 5
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    async with asyncio.timeout(20):
        while await is_refused(limiter, who):
            pass


async def test_a_place_of_a_request_that_could_not_be_counted(
    redis_server: RedisServer, limiter: Limiter
) -> None:
    """Is given back: Redis may fail between the two."""
    who = somebody("5/minute", "concurrent=1")
    counter = f"lars:{{requests/60/{who.name}}}"
    async with Redis.from_url(redis_server.url) as client:
        await client.set(counter, "+0")  # is read as a number, and not added to
        with pytest.raises(LimitsUnavailable):
            await limiter.admit(who, runs=True)
        await client.delete(counter)
    await (await admitted(limiter, who)).release()


async def test_a_place_that_a_redis_would_not_take_back(redis_server: RedisServer, limiter: Limiter) -> None:
    """Is given back when it does: nothing is written to one that follows another, as after a failover."""
    who = somebody("concurrent=1")
    admission = await admitted(limiter, who)
    async with Redis.from_url(redis_server.url) as client:
        await client.replicaof("127.0.0.1", "1")
        try:
            await admission.release()
        finally:
            await client.replicaof("NO", "ONE")
    async with asyncio.timeout(20):
        while await is_refused(limiter, who):
            pass


@pytest.mark.parametrize("url", ["unix://:{0}@/nowhere/redis", "redis://:{0}@127.0.0.1:1/0"])
async def test_a_redis_that_is_not_there(url: str) -> None:
    """A service starts without it, and refuses what it cannot count."""
    limiter = Limiter(await open_store(Secret(url.format(PASSWORD))))
    with capture_logs() as lines, pytest.raises(LimitsUnavailable):
        await limiter.admit(principal("5/minute"), runs=True)
    assert [line["event"] for line in lines] == ["rate_store_lost"]
    await limiter.close()


async def test_a_wrong_password(redis_server: RedisServer) -> None:
    """Is an outage, and stays out of the log."""
    limiter = Limiter(await open_store(Secret(redis_server.url.replace(PASSWORD, "wrong-word"))))
    with capture_logs() as lines, pytest.raises(LimitsUnavailable):
        await limiter.admit(principal("5/minute"), runs=True)
    (line,) = lines
    assert line["event"] == "rate_store_lost"
    assert "wrong-word" not in str(lines)
    await limiter.close()


@pytest.mark.parametrize("url", [f"redis://:{PASSWORD}@host:port/0", f"redis://:{PASSWORD}@host:1/0?db=x"])
async def test_a_url_that_is_none(url: str) -> None:
    """The variable is named, its text is not."""
    with pytest.raises(SettingsError) as caught:
        await open_store(Secret(url))
    assert str(caught.value) == "LARS_RATE_STORE=(hidden): is no URL of a Redis; correct it"
    assert caught.value.__cause__ is None
