"""The planner's process: ``python -m sandbox_runtime.planner CONTROL KEYS``.

    read config and keys ─► import, rehearse ─► confine ─► hello ─► answer fronts, until the supervisor goes

CONTROL: a socket to the supervisor (AF_UNIX, SOCK_SEQPACKET), whose first message is a PlannerConfig and each
other ``front`` with one descriptor, or PING. KEYS: a file with a JSON object, variable to key. Nothing
foreign is in this process but text: what a model writes is handed on, and runs elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sandbox_runtime import linux
from sandbox_runtime.planner import tracing
from sandbox_runtime.planner.chair import Clock
from sandbox_runtime.planner.confinement import confine
from sandbox_runtime.planner.debugging import log_as_lines
from sandbox_runtime.planner.engine import Engine
from sandbox_runtime.planner.lines import Control, tell
from sandbox_runtime.planner.providers.opening import Opened, absent, open_models, trusted_certificates
from sandbox_runtime.planner.rehearsal import rehearse
from sandbox_runtime.planning import PlannerConfig, Standing

START_FAILURE: Final = 3  # exit status of "could not start", as opposed to "died"
_CONFIG_BYTES: Final = 512 * 1024
_LAST_SPANS: Final = 1.2  # seconds for what has not been exported


@dataclass(frozen=True, slots=True)
class Ready:
    """All that is needed, imported and rehearsed."""

    config: PlannerConfig
    opened: Opened
    packages: tracing.Packages | None
    why: Mapping[str, str]


def main() -> None:
    """Never returns. Status 0: the supervisor has ended it; START_FAILURE: it could not start."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        linux.set_parent_death_signal(signal.SIGKILL)()
        ready = _prepare(control, int(sys.argv[2]))
        layers = dict(confine(ready.config))
    except Exception as error:  # noqa: BLE001 - whatever it was, the supervisor is told
        _tell_failure(control, f"{type(error).__name__}: {error}")
        os._exit(START_FAILURE)
    spans: tracing.Tracing = tracing.NoTracing()
    if ready.packages is not None:
        spans = tracing.OtlpTracing(ready.packages, ready.config.otlp)
    asyncio.run(_serve(control, ready, spans, layers))
    last = threading.Thread(target=spans.close, daemon=True)
    last.start()
    last.join(_LAST_SPANS)
    os._exit(0)


def _prepare(control: socket.socket, keys_descriptor: int) -> Ready:
    message = control.recv(_CONFIG_BYTES)
    if not message:
        os._exit(0)
    config = PlannerConfig.from_wire(orjson.loads(message))
    keys = _read_keys(keys_descriptor)
    log_as_lines()
    tls = trusted_certificates()
    opened = open_models(config, keys, tls)
    packages, why = None, dict(opened.why)
    if config.otlp:
        try:
            packages = tracing.load()
        except ModuleNotFoundError:
            why["otlp"] = absent("opentelemetry", "otel")
    names = {model.provider for model in opened.models}
    rehearse([each for each in config.providers if each.name in names], tls, packages)
    return Ready(config, opened, packages, why)


def _read_keys(descriptor: int) -> dict[str, str]:
    """And close it."""
    with open(descriptor, "rb") as file:
        file.seek(0)
        keys: dict[str, Any] = orjson.loads(file.read())
    return {str(name): str(key) for name, key in keys.items()}


def _tell_failure(control: socket.socket, message: str) -> None:
    text = message[:2000].encode("utf-8", "replace").decode()
    try:
        tell(control, {"t": "failed", "message": text})
    except OSError:
        return  # the supervisor has given up, and there is nobody to tell


async def _serve(
    control: socket.socket, ready: Ready, spans: tracing.Tracing, layers: Mapping[str, str]
) -> None:
    engine = Engine(ready.config, ready.opened, Clock(time.monotonic, random.random), spans)
    listening = Control(control, engine.answer)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, listening.ended.set)
    names = tuple(model.provider for model in ready.opened.models)
    standing = Standing(names, ready.why, layers)
    try:
        tell(
            control,
            {"t": "hello", "ready": standing.ready, "why": standing.why, "layers": standing.layers},
        )
    except OSError:
        listening.ended.set()
    await listening.ended.wait()
    await listening.close()
    await engine.close()


if __name__ == "__main__":
    main()
