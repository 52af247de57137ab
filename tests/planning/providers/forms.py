"""The wire forms of the providers, as their servers write them: a model's answer and an error of each.

Read from the types of openai 3.54, anthropic 2.12 and together 3.1.
"""

from __future__ import annotations

from typing import Any, Final

from tests.planning.providers.replies import Fails, Received, Says

RESPONSES: Final = "/v1/responses"
CHAT: Final = "/v1/chat/completions"
MESSAGES: Final = "/v1/messages"
PATHS: Final = frozenset((RESPONSES, CHAT, MESSAGES))
_CHAT_STOPS = {"end": "stop", "length": "length", "refusal": "stop", "filter": "content_filter"}
_MESSAGE_STOPS = {"end": "end_turn", "length": "max_tokens", "refusal": "refusal", "filter": "refusal"}
_INCOMPLETE = {"length": "max_output_tokens", "filter": "content_filter"}


def answer(received: Received, says: Says) -> dict[str, Any]:
    """The body of status 200."""
    text = says.text if isinstance(says.text, str) else says.text(received)
    model = str(received.body.get("model"))
    return _ANSWERS[received.path](model, text, says)


def error(received: Received, fails: Fails) -> dict[str, Any]:
    """The body of an error."""
    if received.path == MESSAGES:
        inner: dict[str, Any] = {"type": fails.kind, "message": fails.message}
        if fails.code is not None:
            inner["details"] = {"error_code": fails.code}
        return {"type": "error", "error": inner, "request_id": "req_test"}
    member = {"message": fails.message, "type": fails.kind, "param": None, "code": fails.code}
    return {"error": member}


def _response(model: str, text: str, says: Says) -> dict[str, Any]:
    refused = says.stop == "refusal"
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    if refused:
        part = {"type": "refusal", "refusal": text}
    reason = _INCOMPLETE.get(says.stop)
    status = "incomplete" if reason else "completed"
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": model,
        "output": [{"id": "rs_1", "type": "reasoning", "summary": []}, message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": says.input_tokens,
            "input_tokens_details": {"cached_tokens": says.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": says.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": says.input_tokens + says.output_tokens,
        },
    }


def _chat(model: str, text: str, says: Says) -> dict[str, Any]:
    refused = says.stop == "refusal"
    message = {
        "role": "assistant",
        "content": None if refused else text,
        "refusal": text if refused else None,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _CHAT_STOPS[says.stop]}],
        "usage": {
            "prompt_tokens": says.input_tokens,
            "completion_tokens": says.output_tokens,
            "total_tokens": says.input_tokens + says.output_tokens,
            "prompt_tokens_details": {"cached_tokens": says.cached_tokens},
        },
    }


def _message(model: str, text: str, says: Says) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [] if says.stop == "refusal" else [{"type": "text", "text": text}],
        "stop_reason": _MESSAGE_STOPS[says.stop],
        "stop_sequence": None,
        "usage": {
            "input_tokens": says.input_tokens - says.cached_tokens,
            "cache_read_input_tokens": says.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": says.output_tokens,
        },
    }


_ANSWERS = {RESPONSES: _response, CHAT: _chat, MESSAGES: _message}
