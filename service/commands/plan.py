"""``lars plan METHOD PATH``: what would answer such a request, without a server. Nothing is kept."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from sandbox_runtime.layers import below_floor
from service.commands.examination import Examiner, Report
from service.commands.model_planning import model_planning
from service.commands.options import WRONG_USAGE, Commands, Environ, finish
from service.errors import LarsError
from service.limits.store import open_store
from service.pool.local import LocalSandbox, local_sandbox
from service.pool.pool import PoolSize
from service.rest.builtin import DIALECTS
from service.rest.context import Parts, RequestContext
from service.rest.endpoint import METHODS
from service.rest.proof.samples import Sample
from service.rest.shape import path_template
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state
from service.supervisor.zygote import ZygoteFailed

_PLANNERS = ("builtin", "llm")


@dataclass(frozen=True, slots=True)
class _Wanted:
    sample: Sample
    planner: str


def add_parser(commands: Commands) -> None:
    """``lars plan``."""
    parser = commands.add_parser("plan", help="show the plan of a request, and try it on made-up records")
    parser.add_argument("method", type=str.upper, choices=METHODS, help="GET, POST and so on")
    parser.add_argument(
        "path", help="path and query, such as '/orders/1?fields=name'; records 1, 2, 3 and k9 exist"
    )
    parser.add_argument("--body", help="JSON that is sent with it")
    parser.add_argument("--content-type", default="application/json", help="of the body")
    parser.add_argument("--planner", choices=_PLANNERS, default="builtin", help="who writes it")
    parser.add_argument("--dialect", choices=DIALECTS, default="default", help="the session's")
    parser.add_argument("--prefer", default="", help="the header Prefer")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    finish(parser, call)


def call(settings: Settings, environ: Environ, options: argparse.Namespace) -> int:
    """Exit status 0 for a plan that would be admitted, 1 for a refusal, 2 for what is no such request."""
    try:
        wanted = _Wanted(_sample(options), options.planner)
    except LarsError as error:
        sys.stderr.write(f"lars: {error.detail}\n")
        return WRONG_USAGE
    report = asyncio.run(_examine(settings, environ, wanted))
    text = orjson.dumps(report.as_json()).decode() if options.json else report.as_text()
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0 if report.refusal is None else 1


def _sample(options: argparse.Namespace) -> Sample:
    """LarsError for what no front would take."""
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


async def _examine(settings: Settings, environ: Environ, wanted: _Wanted) -> Report:
    with tempfile.TemporaryDirectory(prefix="lars-plan-") as root:
        scratch = replace(settings, data_root=Path(root))
        async with local_sandbox(sandbox_spec(scratch), PoolSize(1, 2, 2)) as sandbox:
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


async def _ask(examiner: Examiner, environ: Environ, wanted: _Wanted) -> Report:
    if wanted.planner == "builtin":
        return await examiner.by_rules(wanted.sample)
    async with model_planning(examiner.settings, environ) as planning:
        return await examiner.by_model(wanted.sample, planning)
