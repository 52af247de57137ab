"""One request through an official SDK: its raw answer as a JSON object, its exceptions as CallFailed.

The SDKs build and send the request. Their parsing is left out: it takes what is not JSON for text, and loses
usage and stop reason where a reply is cut off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from types import ModuleType
from typing import Any, Final

import orjson

from sandbox_runtime.planner.guard import HostRefused, TooLong
from sandbox_runtime.planner.model import UNKNOWN_USAGE, CallFailed, Usage
from sandbox_runtime.planner.status import failure_of

MAX_TOKENS: Final = 10_000_000  # of one call; no model reads or writes as many


async def answer_to(sdk: ModuleType, provider: str, sending: Awaitable[Any]) -> dict[str, Any]:
    """What the provider answers with 2xx. CallFailed for all else."""
    try:
        response = await sending
    except sdk.APIStatusError as error:
        said, path = _refusal_of(error.response.content), error.request.url.path
        raise failure_of(error.status_code, error.response.headers, said, provider, path) from error
    except (sdk.APIError, HostRefused, TooLong, ValueError, OSError) as error:
        raise _transport_failure(error, provider) from error
    content: bytes = response.http_response.content
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise malformed(provider, f"what it answered is not JSON: {content[:60]!r}") from error
    if not isinstance(body, dict):
        raise malformed(provider, f"what it answered is no object: {content[:60]!r}")
    return body


def malformed(provider: str, what: str, usage: Usage = UNKNOWN_USAGE) -> CallFailed:
    """An answer that is not of the provider's form."""
    return CallFailed("llm_malformed", f"{provider}: {what}", usage=usage)


def _refusal_of(content: bytes) -> object:
    """JSON, or a text. The SDKs' reading lets lone surrogates through."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")


def whole_number(value: object) -> int:
    """A count of tokens; 0 where the provider says none, and MAX_TOKENS where it says what cannot be."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), MAX_TOKENS)


def member(value: object, *names: str) -> Any:
    """The member of a member, or None."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _transport_failure(error: BaseException, provider: str) -> CallFailed:
    for cause in _causes(error):
        if isinstance(cause, HostRefused):
            return CallFailed("llm_host_refused", f"{provider}: {cause}")
        if isinstance(cause, TooLong):
            return malformed(provider, str(cause))
        name = type(cause).__name__  # that of httpx or httpx2, which have the same
        if name in ("TooManyRedirects", "UnsupportedProtocol", "InvalidURL", "DecodingError"):
            return malformed(provider, f"{name}: {cause}")
    deepest = list(_causes(error))[-1]
    failed = CallFailed("llm_unreachable", f"no connection to {provider}: {_sentence(deepest)}")
    failed.again = True
    return failed


def _causes(error: BaseException) -> Iterator[BaseException]:
    here: BaseException | None = error
    for _ in range(10):
        if here is None:
            return
        yield here
        here = here.__cause__ or here.__context__


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200].rstrip(": ")
