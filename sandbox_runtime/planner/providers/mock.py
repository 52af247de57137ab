"""LLM_MOCK_HANDLER: a function of the operator's in the place of every model."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from typing import Any, Final

import orjson

from sandbox_runtime.planner.model import NO_USAGE, CallFailed, ModelReply, ModelRequest

NAME: Final = "mock"


class MockModel:
    """The handler is called with the whole prompt as a text, its only argument, on a thread; what it awaits
    is awaited. What it returns is the reply: a text, or a value that is written as JSON."""

    provider = NAME
    name = NAME
    address = ("", 0)

    def __init__(self, path: str) -> None:
        """ImportError, AttributeError and TypeError when there is no such function, or it takes no prompt."""
        module, _, function = path.rpartition(".")
        handler = getattr(importlib.import_module(module), function)
        if not callable(handler):
            raise TypeError(f"{path} is an {type(handler).__name__}, no function")
        _check_signature(path, handler)
        self._handler: Callable[[str], Any] = handler

    async def call(self, request: ModelRequest) -> ModelReply:
        """See ``Model``."""
        return ModelReply(await self._reply_to(request.prompt.text), NO_USAGE)

    async def close(self) -> None:
        """There is nothing to close."""

    async def _reply_to(self, prompt: str) -> str:
        try:
            value = await asyncio.to_thread(self._handler, prompt)
            if inspect.isawaitable(value):
                value = await value
            return value if isinstance(value, str) else orjson.dumps(value).decode()
        except Exception as error:
            detail = f"LLM_MOCK_HANDLER raised {type(error).__name__}: {error}"[:500]
            raise CallFailed("llm_failed", detail.encode("utf-8", "replace").decode()) from error


def _check_signature(path: str, handler: Callable[..., Any]) -> None:
    """TypeError, now rather than at the first request."""
    try:
        signature = inspect.signature(handler)
    except ValueError:
        return  # of some that are written in C, nothing is known
    try:
        signature.bind("")
    except TypeError as error:
        names = ", ".join(signature.parameters)
        told = f"{path}({names}) is called with one argument, the prompt as a text"
        raise TypeError(f"{told}: {error}") from error
