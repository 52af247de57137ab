"""A provider that means harm: what it answers costs neither the process, nor its time, nor a key."""

from __future__ import annotations

import json
import time
import zlib
from typing import Any

import pytest

from sandbox_runtime import wire
from sandbox_runtime.planner.hiding import Hiding
from sandbox_runtime.planner.providers.sending import MAX_TOKENS
from sandbox_runtime.planning import Answer
from tests.planner.asking import GENERATE, KEY, NAMES, PROGRAM, asking, at, config_of
from tests.planning.providers import forms
from tests.planning.providers.replies import Fails, Raw, Received, Reply, Says
from tests.planning.providers.server import FakeProvider

_JSON = {"content-type": "application/json"}


def _typed(charset: str) -> dict[str, str]:
    return {"content-type": f"text/plain; charset={charset}"}


def _sent(answer: Answer) -> Answer:
    """As the front has it: what cannot be sent would never arrive."""
    (frame,) = wire.Decoder({wire.Kind.ANSWER: 1 << 20}).feed(wire.encode_json(wire.Kind.ANSWER, answer))
    return Answer.from_wire(wire.decode_object(frame))


HOSTILE: dict[str, tuple[Reply, str]] = {
    "lone surrogate": (Raw(b'{"error":{"message":"\\ud800"}}', 400, _JSON), "llm_request_refused"),
    "deep": (Raw(b'{"error":' + b"[" * 100_000, 400, _JSON), "llm_request_refused"),
    "deep and whole": (Raw(b"[" * 100_000 + b"]" * 100_000, 200, _JSON), "llm_malformed"),
    "endless refusal": (Raw(b"a " * 8_000_000, 400), "llm_request_refused"),
    "packed text": (Raw(zlib.compress(b"a" * 100_000_000), 400, _typed("zlib")), "llm_request_refused"),
    "no text": (Raw(b"6161", 400, _typed("hex")), "llm_request_refused"),
    "slow text": (Raw(b"a-" + b"b" * 300_000, 400, _typed("punycode")), "llm_request_refused"),
    "escaped text": (Raw(b"\\ud800", 400, _typed("unicode_escape")), "llm_request_refused"),
    "year": (
        Raw(b"{}", 429, {"retry-after": "Mon, 01 Jan 99999999999999 00:00:00 GMT"}),
        "llm_rate_limited",
    ),
    "zone": (Raw(b"{}", 429, {"retry-after": "Mon, 01 Jan 2030 00:00:00 +99999999999"}), "llm_rate_limited"),
    "key": (Fails(400, f"Wrong key: {KEY}"), "llm_request_refused"),
    "key in 5xx": (Fails(500, f"Wrong key: {KEY}", headers={"retry-after": "60"}), "llm_failed"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("reply", "code"), HOSTILE.values(), ids=HOSTILE)
async def test_hostile_answer_has_its_code(name: str, reply: Reply, code: str) -> None:
    """In time, as something that can be sent, and without a key."""
    with FakeProvider(reply) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            began = time.process_time()
            answer = _sent(await engine.ask("generate", GENERATE))
            assert time.process_time() - began < 1
    assert answer.failure is not None
    assert answer.failure.code == code
    assert {call.outcome for call in answer.calls} == {code}
    assert KEY not in answer.failure.detail


@pytest.mark.parametrize("name", NAMES)
async def test_cookies_are_not_kept(name: str) -> None:
    """They would be sent again, and grow for as long as the process lives."""
    with FakeProvider(Raw(b"{}", 400, {"set-cookie": "a=b"})) as fake:
        async with asking(config_of(at(fake, name))) as engine:
            await engine.code()
            await engine.code()
    assert ["cookie" in request.headers for request in fake.requests] == [False, False]


async def test_wait_is_a_day_at_most() -> None:
    """However far away the date is."""
    with FakeProvider(Raw(b"{}", 429, {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"})) as fake:
        async with asking(config_of(at(fake, "openai"))) as engine:
            failure = (await engine.ask("generate", GENERATE)).failure
    assert failure is not None
    assert failure.retry_after == 86_400


def _counting(tokens: object) -> Any:
    def reply(received: Received) -> Reply:
        body = forms.answer(received, Says(PROGRAM))
        body["usage"] = {"input_tokens": tokens, "output_tokens": tokens}
        return Raw(json.dumps(body).encode(), 200, _JSON)

    return reply


@pytest.mark.parametrize(
    ("told", "counted"), [(2**64 - 1, MAX_TOKENS), (10**30, 0), (-5, 0), (True, 0), ("7", 0), (7, 7)]
)
async def test_counts_that_cannot_be_are_not_taken(told: object, counted: int) -> None:
    """Sums of them can still be sent; what is paid without being told is estimated."""
    with FakeProvider(_counting(told)) as fake:
        async with asking(config_of(at(fake, "anthropic"))) as engine:
            (call,) = _sent(await engine.ask("generate", GENERATE)).calls
            _sent(await engine.ask("figures", {}))
    estimated = call.input_tokens > 500 and call.output_tokens == len(PROGRAM) // 3 + 1
    assert estimated if not counted else (call.input_tokens, call.output_tokens) == (counted, counted)


def test_hiding_takes_every_form_of_a_key() -> None:
    """Also the one in which Python would write it; nothing else is touched."""
    hiding = Hiding(["sk-12345\n678", "sk-12345", "short"])
    assert hiding.text("a sk-12345\n678 b sk-12345\\n678 c sk-12345 d short \ud800") == (
        "a [key] b [key] c [key] d short ?"
    )
