"""What is sent to each provider, and what is made of what it answers."""

from __future__ import annotations

import pytest

from sandbox_runtime.planning import Price, Repair
from tests.planner.asking import GENERATE, IMPROVE, KEY, NAMES, PLAN, PROGRAM, REVIEW, asking, at, config_of
from tests.planning.providers.forms import CHAT, MESSAGES, RESPONSES
from tests.planning.providers.replies import Fails, Raw, Received, Reply, Says, Trickles
from tests.planning.providers.server import FakeProvider

MEMBERS = {
    "openai": {"model", "instructions", "input", "max_output_tokens", "prompt_cache_key", "store", "text"},
    "anthropic": {"model", "max_tokens", "system", "messages", "output_config"},
    "together": {"model", "messages", "max_tokens", "response_format"},
}
LIMITS = {"openai": "max_output_tokens", "anthropic": "max_tokens", "together": "max_tokens"}
MODELS = {"openai": "gpt-5.4-mini", "anthropic": "claude-haiku-5-5", "together": "openai/gpt-oss-120b"}
NO_SCHEMA = Fails(400, "Invalid schema for response_format: output_config.format, text.format")


@pytest.mark.parametrize("name", NAMES)
async def test_request_has_these_members(name: str) -> None:
    """No temperature, which some refuse, and nothing that identifies anybody; the key in its header alone."""
    with FakeProvider(Says(PROGRAM)) as fake:
        async with asking(config_of(at(fake, name), max_output=777)) as engine:
            answer = await engine.ask("generate", GENERATE)
    (request,) = fake.requests
    assert answer.output == {"code": "print(1)", "assessment": "It is safe."}
    assert (set(request.body), request.body["model"]) == (MEMBERS[name], MODELS[name])
    assert (request.body[LIMITS[name]], request.headers["authorization"]) == (777, f"Bearer {KEY}")
    assert [header for header, value in request.headers.items() if KEY in value] == ["authorization"]
    assert (request.headers["accept-encoding"], request.has_schema) == ("identity", True)


@pytest.mark.parametrize("name", NAMES)
async def test_rules_come_first_and_stay_the_same(name: str) -> None:
    """So that providers can cache them: two prompts differ only in what follows."""
    with FakeProvider(Says(PROGRAM)) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            for query in ("print one", "print two"):
                await engine.ask("generate", {**GENERATE, "query": query})
    one, two = (request.prompt for request in fake.requests)
    assert one.replace("print one", "print two") == two
    assert one.index("print one") > len(one) - 40


