"""Every way in which a provider fails has its code, with each provider's own client over a real socket."""

from __future__ import annotations

import pytest

from tests.planner.asking import KEY, NAMES, PROGRAM, asking, at, config_of
from tests.planning.providers.replies import (
    OVERLOADED,
    QUOTA_USED,
    SPEND_LIMIT,
    Drops,
    Fails,
    Raw,
    Redirects,
    Reply,
    Says,
    Trickles,
)
from tests.planning.providers.server import FakeProvider

# What it answers, the code, and how many requests it takes to give up.
FAILURES: list[tuple[str, Reply, str, int]] = [
    ("400", Fails(400, "bad"), "llm_request_refused", 1),
    ("401", Fails(401, f"Incorrect API key provided: {KEY}"), "llm_unauthorized", 1),
    ("402", Fails(402, "pay"), "llm_spend_limit", 1),
    ("403", Fails(403, "not you"), "llm_unauthorized", 1),
    ("404", Fails(404, "The model `m` does not exist", code="model_not_found"), "llm_model_unknown", 1),
    ("408", Fails(408, "slow"), "llm_timeout", 2),
    ("409", Fails(409, "busy"), "llm_request_refused", 2),
    ("413", Fails(413, "long"), "llm_request_refused", 1),
    ("422", Fails(422, "odd"), "llm_request_refused", 1),
    ("429", Fails(429, "slow down", headers={"retry-after": "1"}), "llm_rate_limited", 2),
    ("429 for hours", Fails(429, "slow down", headers={"retry-after": "600"}), "llm_rate_limited", 1),
    ("429 told off", Fails(429, "no", headers={"x-should-retry": "false"}), "llm_rate_limited", 1),
    ("quota", QUOTA_USED, "llm_spend_limit", 1),
    ("spend limit", SPEND_LIMIT, "llm_spend_limit", 1),
    ("ramp limit", Fails(429, "grow slower", code="ramp_limit_exceeded"), "llm_rate_limited", 2),
    ("500", Fails(500), "llm_failed", 2),
    ("503 html", Raw(b"<html>", 503), "llm_failed", 2),
    ("529", OVERLOADED, "llm_failed", 2),
    ("html", Raw(b"<html>"), "llm_malformed", 1),
    ("an array", Raw(b"[]", 200, {"content-type": "application/json"}), "llm_malformed", 1),
    ("no members", Raw(b"{}", 200, {"content-type": "application/json"}), "llm_malformed", 1),
    ("cut JSON", Raw(b'{"id": "x', 200, {"content-type": "application/json"}), "llm_malformed", 1),
    ("nothing", Raw(b""), "llm_malformed", 1),
    ("compressed", Raw(b"x", 200, {"content-encoding": "gzip"}), "llm_malformed", 1),
    ("too long", Raw(b" " * ((4 << 20) + 1)), "llm_malformed", 1),
    ("cut off", Says(PROGRAM, stop="length"), "llm_truncated", 1),
    ("refused", Says("no", stop="refusal"), "llm_refused", 1),
    ("filtered", Says("no", stop="filter"), "llm_refused", 1),
    ("prose", Says("I would rather talk."), "llm_bad_reply", 1),
    ("wrong schema", Says('{"answer": 42}'), "llm_bad_reply", 1),
    ("dropped", Drops(), "llm_unreachable", 2),
    ("elsewhere", Redirects("http://192.0.2.1:9/v1"), "llm_host_refused", 1),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("reply", "code", "requests"), [row[1:] for row in FAILURES], ids=[r[0] for r in FAILURES]
)
async def test_failure_has_its_code(name: str, reply: Reply, code: str, requests: int) -> None:
    """And its number of attempts; no detail has the key."""
    with FakeProvider(reply) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            answer = await engine.ask("generate", {"query": "?", "policy": "program", "data": None})
        assert answer.failure is not None
        assert (answer.failure.code, len(fake.requests)) == (code, requests)
        assert [call.outcome for call in answer.calls] == [
            code if code != "llm_bad_reply" else "ok"
        ] * requests
        assert KEY not in answer.failure.detail


@pytest.mark.parametrize("name", NAMES)
async def test_trickling_ends_with_the_time(name: str) -> None:
    """Each byte is in time; the whole is not. A client's own timeout would begin anew with each."""
    with FakeProvider(Trickles(0.01)) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            answer = await engine.ask(
                "generate", {"query": "?", "policy": "program", "data": None}, seconds=0.4
            )
    assert answer.failure is not None
    assert answer.failure.code == "llm_timeout"
    assert 0.3 < answer.calls[0].seconds < 5


@pytest.mark.parametrize("name", NAMES)
async def test_cut_off_reply_is_paid_for(name: str) -> None:
    """Usage survives where there is no reply, and cached tokens are part of the input everywhere."""
    with FakeProvider(Says("x", 900, 70, 500, stop="length")) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            answer = await engine.ask("generate", {"query": "?", "policy": "program", "data": None})
    (call,) = answer.calls
    assert (call.input_tokens, call.output_tokens, call.cached_tokens, call.tokens) == (900, 70, 500, 970)


async def test_nobody_listens() -> None:
    """A port that was free a moment ago."""
    with FakeProvider() as fake:
        provider = at(fake, "openai")
    async with asking(config_of(provider)) as engine:
        assert await engine.code() == "llm_unreachable"
        assert engine.time.pauses == [0.5]
