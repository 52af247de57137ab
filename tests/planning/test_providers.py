"""The fake providers against the official clients: what tests of the planner rest on."""

from __future__ import annotations

import anthropic
import openai
import pytest
import together

from tests.planning.providers.forms import RESPONSES
from tests.planning.providers.replies import QUOTA_USED, SPEND_LIMIT, Fails, Received, Says
from tests.planning.providers.server import FakeProvider


def _openai(provider: FakeProvider) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=provider.base_url("openai"), max_retries=0)


def _anthropic(provider: FakeProvider) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url=provider.base_url("anthropic"), max_retries=0)


def test_openai_reads_a_response_and_a_quota() -> None:
    """Text, usage and the error's code arrive; the request is on record."""
    with (
        FakeProvider(Says("yes", 100, 20, 64), QUOTA_USED, Fails(500)) as provider,
        _openai(provider) as client,
    ):
        response = client.responses.create(model="m", instructions="Be brief.", input="what is it?")
        with pytest.raises(openai.RateLimitError) as quota:
            client.responses.create(model="m", input="what is it?")
        assert (response.output_text, response.usage.input_tokens if response.usage else 0) == ("yes", 100)
        assert quota.value.code == "insufficient_quota"
        assert provider.requests[0].prompt == "Be brief.\n\nwhat is it?"
        assert provider.requests[0].headers["authorization"] == "Bearer k"


def test_anthropic_reads_a_message_and_a_spend_limit() -> None:
    """Its counts leave out what came from the cache; the error becomes the class of the limit."""
    with FakeProvider(Says("yes", 100, 20, 64), SPEND_LIMIT) as provider, _anthropic(provider) as client:
        message = client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "what is it?"}]
        )
        with pytest.raises(anthropic.RateLimitError) as limit:
            client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "again"}])
        assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (36, 64)
        assert type(limit.value).__name__ == "EnforcedSpendLimitReachedError"


def test_together_reads_a_completion_made_of_the_request() -> None:
    """The reply is a function of what was asked."""

    def echo(received: Received) -> str:
        return received.prompt.upper()

    with (
        FakeProvider(Says(echo)) as provider,
        together.Together(api_key="k", base_url=provider.base_url("together"), max_retries=0) as client,
    ):
        completion = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "what is it?"}]
        )
        message = completion.choices[0].message
        assert message is not None
        assert message.content == "WHAT IS IT?"


def test_a_compatible_server_lacks_responses() -> None:
    """404 there, an answer here."""
    with FakeProvider(Says("yes"), without=frozenset((RESPONSES,))) as provider, _openai(provider) as client:
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="m", input="what is it?")
        completion = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "what is it?"}]
        )
        assert completion.choices[0].message.content == "yes"
