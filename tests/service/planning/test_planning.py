"""Asking on behalf of callers: who pays, what is refused before anybody is asked, what is written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from blockbuster import BlockBuster
from structlog.testing import capture_logs

from sandbox_runtime.planning import Repair, Standing
from service.access.meter import Meter
from service.access.principal import Principal
from service.errors import PlannerFailed, RateLimited
from service.limits.limiter import Limiter
from service.limits.memory_store import MemoryStore
from service.limits.rates import Rates
from service.limits.shared_table import SharedTable, create_shared
from service.planning.allowance import SERVICE, Allowance
from service.planning.asker import Asker
from service.planning.line import Line
from service.planning.planning import BadReply, Planning, Question
from tests.service.planning.planner_end import PlannerEnd, call, connected

QUESTION = Question("generate", {"query": "primes"})


@dataclass
class Desk:
    """A planning service and the planner behind it."""

    planning: Planning
    limiter: Limiter
    meter: Meter
    end: PlannerEnd

    async def asker(self, tokens: int | None = None) -> Asker:
        """Somebody whose key has so many tokens."""
        who = Principal("key:one", frozenset(), Rates(tokens=tokens))
        return Asker(who.name, await self.limiter.admit(who, runs=True), self.meter)


def desk_of(limiter: Limiter, meter: Meter, day_tokens: int | None = None, day_shapes: int = 2) -> Planning:
    return Planning(Line(expected=True), Allowance(limiter, meter, day_tokens, day_shapes), 30.0, 1000)


@pytest.fixture
async def desk(loop_guard: BlockBuster, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    limiter, meter = Limiter(MemoryStore(SharedTable(create_shared(slots=64, rows=16)))), Meter()
    planning = desk_of(limiter, meter, **getattr(request, "param", {}))
    end = await connected(planning.line)
    yield Desk(planning, limiter, meter, end)
    planning.line.close()
    end.close()
    await limiter.close()


async def test_who_asks_pays(desk: Desk) -> None:
    """Its key's tokens, its usage and that of the whole service, and a line for each call."""
    asker = await desk.asker(500)
    repair = Repair("x = ", "line 1: invalid syntax")
    asking = asyncio.create_task(
        desk.planning.ask(asker, Question("generate", {"query": "q"}, repair=repair))
    )
    ask = await desk.end.asked()
    assert (ask.task, ask.given, ask.repair) == ("generate", {"query": "q"}, repair)
    assert 29 < ask.seconds <= 30
    assert ask.tokens == 500
    with capture_logs() as lines:
        desk.end.answer(ask, call(90, "llm_failed"), call(60, cost=0.25), code="print(1)")
        assert await asking == {"code": "print(1)"}
    assert [(said["event"], said["outcome"], said["log_level"]) for said in lines] == [
        ("model_call", "llm_failed", "warning"),
        ("model_call", "ok", "info"),
    ]
    assert lines[1]["cost_usd"] == 0.25
    assert (asker.left, len(asker.calls)) == (350, 2)
    usage = {row[0]: figures.tokens for row, figures in desk.meter.take().items()}
    assert usage == {"key:one": 150, SERVICE: 150}


async def test_all_questions_of_one_request_together(desk: Desk) -> None:
    """The second is told what the first has left; when that is nothing, nobody is asked."""
    asker = Asker("anonymous")
    for given, used in ((1000, 900), (100, 90)):
        asking = asyncio.create_task(desk.planning.ask(asker, QUESTION))
        ask = await desk.end.asked()
        assert ask.tokens == given
        desk.end.answer(ask, call(used), code="")
        await asking
    with pytest.raises(PlannerFailed, match="990 tokens are used for this request and 10 are left") as caught:
        await desk.planning.ask(asker, QUESTION)
    assert caught.value.code == "llm_request_budget"


async def test_a_key_without_tokens(desk: Desk) -> None:
    """It is told as any other limit is; what it owes is waited for."""
    asker = await desk.asker(10)
    await asker.pay((call(30),))
    with pytest.raises(RateLimited) as caught:
        await desk.planning.ask(asker, QUESTION)
    assert caught.value.extra["policy"] == "tokens"
    assert set(caught.value.headers) == {"Retry-After"}  # the response has the others from the admission


@pytest.mark.parametrize("desk", [{"day_tokens": 100}], indirect=True)
async def test_the_day_of_the_service(desk: Desk) -> None:
    """All callers together."""
    asking = asyncio.create_task(desk.planning.ask(Asker("anonymous"), QUESTION))
    desk.end.answer(await desk.end.asked(), call(100), code="")
    await asking
    with pytest.raises(PlannerFailed, match=r"the 100 tokens that it has for a day") as caught:
        await desk.planning.ask(await desk.asker(), QUESTION)
    assert caught.value.code == "llm_day_budget"
    assert int(caught.value.headers["Retry-After"]) > 1


@pytest.mark.parametrize("desk", [{"day_tokens": 0}], indirect=True)
async def test_a_day_of_nothing(desk: Desk) -> None:
    with pytest.raises(PlannerFailed) as caught:
        await desk.planning.ask(Asker("anonymous"), QUESTION)
    assert caught.value.code == "llm_day_budget"


