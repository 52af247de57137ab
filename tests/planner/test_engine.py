"""Which model is asked, how often, and when not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from sandbox_runtime.planning import Answer
from tests.planner.asking import GENERATE, NAMES, PROGRAM, Asking, asking, at, config_of
from tests.planning.providers.replies import QUOTA_USED, Drops, Fails, Raw, Says, Trickles
from tests.planning.providers.server import FakeProvider
from tests.support import wait_until

GOOD = Says(PROGRAM)
BROKEN = Fails(500)


async def test_second_attempt_answers() -> None:
    """One wait between them, a random part of a second; both calls are on record."""
    with FakeProvider(BROKEN, GOOD) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            answer = await engine.ask("generate", GENERATE)
            assert engine.time.pauses == [0.5]
    assert [call.outcome for call in answer.calls] == ["llm_failed", "ok"]


@pytest.mark.parametrize(
    ("after", "seconds", "waited"), [("2", 10.0, [2.0]), ("9.8", 10.0, []), ("0", 10.0, [0.0])]
)
async def test_retry_after_is_heard_within_the_time(after: str, seconds: float, waited: list[float]) -> None:
    """And not at all where it would be too late."""
    with FakeProvider(Fails(429, headers={"retry-after": after}), GOOD) as fake:
        async with asking(config_of(at(fake, "anthropic"))) as engine:
            code = await engine.code(seconds=seconds)
            assert engine.time.pauses == waited
    assert code == ("" if waited else "llm_rate_limited")


@pytest.mark.parametrize("first", [BROKEN, QUOTA_USED, Fails(401), Fails(400, "odd"), Drops(), Raw(b"?")])
async def test_second_provider_answers(first: Any) -> None:
    """Whatever ails the first."""
    with FakeProvider(first) as one, FakeProvider(GOOD) as two:
        async with asking(config_of(at(one, "openai"), at(two, "anthropic"))) as engine:
            answer = await engine.ask("generate", GENERATE)
    assert answer.output is not None
    assert [call.provider for call in answer.calls][-1] == "anthropic"
    assert len(two.requests) == 1


@pytest.mark.parametrize("reply", [Says("no", stop="refusal"), Says(PROGRAM, stop="length"), Says("Well.")])
async def test_second_provider_is_not_asked_to_do_better(reply: Says) -> None:
    """The first could be asked: what it said counts."""
    with FakeProvider(reply) as one, FakeProvider(GOOD) as two:
        async with asking(config_of(at(one, "openai"), at(two, "anthropic"))) as engine:
            answer = await engine.ask("generate", GENERATE)
    assert answer.failure is not None
    assert (len(one.requests), len(two.requests)) == (1, 0)


async def test_slow_provider_leaves_time_for_the_second() -> None:
    """Six tenths of it are the first one's."""
    with FakeProvider(Trickles(0.01)) as one, FakeProvider(GOOD) as two:
        async with asking(config_of(at(one, "together"), at(two, "openai"))) as engine:
            answer = await engine.ask("generate", GENERATE, seconds=2.5)
    assert [call.outcome for call in answer.calls] == ["llm_timeout", "ok"]
    assert 1.3 < answer.calls[0].seconds < 2.3


async def test_of_two_failures_the_first_is_the_code() -> None:
    """With both in the detail."""
    with FakeProvider(QUOTA_USED) as one, FakeProvider(Fails(401)) as two:
        async with asking(config_of(at(one, "openai"), at(two, "anthropic"))) as engine:
            failure = (await engine.ask("generate", GENERATE)).failure
    assert failure is not None
    assert (failure.code, "anthropic answered 401" in failure.detail) == ("llm_spend_limit", True)


async def test_bad_reply_comes_along_for_its_repair() -> None:
    """At most 64 KiB of it."""
    with FakeProvider(Says("Well. " * 20_000)) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            failure = (await engine.ask("generate", GENERATE)).failure
    assert failure is not None
    assert (failure.code, len(failure.reply)) == ("llm_bad_reply", 64 * 1024)


async def test_budget_is_checked_before_the_call() -> None:
    """A prompt of some 700 tokens: with 500 nothing is sent; with 1000 the output is cut to what is left."""
    with FakeProvider(GOOD) as fake:
        async with asking(config_of(at(fake, "openai"), max_output=8000)) as engine:
            assert (await engine.code(tokens=500), fake.models_called) == ("llm_request_budget", 0)
            assert await engine.code(tokens=1000) == ""
    assert 16 <= fake.requests[0].body["max_output_tokens"] < 400


