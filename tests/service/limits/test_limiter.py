"""What a key may do, what a response says of it, when a retry succeeds; on a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from blockbuster import BlockBuster
from hypothesis import given, settings
from hypothesis import strategies as st

from service.access.principal import Principal
from service.errors import RateLimited
from service.limits.limiter import Admission, Limiter
from service.limits.memory_store import MemoryStore
from service.limits.rates import DAY, UNLIMITED, read_rates
from service.limits.shared_table import SharedTable, create_shared
from service.limits.store import open_store
from tests.service.limits.asking import admitted, refused
from tests.service.limits.clock import NOON, Clock, principal

UNITS = {"cpu": "cpu-seconds", "tokens": "tokens", "concurrent": "concurrent-runs"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def limiter(clock: Clock) -> AsyncIterator[Limiter]:
    limiter = new_limiter(clock)
    yield limiter
    await limiter.close()


def new_limiter(clock: Clock) -> Limiter:
    return Limiter(MemoryStore(SharedTable(create_shared(slots=64, rows=16)), clock))


async def attempt(limiter: Limiter, who: Principal) -> RateLimited | None:
    """The refusal of a request that may be admitted."""
    try:
        await limiter.admit(who, runs=False)
    except RateLimited as error:
        return error
    return None


def shown(admission: Admission) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in admission.headers()}


async def test_without_limits(limiter: Limiter) -> None:
    """Whether there never were any or the list is empty."""
    assert await limiter.admit(Principal("key:one", frozenset()), runs=True) is None
    assert await limiter.admit(principal(), runs=True) is None


async def test_a_window_of_requests(limiter: Limiter, clock: Clock, loop_guard: BlockBuster) -> None:
    """As many as it says; then none until the window has moved far enough."""
    who = principal("3/minute")
    clock.now += 20
    left = [shown(await admitted(limiter, who))["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    error = await refused(limiter, who)
    assert error.extra == {"policy": "requests", "limit": 3, "window": 60, "retry_after": 41}
    assert error.headers == {
        "ratelimit-policy": '"requests";q=3;w=60',
        "ratelimit": '"requests";r=0;t=41',
        "x-ratelimit-limit": "3",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": f"{NOON + 61:.0f}",
        "Retry-After": "41",
    }
    clock.now += 40
    await refused(limiter, who)
    clock.now += 1
    await admitted(limiter, who)
    await refused(limiter, who)


async def test_what_a_response_says(limiter: Limiter) -> None:
    """All limits, in the form of the draft; the older headers are of the window with the least left."""
    who = principal("100/minute", "50/hour", "concurrent=4", "cpu=3600", "tokens=500")
    admission = await admitted(limiter, who)
    assert admission.headers() == [
        (
            b"ratelimit-policy",
            (
                b'"requests";q=100;w=60, "requests-3600";q=50;w=3600, "cpu";q=3600;w=86400;qu="cpu-seconds", '
                b'"tokens";q=500;w=86400;qu="tokens", "concurrent";q=4;qu="concurrent-runs"'
            ),
        ),
        (
            b"ratelimit",
            (
                b'"requests";r=99;t=61, "requests-3600";r=49;t=3601, "cpu";r=3600;t=0, "tokens";r=500;t=0, '
                b'"concurrent";r=3'
            ),
        ),
        (b"x-ratelimit-limit", b"50"),
        (b"x-ratelimit-remaining", b"49"),
        (b"x-ratelimit-reset", b"%d" % (NOON + 3601)),
    ]
    await admission.charge(cpu=10, tokens=7)
    assert '"cpu";r=3590;t=51832, "tokens";r=493;t=43201' in shown(admission)["ratelimit"]


async def test_without_requests_there_are_no_older_headers(limiter: Limiter) -> None:
    assert set(shown(await admitted(limiter, principal("cpu=1")))) == {"ratelimit-policy", "ratelimit"}


async def test_runs_at_once(limiter: Limiter) -> None:
    """A place that is given back is free, once; a request that runs nothing needs none."""
    who = principal("concurrent=2")
    first, second = [await admitted(limiter, who) for _ in range(2)]
    assert shown(second)["ratelimit"] == '"concurrent";r=0'
    error = await refused(limiter, who)
    assert error.extra == {"policy": "concurrent", "limit": 2, "window": None, "retry_after": 1}
    assert shown(await admitted(limiter, who, runs=False))["ratelimit"] == '"concurrent";r=0'
    for _ in range(3):
        await first.release()
    third = await admitted(limiter, who)
    await refused(limiter, who)
    for admission in (second, third):
        await admission.release()
    assert shown(await admitted(limiter, who, runs=False))["ratelimit"] == '"concurrent";r=2'


async def test_what_is_refused_is_not_counted(limiter: Limiter) -> None:
    """In none of the limits, whichever of them refused it."""
    who = principal("10/minute", "2/hour", "concurrent=5")
    for _ in range(2):
        await (await admitted(limiter, who)).release()
    errors = [await refused(limiter, who) for _ in range(20)]
    error = errors[-1]
    assert error.headers["ratelimit"].startswith('"requests";r=8;')
    assert error.headers["ratelimit"].endswith('"concurrent";r=5')


async def test_a_day_of_cpu(limiter: Limiter, clock: Clock) -> None:
    """Milliseconds count. What was used beyond the budget is owed; what runs nothing is let in all the
    same."""
    who = principal("cpu=10")
    admission = await admitted(limiter, who)
    await admission.charge(cpu=9.9985)
    assert shown(admission)["ratelimit"].startswith('"cpu";r=0;')
    await (await admitted(limiter, who)).charge(cpu=10)  # begun with a millisecond left
    error = await refused(limiter, who)
    assert (error.extra["policy"], error.extra["limit"], error.extra["window"]) == ("cpu", 10, DAY)
    await admitted(limiter, who, runs=False)
    # 19.999 s were used at noon: half a day until they begin to wane, then until they are less than 9.001.
    assert error.extra["retry_after"] == DAY // 2 + int(DAY * (1 - 9001 / 19999)) + 1
    clock.now += DAY - 60
    await refused(limiter, who)
    clock.now += DAY // 20 + 60
    await admitted(limiter, who)


async def test_what_is_owed_cannot_be_had_again_and_again(limiter: Limiter, clock: Clock) -> None:
    """A key whose every run costs more than is left gets no more of a week than about seven days' budgets."""
    who, cost, seen = principal("cpu=100"), 60.0, 0.0
    for _ in range(7 * 24 * 60):
        clock.now += 60
        try:
            admission = await limiter.admit(who, runs=True)
        except RateLimited:
            continue
        assert admission is not None
        await admission.charge(cpu=cost)
        seen += cost
    assert 5 * 100 < seen < 10 * 100


