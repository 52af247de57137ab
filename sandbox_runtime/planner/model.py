"""What is said to a model and what comes back, whoever's it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """``rules``: the same bytes for every request of a task, so that providers can cache them. ``turns``:
    what this request adds, the last one the user's."""

    rules: str
    turns: tuple[tuple[Role, str], ...]

    @property
    def text(self) -> str:
        """All of it, as one text."""
        return "\n\n".join((self.rules, *(text for _, text in self.turns)))


@dataclass(frozen=True, slots=True)
class Schema:
    """The form that a reply is to have. ``name``: of a-z and _."""

    name: str
    form: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """``schema``: None where the model is asked in words alone. ``max_output``: tokens, thinking included.
    ``cache_key``: equal for prompts with the same rules."""

    prompt: Prompt
    schema: Schema | None
    max_output: int
    cache_key: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. ``cached`` of ``input`` were read from the provider's cache. ``known``: whether the provider
    has said them; where it has not, they are 0 or estimated, and what they cost is not known."""

    input: int = 0
    output: int = 0
    cached: int = 0
    known: bool = True

    @classmethod
    def said(cls, tokens: int, output: int, cached: int) -> Usage:
        """What an answer says: no prompt has no tokens, so that one without any does not tell."""
        return cls(tokens, output, cached, bool(tokens or output))


NO_USAGE = Usage()
UNKNOWN_USAGE = Usage(known=False)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What the model wrote, to its end."""

    text: str
    usage: Usage


class CallFailed(Exception):
    """One call gave nothing. ``code``: one of planning.FAILURES. ``again``: whether the same call may do
    better in a moment, after ``retry_after`` seconds where the provider said so. ``status``: the HTTP status,
    0 without one. ``usage``: what was paid for all the same."""

    def __init__(self, code: str, detail: str, *, status: int = 0, usage: Usage = NO_USAGE) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.usage = usage
        self.again = False
        self.retry_after: float | None = None


class Model(Protocol):
    """One model of one provider. ``address``: host and port that it is at, ("", 0) for none."""

    provider: str
    name: str
    address: tuple[str, int]

    async def call(self, request: ModelRequest) -> ModelReply:
        """CallFailed. Takes as long as it takes: the caller has the clock."""

    async def close(self) -> None:
        """End its connections."""
