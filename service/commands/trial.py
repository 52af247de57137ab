"""One request tried on made-up records, in a sandbox that lives for that alone: what ``lars plan`` does."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox_runtime.layers import below_floor
from service.cgroup.quarters import Quarters
from service.commands.examination import Examiner, Report
from service.commands.model_planning import model_planning
from service.commands.options import Environ
from service.limits.store import open_store
from service.pool.local import LocalSandbox, local_sandbox
from service.pool.pool import PoolSize
from service.rest.context import Parts, RequestContext
from service.rest.proof.samples import Sample
from service.rest.shape import path_template
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state
from service.supervisor.zygote import ZygoteFailed


@dataclass(frozen=True, slots=True)
class Wanted:
    """``planner``: builtin or llm."""

    sample: Sample
    planner: str


def sample_of(options: argparse.Namespace) -> Sample:
    """What the command line describes. LarsError for what no front would take."""
    path, _, query = options.path.partition("?")
    body = b"" if options.body is None else options.body.encode()
    headers = [(b"host", b"localhost")]
    if body:
        headers.append((b"content-type", options.content_type.encode()))
    if options.prefer:
        headers.append((b"prefer", options.prefer.encode()))
    parts = Parts(
        method=options.method,
        path=path.encode(),
        query=query.encode(),
        headers=headers,
        body=body,
        ip="127.0.0.1",
        session="proof",
        dialect=options.dialect,
    )
    context = RequestContext.from_parts(parts)
    path_template(context.segments)  # refused where a front would, before anything is started
    return Sample(context, body)


async def examine(settings: Settings, environ: Environ, wanted: Wanted, found: Quarters) -> Report:
    """What comes of it, in a sandbox in these quarters. ZygoteFailed, and as ``model_planning`` raises."""
    with tempfile.TemporaryDirectory(prefix="lars-plan-") as root:
        scratch = replace(settings, data_root=Path(root))
        async with local_sandbox(sandbox_spec(scratch, found), PoolSize(1, 2, 2)) as sandbox:
            missing = below_floor(sandbox.hello.layers, settings.sandbox_floor)
            if missing:
                raise ZygoteFailed(
                    f"isolation is below LARS_SANDBOX_FLOOR: {missing[0].layer}: {missing[0].reason}"
                )
            state = await _state(scratch, sandbox)
            try:
                return await _ask(Examiner(state), environ, wanted)
            finally:
                await state.close()


async def _state(settings: Settings, sandbox: LocalSandbox) -> ServiceState:
    state = new_state(settings, sandbox.pool, new_passage(settings, await open_store("memory")))
    sandbox.attach(state.sessions.workers)
    return state


async def _ask(examiner: Examiner, environ: Environ, wanted: Wanted) -> Report:
    if wanted.planner == "builtin":
        return await examiner.by_rules(wanted.sample)
    async with model_planning(examiner.settings, environ) as planning:
        return await examiner.by_model(wanted.sample, planning)
