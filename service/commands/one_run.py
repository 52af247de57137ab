"""What ``lars run`` does: one program in the same jail, without HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from sandbox_runtime.layers import below_floor
from service.cgroup.taking import quarters
from service.commands.options import WRONG_USAGE
from service.errors import LarsError
from service.execution.request import edge, parse_execute
from service.execution.response import refusal_of, render
from service.http.body import parse_json
from service.pool.job import Outcome
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from service.supervisor.zygote import ZygoteFailed, ZygoteSpec


def run(settings: Settings, file: Path, data: str | None) -> int:
    """Run it; its stdout and stderr are ours, its exit code too. ``data`` is JSON text."""
    try:
        source = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return _refuse(f"{file}: {error}")
    body: dict[str, Any] = {"code": source}
    try:
        if data is not None:
            body["data"] = parse_json(data.encode())
        with quarters(settings) as found:
            return asyncio.run(_run(settings, sandbox_spec(settings, found), body, data))
    except json.JSONDecodeError as error:
        return _refuse(f"--data is not JSON: {error}")
    except LarsError as error:
        return _refuse(error.detail)


async def _run(settings: Settings, spec: ZygoteSpec, body: dict[str, Any], data: str | None) -> int:
    raw = b'{"data":' + data.encode() + b"}" if data is not None else b""
    async with local_sandbox(spec, PoolSize(1, 2, 1)) as sandbox:
        missing = below_floor(sandbox.hello.layers, settings.sandbox_floor)
        if missing:
            raise ZygoteFailed(
                f"isolation is below LARS_SANDBOX_FLOOR: {missing[0].layer}: {missing[0].reason}"
            )
        job = parse_execute(body, raw, settings, edge())
        outcome = await sandbox.pool.run(job)
    refusal = refusal_of(outcome)
    if refusal is not None:
        raise refusal
    _show(outcome, render(job.program, outcome))
    return outcome.exit_code


def _show(outcome: Outcome, rendered: dict[str, object]) -> None:
    sys.stdout.write(outcome.stdout.text)
    sys.stderr.write(outcome.stderr.text)
    if outcome.result is not None and outcome.result != b"null":
        begin = "" if outcome.stdout.text[-1:] in ("", "\n") else "\n"  # on a line of its own
        sys.stdout.write(f"{begin}{outcome.result.decode()}\n")
    report = outcome.report
    for warning in report.warnings if report else ():
        sys.stderr.write(f"lars: {warning}: {report.result_repr if report else ''}\n")
    if outcome.detail:
        sys.stderr.write(f"lars: {rendered['error'] or outcome.detail}\n")


def _refuse(why: str) -> int:
    sys.stderr.write(f"lars: {why}\n")
    return WRONG_USAGE
