"""What a fake provider may be told to answer: values, and nothing of HTTP.

``Says`` is an answer of a model. All others are what goes wrong between here and one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came. ``headers``: names in lower case. ``at``: time.monotonic()."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float

    @property
    def prompt(self) -> str:
        """Every text that the model is shown, in order, whatever the wire form."""
        first = self.body.get("instructions", self.body.get("system", ""))
        messages = self.body.get("messages", self.body.get("input", []))
        contents = (
            [first, messages] if isinstance(messages, str) else [first, *(x["content"] for x in messages)]
        )
        return "\n\n".join(text for content in contents for text in _texts(content))

    @property
    def has_schema(self) -> bool:
        """Whether it asks for a reply by a JSON schema."""
        text = self.body.get("text") or {}
        return bool(text.get("format") or self.body.get("response_format") or self.body.get("output_config"))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content] if content else []
    return [str(part.get("text", "")) for part in content]


@dataclass(frozen=True, slots=True)
class Says:
    """A model's reply. ``text``: or what makes it from the request. ``stop``: end, length (cut off), refusal
    or filter. ``cached_tokens`` are part of ``input_tokens``; each provider's counts are made of them."""

    text: str | Callable[[Received], str]
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0
    stop: str = "end"


@dataclass(frozen=True, slots=True)
class Fails:
    """An error in the provider's own form. ``code``: of the error, such as insufficient_quota or, for
    Anthropic, details.error_code."""

    status: int
    message: str = "made up by a test"
    kind: str = "invalid_request_error"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes, whatever they are."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirects:
    """307 to another place."""

    to: str


@dataclass(frozen=True, slots=True)
class Trickles:
    """The head, and then a blank each ``every`` seconds, which JSON allows, until the client has gone."""

    every: float = 0.02


@dataclass(frozen=True, slots=True)
class Drops:
    """The connection is closed without an answer."""


Reply = Says | Fails | Raw | Redirects | Trickles | Drops
QUOTA_USED = Fails(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota")
SPEND_LIMIT = Fails(429, "Spend limit reached", "rate_limit_error", "enforced_spend_limit_reached")
OVERLOADED = Fails(529, "Overloaded", "overloaded_error")