@pytest.mark.parametrize("desk", [{"day_shapes": 2}, {"day_shapes": 0}], indirect=True)
async def test_new_shapes_of_one_caller(desk: Desk, request: pytest.FixtureRequest) -> None:
    """Each caller has its own number of them."""
    allowed = request.node.callspec.params["desk"]["day_shapes"]
    for who in ("key:one", "anonymous"):
        for _ in range(allowed):
            await desk.planning.allowance.new_shape(who)
        with pytest.raises(RateLimited, match=f"{allowed} new shapes of requests") as caught:
            await desk.planning.allowance.new_shape(who)
        assert (caught.value.extra["policy"], caught.value.extra["limit"]) == ("shapes", allowed)
        assert caught.value.retry_after > 1


async def test_nothing_is_configured(desk: Desk) -> None:
    """What to set is said: where there is no planner, and where it stands and can ask nobody."""
    absent = Planning(Line(expected=False), desk.planning.allowance, 30.0, 1000)
    assert not absent.configured
    with pytest.raises(PlannerFailed, match="set OPENAI_API_KEY") as caught:
        await absent.ask(Asker("anonymous"), QUESTION)
    assert caught.value.code == "planner_not_configured"
    second = await connected(desk.planning.line, Standing((), {"openai": "pip install 'lars[openai]'"}, {}))
    assert not desk.planning.configured
    with pytest.raises(PlannerFailed, match=r"pip install 'lars\[openai\]'"):
        await desk.planning.ask(Asker("anonymous"), QUESTION)
    second.close()


async def test_a_request_without_time(desk: Desk) -> None:
    """A deadline is kept, and one that has passed costs nothing."""
    with pytest.raises(PlannerFailed) as caught:
        await desk.planning.ask(Asker("x"), Question("plan", {}, time.monotonic() - 1))
    assert caught.value.code == "llm_timeout"
    asking = asyncio.create_task(desk.planning.ask(Asker("x"), Question("plan", {}, time.monotonic() + 3)))
    ask = await desk.end.asked()
    assert 2 < ask.seconds <= 3
    desk.end.fail(ask, code="llm_rate_limited", detail="it said 429", retry_after=7.2)
    with pytest.raises(PlannerFailed, match="it said 429; send it again after 8 s") as caught:
        await asking
    assert caught.value.code == "llm_rate_limited"


async def test_a_reply_that_may_be_mended(desk: Desk) -> None:
    """It comes with what the model wrote."""
    asking = asyncio.create_task(desk.planning.ask(Asker("x"), QUESTION))
    desk.end.fail(await desk.end.asked(), code="llm_bad_reply", detail="no code in it", reply="I think")
    with pytest.raises(BadReply, match="no code in it") as caught:
        await asking
    assert (caught.value.code, caught.value.reply) == ("llm_bad_reply", "I think")


async def test_figures(desk: Desk) -> None:
    """None where there is no planner to have any."""
    asking = asyncio.create_task(desk.planning.figures())
    desk.end.answer(await desk.end.asked(), models=[])
    assert await asking == {"models": []}
    absent = Planning(Line(expected=True), desk.planning.allowance, 30.0, 1000)
    assert await absent.figures() is None


async def test_figures_of_a_planner_that_hangs(desk: Desk) -> None:
    """Whoever looks at them does not wait as long as a model may take."""
    began = time.monotonic()
    assert await desk.planning.figures() is None
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("desk", [{"day_tokens": 600}], indirect=True)
async def test_questions_at_once_share_what_is_left(desk: Desk) -> None:
    """The day's 600 tokens, and then a key's 500, are given away once."""
    first = asyncio.create_task(desk.planning.ask(Asker("anonymous"), QUESTION))
    ask = await desk.end.asked()
    assert ask.tokens == 600
    with pytest.raises(PlannerFailed, match="may use 600; send it again after 1 s") as caught:
        await desk.planning.ask(await desk.asker(), QUESTION)
    assert caught.value.code == "llm_day_budget"
    desk.end.answer(ask, call(10), code="")
    await first
    one, two = await desk.asker(500), await desk.asker(500)
    second = asyncio.create_task(desk.planning.ask(one, QUESTION))
    ask = await desk.end.asked()
    assert (ask.tokens, ask.payer) == (500, "key:one")
    with pytest.raises(PlannerFailed, match="500 tokens are left") as caught:
        await desk.planning.ask(two, QUESTION)
    assert caught.value.code == "llm_request_budget"
    desk.end.answer(ask, call(490), code="")
    await second
    with pytest.raises(PlannerFailed, match="10 are left"):  # it was let in when there were 500
        await desk.planning.ask(two, QUESTION)


async def test_who_goes_away_has_paid_for_the_prompt(desk: Desk) -> None:
    """A caller that disconnects before each answer would ask for nothing otherwise."""
    asker = await desk.asker(5000)
    asking = asyncio.create_task(desk.planning.ask(asker, Question("generate", {"query": "q" * 300})))
    await desk.end.asked()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asker.left == 5000 - 1000 - 312 // 3
