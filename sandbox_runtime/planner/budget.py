"""Tokens before a call, money after it: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from sandbox_runtime.planner.model import CallFailed, Prompt, Schema, Usage
from sandbox_runtime.planning import Price

LEAST_OUTPUT: Final = 16  # tokens; OpenAI takes no lower limit
_BYTES_PER_TOKEN: Final = 3  # fewer than any tokenizer has on English or code, so this estimates too much
_MILLION: Final = 1_000_000


def estimate(prompt: Prompt, schema: Schema | None) -> int:
    """Tokens that the input will have, rather too many."""
    size = len(prompt.text.encode("utf-8", "surrogatepass"))
    if schema is not None:
        size += len(orjson.dumps(schema.form))
    return -(-size // _BYTES_PER_TOKEN)


def max_output(tokens: int, needed: int, ceiling: int) -> int:
    """Tokens that a model may write when ``tokens`` are left and the input needs so many. CallFailed
    llm_request_budget when that is too little to be of use."""
    left = tokens - needed
    if left < LEAST_OUTPUT:
        detail = f"the prompt has about {needed} tokens and {max(tokens, 0)} are left for the request"
        raise CallFailed(
            "llm_request_budget",
            f"{detail}; raise LARS_LLM_REQUEST_TOKENS (budget_tokens of a run), or send less",
        )
    return min(left, ceiling)


def counted(usage: Usage, needed: int, text: str) -> Usage:
    """What an answered call has used: as the provider says, and estimated where it says nothing; what that
    costs is not known."""
    if usage.input or usage.output:
        return usage
    return Usage(needed, -(-len(text.encode()) // _BYTES_PER_TOKEN), known=False)


def cost(prices: Mapping[str, Price], model: str, usage: Usage) -> float | None:
    """US dollars; None where the model has no price, or what it used is not known. What has used nothing has
    cost nothing."""
    if not usage.known:
        return None
    if not usage.input and not usage.output:
        return 0.0
    price = prices.get(model)
    if price is None:
        return None
    fresh = max(usage.input - usage.cached, 0)
    return (fresh * price.input + usage.cached * price.cached + usage.output * price.output) / _MILLION
