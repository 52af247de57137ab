"""Anthropic's messages. Never with a temperature, which its API no longer takes."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from sandbox_runtime.planner.model import CallFailed, ModelReply, ModelRequest, Usage
from sandbox_runtime.planner.providers.seat import Seat
from sandbox_runtime.planner.providers.sending import answer_to, malformed, member, whole_number

_CUT_OFF = ("max_tokens", "model_context_window_exceeded", "pause_turn")


class AnthropicModel:
    """The rules are marked for its cache: it keeps them for five minutes after each call."""

    def __init__(self, sdk: ModuleType, seat: Seat) -> None:
        self.provider = seat.provider.name
        self.name = seat.model
        self.address = seat.address
        self._sdk = sdk
        self._client = sdk.AsyncAnthropic(
            api_key=seat.key,
            base_url=seat.base_url,
            max_retries=0,
            timeout=seat.http.timeout,
            http_client=seat.http,
            open_telemetry=False,  # the engine's spans are of every provider alike
        )

    async def call(self, request: ModelRequest) -> ModelReply:
        """See ``Model``."""
        rules = {"type": "text", "text": request.prompt.rules, "cache_control": {"type": "ephemeral"}}
        body: dict[str, Any] = {
            "model": self.name,
            "max_tokens": request.max_output,
            "system": [rules],
            "messages": [{"role": role, "content": text} for role, text in request.prompt.turns],
        }
        if request.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema.form}}
        sending = self._client.messages.with_raw_response.create(**body)
        return _reply_of(self.provider, await answer_to(self._sdk, self.provider, sending))

    async def close(self) -> None:
        """See ``Model``."""
        await self._client.close()


def _reply_of(provider: str, body: Mapping[str, Any]) -> ModelReply:
    usage = _usage(body.get("usage"))
    stop = body.get("stop_reason")
    if stop in _CUT_OFF:
        raise CallFailed("llm_truncated", f"{provider}: the reply was cut off: {stop}", usage=usage)
    if stop == "refusal":
        raise CallFailed("llm_refused", f"the model of {provider} declined", usage=usage)
    content = body.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block["text"] for block in blocks if isinstance(member(block, "text"), str)]
    if not texts:
        raise malformed(provider, "there is no text in its content", usage)
    return ModelReply("".join(texts), usage)


def _usage(usage: object) -> Usage:
    cached = whole_number(member(usage, "cache_read_input_tokens"))
    written = whole_number(member(usage, "cache_creation_input_tokens"))
    fresh = whole_number(member(usage, "input_tokens"))  # without those of the cache
    return Usage.said(fresh + written + cached, whole_number(member(usage, "output_tokens")), cached)