async def test_tokens(limiter: Limiter) -> None:
    """What is left is known before they are spent; costs of other limits are nobody's."""
    who = principal("tokens=100")
    admission = await admitted(limiter, who)
    assert admission.tokens_left() == 100
    await admission.charge(tokens=99, cpu=5)
    assert admission.tokens_left() == 1
    await admission.charge(tokens=50)
    assert admission.tokens_left() == 0
    for question in (admission, await admitted(limiter, who)):  # what needs no model runs on
        with pytest.raises(RateLimited) as caught:
            question.need_tokens()
        assert caught.value.extra["policy"] == "tokens"
        assert caught.value.retry_after > 1
    assert (await admitted(limiter, principal("cpu=1"))).tokens_left() is None


async def test_the_refusal_that_lasts_longest_is_told(limiter: Limiter) -> None:
    """A retry then meets none of the others."""
    who = principal("1/minute", "1/hour", "concurrent=1")
    await admitted(limiter, who)
    error = await refused(limiter, who)
    assert (error.extra["window"], error.extra["retry_after"]) == (3600, 3601)


async def test_keys_do_not_share(limiter: Limiter) -> None:
    await admitted(limiter, principal("1/minute"))
    await refused(limiter, principal("1/minute"))
    await admitted(limiter, principal("1/minute", name="key:two"))


async def test_new_limits_do_not_forget(limiter: Limiter) -> None:
    """A limit that is raised or lowered counts on; read anew, it is the same one."""
    for rates in ("3/minute", "3/minute", "5/minute"):
        await admitted(limiter, principal(rates))
    assert shown(await admitted(limiter, principal("5/minute")))["x-ratelimit-remaining"] == "1"
    await refused(limiter, principal("2/minute"))


async def test_the_limits_of_those_that_have_none(clock: Clock) -> None:
    """A limit of one's own takes the place of all of them."""
    store = MemoryStore(SharedTable(create_shared(slots=64)), clock)
    limiter = Limiter(store, read_rates(["1/minute"]))
    for none in (UNLIMITED, read_rates([])):
        plain = Principal(f"key:{id(none)}", frozenset(), none)
        await admitted(limiter, plain)
        await refused(limiter, plain)
    for _ in range(2):
        assert await limiter.admit(principal("cpu=1"), runs=True)
    await limiter.close()


async def test_seed(limiter: Limiter, clock: Clock) -> None:
    """What a day has used survives in another place; what is counted already is not counted twice."""
    clock.now += DAY / 4  # a quarter of the day is left
    who = principal("cpu=100", "tokens=1000")
    for _ in range(2):
        await limiter.seed(who.name, cpu_today=20, cpu_yesterday=80, tokens_yesterday=400)
    assert '"cpu";r=60;' in shown(await admitted(limiter, who))["ratelimit"]
    admission = await admitted(limiter, who)
    assert admission.tokens_left() == 900
    await admission.charge(cpu=1)
    await limiter.seed(who.name, cpu_today=99, tokens_today=99)
    assert '"cpu";r=59;' in shown(await admitted(limiter, who))["ratelimit"]
    await limiter.seed("key:new", 100)
    assert (await refused(limiter, principal("cpu=100", name="key:new"))).extra["policy"] == "cpu"


async def test_a_clock_that_is_set_back(limiter: Limiter, clock: Clock) -> None:
    """Nothing is forgotten, and nothing is kept for longer than two windows."""
    who = principal("2/minute")
    for _ in range(2):
        await admitted(limiter, who)
    clock.now -= 365 * DAY
    await refused(limiter, who)
    clock.now += 120
    await admitted(limiter, who)


@settings(max_examples=40)
@given(
    st.lists(st.floats(0, 150), min_size=1, max_size=40),
    st.integers(1, 5),
    st.sampled_from(["second", "minute", "7 seconds"]),
)
async def test_a_retry_after_what_was_told_succeeds(waits: list[float], amount: int, window: str) -> None:
    """And Reset is no earlier than the retry."""
    clock = Clock()
    limiter, who = new_limiter(clock), principal(f"{amount}/{window}")
    for wait in waits:
        clock.now += wait
        error = await attempt(limiter, who)
        if error is not None:
            told = int(str(error.extra["retry_after"]))
            assert int(error.headers["x-ratelimit-reset"]) >= clock.now + told
            clock.now += told
            await admitted(limiter, who, runs=False)
    await limiter.close()


async def test_a_store_for_one_process() -> None:
    """Where nobody shares, nobody has to hand out a descriptor. What ends after the store has ended too."""
    limiter = Limiter(await open_store("memory"))
    admission = await admitted(limiter, principal("concurrent=1"))
    await refused(limiter, principal("concurrent=1"))
    await limiter.close()
    await admission.release()
