"""A planner's process for one command, as long as the command takes."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from service.commands.options import Environ
from service.planning.planning import Planning
from service.settings import Settings


class NoModel(Exception):
    """No language model can be asked. The text says why, and what to do."""


def model_planning(settings: Settings, environ: Environ) -> AbstractAsyncContextManager[Planning]:
    """For ``async with``: models can be asked through it until the block ends; then no process is left.
    NoModel."""
    if settings.default_provider == "builtin" and settings.llm_mock_handler is None:
        raise NoModel(
            "no language model is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY, TOGETHER_API_KEY or "
            "LARS_LLM_BASE_URL, or use --planner builtin"
        )
    raise NoModel(f"a command cannot start a planner's process yet ({len(environ)} variables were read)")
