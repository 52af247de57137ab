"""Chat completions: the form of Together, and of OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox_runtime.planner.model import CallFailed, ModelReply, ModelRequest, Usage
from sandbox_runtime.planner.providers.sending import malformed, member, whole_number


def arguments(model: str, request: ModelRequest) -> dict[str, Any]:
    """Of ``create``, but for what the provider calls the limit of its output."""
    turns = [{"role": role, "content": text} for role, text in request.prompt.turns]
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": request.prompt.rules}, *turns],
    }
    if request.schema is not None:
        schema = {"name": request.schema.name, "schema": request.schema.form, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def reply_of(provider: str, body: Mapping[str, Any]) -> ModelReply:
    """The first choice. CallFailed where it did not come to its end, or is none."""
    usage = _usage(body)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    stop = member(choice, "finish_reason")
    if stop == "length":
        raise CallFailed("llm_truncated", f"{provider}: the reply was cut off", usage=usage)
    if stop == "content_filter":
        raise CallFailed("llm_refused", f"{provider}: its filter withheld the reply", usage=usage)
    refusal = member(choice, "message", "refusal")
    if isinstance(refusal, str) and refusal:
        raise CallFailed("llm_refused", f"the model of {provider} declined: {refusal[:300]}", usage=usage)
    text = member(choice, "message", "content")
    if not isinstance(text, str):
        raise malformed(provider, "there is no text in choices[0].message.content", usage)
    return ModelReply(text, usage)


def _usage(body: Mapping[str, Any]) -> Usage:
    usage = body.get("usage")
    cached = member(usage, "prompt_tokens_details", "cached_tokens") or member(usage, "cached_tokens")
    return Usage.said(
        whole_number(member(usage, "prompt_tokens")),
        whole_number(member(usage, "completion_tokens")),
        whole_number(cached),
    )
