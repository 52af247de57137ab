"""OpenAI, and every server that is compatible with it: the Responses API first, chat completions where the
server does not know it."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from sandbox_runtime.planner.model import CallFailed, ModelReply, ModelRequest, Usage
from sandbox_runtime.planner.providers import chat
from sandbox_runtime.planner.providers.seat import Seat
from sandbox_runtime.planner.providers.sending import answer_to, malformed, member, whole_number
from sandbox_runtime.planner.status import is_unknown_route

_NO_KEY = "none"  # the SDK wants one, also for a server that does not


class OpenAIModel:
    """``form`` "chat": of a server that has nothing else, and that may know ``max_tokens`` only."""

    def __init__(self, sdk: ModuleType, seat: Seat) -> None:
        self.provider = seat.provider.name
        self.name = seat.model
        self.address = seat.address
        self._sdk = sdk
        self._compatible = seat.provider.form == "chat"
        self._chat_only = self._compatible
        self._client = sdk.AsyncOpenAI(
            api_key=seat.key or _NO_KEY,
            base_url=seat.base_url,
            max_retries=0,
            timeout=seat.http.timeout,
            http_client=seat.http,
        )

    async def call(self, request: ModelRequest) -> ModelReply:
        """See ``Model``."""
        if not self._chat_only:
            try:
                return await self._respond(request)
            except CallFailed as failed:
                if not is_unknown_route(failed):
                    raise
            self._chat_only = True
        return await self._complete(request)

    async def close(self) -> None:
        """See ``Model``."""
        await self._client.close()

    async def _respond(self, request: ModelRequest) -> ModelReply:
        body: dict[str, Any] = {
            "model": self.name,
            "instructions": request.prompt.rules,
            "input": [{"role": role, "content": text} for role, text in request.prompt.turns],
            "max_output_tokens": request.max_output,
            "prompt_cache_key": request.cache_key,
            "store": False,
        }
        if request.schema is not None:
            schema = {"name": request.schema.name, "schema": request.schema.form, "strict": True}
            body["text"] = {"format": {"type": "json_schema", **schema}}
        sending = self._client.responses.with_raw_response.create(**body)
        return _reply_of(self.provider, await answer_to(self._sdk, self.provider, sending))

    async def _complete(self, request: ModelRequest) -> ModelReply:
        body = chat.arguments(self.name, request)
        body["max_tokens" if self._compatible else "max_completion_tokens"] = request.max_output
        sending = self._client.chat.completions.with_raw_response.create(**body)
        return chat.reply_of(self.provider, await answer_to(self._sdk, self.provider, sending))


def _reply_of(provider: str, body: Mapping[str, Any]) -> ModelReply:
    usage = _usage(body.get("usage"))
    if body.get("status") == "incomplete":
        reason = member(body.get("incomplete_details"), "reason")
        code = "llm_refused" if reason == "content_filter" else "llm_truncated"
        raise CallFailed(code, f"{provider}: the reply is incomplete: {reason}", usage=usage)
    if body.get("status") in ("failed", "cancelled"):
        why = member(body.get("error"), "message")
        raise CallFailed("llm_failed", f"{provider}: the response failed: {str(why)[:300]}", usage=usage)
    parts = _parts(body.get("output"))
    refusals = [str(part.get("refusal")) for part in parts if part.get("type") == "refusal"]
    if refusals:
        raise CallFailed("llm_refused", f"the model of {provider} declined: {refusals[0][:300]}", usage=usage)
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if not texts:
        raise malformed(provider, "there is no text in its output", usage)
    return ModelReply("".join(texts), usage)


def _parts(output: object) -> list[Mapping[str, Any]]:
    """The parts of its messages; what it thought is none."""
    items = output if isinstance(output, list) else []
    contents = [item.get("content") for item in items if member(item, "type") == "message"]
    return [
        part
        for content in contents
        if isinstance(content, list)
        for part in content
        if isinstance(part, dict)
    ]


def _usage(usage: object) -> Usage:
    return Usage.said(
        whole_number(member(usage, "input_tokens")),
        whole_number(member(usage, "output_tokens")),
        whole_number(member(usage, "input_tokens_details", "cached_tokens")),
    )