async def test_no_more_at_once_than_allowed() -> None:
    """One runs, one waits until its time is over, the third is refused at once."""
    with FakeProvider(Trickles(0.01)) as fake:
        async with asking(config_of(at(fake, "openai"), at_once=1)) as engine:
            running = asyncio.create_task(engine.code())
            await asyncio.to_thread(wait_until, lambda: bool(fake.requests), "a request")
            codes = await asyncio.gather(engine.code(seconds=0.1), engine.code())
            running.cancel()
            await asyncio.wait([running])
    assert list(codes) == ["llm_timeout", "llm_overloaded"]
    assert fake.models_called == 1


async def _codes(engine: Asking, times: int) -> list[str]:
    return [await engine.code() for _ in range(times)]


async def test_breaker_opens_probes_and_closes() -> None:
    """Five failures in a row, at two attempts each: after the third question it is not asked any more. After
    half a minute one question is the probe."""
    with FakeProvider(BROKEN) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            codes = await _codes(engine, 4)
            assert (codes, fake.models_called) == (
                ["llm_failed", "llm_failed", "llm_unavailable", "llm_unavailable"],
                5,
            )
            engine.time.ahead += 40
            assert (await engine.code(), fake.models_called) == ("llm_unavailable", 6)
            engine.time.ahead += 40
            fake.script(GOOD)
            assert await _codes(engine, 3) == ["", "", ""]


async def test_spent_money_is_not_asked_for_again() -> None:
    """For five minutes, under the same code."""
    with FakeProvider(QUOTA_USED) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            assert await _codes(engine, 3) == ["llm_spend_limit"] * 3
            engine.time.ahead += 400
            assert await engine.code() == "llm_spend_limit"
    assert fake.models_called == 2


async def test_breaker_does_not_mind_what_is_ours() -> None:
    """Wrong keys, wrong requests and useless replies."""
    replies = [reply for reply in (Fails(401), Fails(400, "odd"), Says("Well.")) for _ in range(6)]
    with FakeProvider(*replies) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            await _codes(engine, 18)
    assert fake.models_called == 18


@pytest.mark.parametrize("name", NAMES)
async def test_cancelled_question_ends_its_request(name: str) -> None:
    """And leaves its place and the breaker's probe to others."""
    with FakeProvider(Trickles(0.01), GOOD) as fake:
        async with asking(config_of(at(fake, name), at_once=1)) as engine:
            task = asyncio.create_task(engine.code())
            await asyncio.to_thread(wait_until, lambda: bool(fake.requests), "a request")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await engine.code() == ""


async def test_nobody_is_configured() -> None:
    """The sentences of the standing are the detail."""
    async with asking(config_of()) as engine:
        answer: Answer = await engine.ask("generate", GENERATE)
    assert answer.failure is not None
    assert answer.failure.code == "planner_not_configured"


async def test_slow_questions_of_one_payer_open_nothing() -> None:
    """Those of two payers do."""
    with FakeProvider(Trickles(0.05)) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            payers = (*("one",) * 6, "two", "two")
            said = [await engine.code(seconds=0.06, payer=payer) for payer in payers]
    assert said == ["llm_timeout"] * 7 + ["llm_unavailable"]


async def test_one_payer_has_not_all_places() -> None:
    """Of eight places for two callers at once a greedy one gets seven; another is still let in; who names no
    payer is limited by the places alone."""
    with FakeProvider(Trickles(0.05)) as fake:
        async with asking(config_of(at(fake, "openai"), at_once=4)) as engine:
            greedy = [asyncio.ensure_future(engine.code(seconds=0.6, payer="greedy")) for _ in range(8)]
            other = asyncio.ensure_future(engine.ask("generate", GENERATE, seconds=0.6, payer="other"))
            codes = await asyncio.gather(*greedy)
            failure = (await other).failure
    assert Counter(codes) == {"llm_timeout": 7, "llm_overloaded": 1}
    assert failure is not None
    assert failure.code == "llm_timeout"
    with FakeProvider(Trickles(0.05)) as fake:
        async with asking(config_of(at(fake, "openai"), at_once=1)) as engine:
            codes = await asyncio.gather(*(engine.code(seconds=0.6) for _ in range(3)))
    assert Counter(codes) == {"llm_timeout": 2, "llm_overloaded": 1}
