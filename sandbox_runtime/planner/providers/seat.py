"""What a provider's model is made of: its settings, and the client that all its requests go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sandbox_runtime.planner.guard import Origin
from sandbox_runtime.planning import Provider

# docs/planner.md says why these. LARS_LLM_MODEL and LARS_FALLBACK_MODEL name others.
MODELS: Final = {
    "openai": "gpt-5.4-mini",
    "anthropic": "claude-haiku-5-5",
    "together": "openai/gpt-oss-120b",
}
BASE_URLS: Final = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "together": "https://api.together.ai",
}


@dataclass(frozen=True, slots=True)
class Seat:
    """``http``: an AsyncClient of httpx or httpx2, as the SDK needs. ``key``: "" where none is needed."""

    provider: Provider
    key: str
    http: Any

    @property
    def model(self) -> str:
        """The name of the model that is asked."""
        return self.provider.model or MODELS[self.provider.name]

    @property
    def base_url(self) -> str:
        """Always said to the SDK, which would else look into its environment."""
        return base_url_of(self.provider)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        origin = Origin.of(self.base_url)
        return origin.host, origin.port


def base_url_of(provider: Provider) -> str:
    """Where it is."""
    return provider.base_url or BASE_URLS[provider.name]
