"""A planner's process for one command, as long as the command takes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from service.access.meter import Meter
from service.commands.options import Environ, NoModel
from service.limits.limiter import Limiter
from service.limits.store import open_store
from service.planner_spec import planner_spec
from service.planning.allowance import Allowance
from service.planning.line import Line
from service.planning.planning import Planning
from service.settings import Settings
from service.supervisor.planner import PlannerNotStarted, standing_planner


@asynccontextmanager
async def model_planning(settings: Settings, environ: Environ) -> AsyncIterator[Planning]:
    """Models can be asked through it until the block ends; then no process is left. What it uses counts for
    no day's limit. NoModel."""
    spec = planner_spec(settings, environ)
    if spec is None:
        raise NoModel(
            "no language model is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY, TOGETHER_API_KEY or "
            "LARS_LLM_BASE_URL, or use --planner builtin"
        )
    with ExitStack() as stack:
        stack.callback(os.close, spec.keys)
        try:
            process, standing = await asyncio.to_thread(stack.enter_context, standing_planner(spec))
            end = process.line()
        except (PlannerNotStarted, OSError) as error:
            raise NoModel(f"the planner could not start: {error}") from error
        line = Line(expected=True)
        await line.connect(end, standing)
        try:
            limiter = Limiter(await open_store("memory"))
            allowance = Allowance(limiter, Meter(), None, settings.llm_day_shapes)
            yield Planning(line, allowance, settings.llm_timeout, settings.llm_request_tokens)
        finally:
            line.close()