@pytest.mark.parametrize("name", NAMES)
async def test_repair_is_a_conversation(name: str) -> None:
    """The last reply as the model's own turn, then what is wrong with it."""
    repair = Repair("import os", "line 1: a plan imports nothing")
    reply = '{"action": "close", "resource": "projects", "block": "REPLY = make_response(204)"}'
    with FakeProvider(Says(reply)) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            answer = await engine.ask("plan", PLAN, repair=repair)
    body = fake.requests[0].body
    turns = [turn for turn in body.get("messages", body.get("input")) if turn["role"] != "system"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert (turns[1]["content"], repair.problem in turns[2]["content"]) == (repair.reply, True)
    assert answer.output == {
        "action": "close",
        "resource": "projects",
        "block": "REPLY = make_response(204)",
    }


async def test_unknown_route_means_chat_completions() -> None:
    """Asked once, remembered: an OpenAI-compatible server without the Responses API."""
    with FakeProvider(Says(PROGRAM), without=frozenset((RESPONSES,))) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            codes = [await engine.code() for _ in range(2)]
    assert (codes, [request.path for request in fake.requests]) == (["", ""], [RESPONSES, CHAT, CHAT])
    assert "max_completion_tokens" in fake.requests[1].body


async def test_compatible_server_is_asked_in_its_form() -> None:
    """form "chat": never another route, and the limit under its old name; no key means a placeholder."""
    with FakeProvider(Says(PROGRAM)) as fake:
        async with asking(config_of(at(fake, "openai", "qwen", "chat"))) as engine:
            assert await engine.code() == ""
    (request,) = fake.requests
    assert (request.path, request.body["model"], request.body["max_tokens"]) == (CHAT, "qwen", 1000)


@pytest.mark.parametrize("name", NAMES)
async def test_schema_that_is_refused_is_left_out(name: str) -> None:
    """Once and for all for this model; the rules say the form in words too."""

    def strict(received: Received) -> Reply:
        return NO_SCHEMA if received.has_schema else Says(PROGRAM)

    with FakeProvider(strict) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            codes = [await engine.code() for _ in range(2)]
    assert codes == ["", ""]
    assert [request.has_schema for request in fake.requests] == [True, False, False]


async def test_review_gives_no_code_where_nothing_changed() -> None:
    """Empty, or the same once more."""
    same = Says('{"assessment": "Fine.", "code": "print(1)\\n"}')
    empty = Says('{"assessment": "Fine.", "code": ""}')
    better = Says('{"assessment": "Slow.", "code": "print(2)\\n"}')
    with FakeProvider(same, empty, better) as fake:
        async with asking(config_of(at(fake, "anthropic"))) as engine:
            codes = [(await engine.ask("review", REVIEW)).output for _ in range(3)]
    assert [output and output["code"] for output in codes] == [None, None, "print(2)\n"]
    assert {request.path for request in fake.requests} == {MESSAGES}


@pytest.mark.parametrize("name", NAMES)
async def test_improvement_has_a_module_and_cases(name: str) -> None:
    """By a schema of texts, which every provider takes. A reply without a module is told by what it lacks."""
    good = '{"code": "x = 1", "assessment": "Fast.", "cases": "[{\\"arguments\\": {\\"n\\": 2}}]"}'
    with FakeProvider(Says(good), Says("I would cache it.")) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            output = (await engine.ask("improve", IMPROVE)).output
            failure = (await engine.ask("improve", IMPROVE)).failure
    assert output == {"code": "x = 1", "assessment": "Fast.", "cases": [{"arguments": {"n": 2}}]}
    assert fake.requests[0].has_schema
    assert fake.requests[0].prompt.endswith(f"The module:\n\n{IMPROVE['module']}")
    assert failure is not None
    assert (failure.code, failure.detail) == (
        "llm_bad_reply",
        "what the model wrote has no module that can be used",
    )


async def test_calls_are_counted_and_priced() -> None:
    """1000 in, 400 of them cached, 100 out, at 1, 5 and 0.1 dollars for a million; and the same without."""
    prices = {"gpt-5.4-mini": Price(1.0, 5.0, 0.1)}
    with FakeProvider(Says(PROGRAM, 1000, 100, 400)) as fake:
        providers = (at(fake, "openai"), at(fake, "openai", "other"))
        async with asking(config_of(providers[0], prices=prices)) as engine:
            priced = (await engine.ask("generate", GENERATE)).calls[0]
            await engine.ask("generate", GENERATE)
            figures = (await engine.ask("figures", {})).output
        async with asking(config_of(providers[1], prices=prices)) as engine:
            unpriced = (await engine.ask("generate", GENERATE)).calls[0]
    assert priced.cost == pytest.approx(0.00114)
    assert unpriced.cost is None
    assert figures is not None
    (row,) = figures["models"]
    assert (row["provider"], row["model"], row["outcome"], row["calls"]) == (
        "openai",
        "gpt-5.4-mini",
        "ok",
        2,
    )
    assert (row["input_tokens"], row["output_tokens"], row["cached_tokens"]) == (2000, 200, 800)
    assert (row["cost"], row["buckets"][-1]) == (pytest.approx(0.00228), [60.0, 2])


async def test_what_nobody_has_counted_has_no_cost() -> None:
    """0 dollars would be a claim: neither for a server that tells no tokens, nor for an answer that was given
    up on, which the provider may have written and billed. Where it refuses to answer, it is one."""
    prices = {"gpt-5.4-mini": Price(1.0, 5.0, 0.1)}
    script = (Says(PROGRAM, 0, 0, 0), Raw(b"<html>"), Fails(401), Trickles(0.01))
    with FakeProvider(*script) as fake:
        async with asking(config_of(at(fake, "openai"), prices=prices)) as engine:
            asked = [await engine.ask("generate", GENERATE, seconds=0.3) for _ in script]
            figures = (await engine.ask("figures", {})).output
    costs = [(call.outcome, call.cost) for answer in asked for call in answer.calls]
    assert costs == [
        ("ok", None),
        ("llm_malformed", None),
        ("llm_unauthorized", 0.0),
        ("llm_timeout", None),
    ]
    assert figures is not None
    assert {row["outcome"]: row["cost"] for row in figures["models"]} == dict(costs)
