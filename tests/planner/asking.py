"""An engine in this process, with real clients and a clock of the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from ssl import SSLContext
from typing import Any

from sandbox_runtime.planner.chair import Clock
from sandbox_runtime.planner.engine import Engine
from sandbox_runtime.planner.providers.opening import open_models, trusted_certificates
from sandbox_runtime.planner.tracing import NoTracing
from sandbox_runtime.planning import Answer, Ask, PlannerConfig, Provider
from tests.planning.providers.server import FakeProvider

KEY = "sk-planted-3141592653"
GENERATE: Mapping[str, Any] = {"query": "print one", "policy": "program", "data": None}
PLAN: Mapping[str, Any] = {
    "shape": {"method": "POST", "path": "/projects/{id}/close", "query": [], "body": "none"}
}
REVIEW: Mapping[str, Any] = {"code": "print(1)\n", "policy": "program", "findings": ""}
IMPROVE: Mapping[str, Any] = {
    "module": "def f(n: int) -> int:\n    return n\n",
    "function": "f",
    "goal": "latency",
    "reason": "p95 is 900 ms over 4000 calls",
    "signature": {"parameters": [{"name": "n", "kind": "either"}], "returns": {"type": "integer"}},
    "calls": [{"arguments": {"n": 1}, "query": None, "result": 1, "run_ms": 3}],
}
PROGRAM = '{"code": "print(1)", "assessment": "It is safe."}'
NAMES = ("openai", "anthropic", "together")


def at(fake: FakeProvider, name: str, model: str = "", form: str = "responses") -> Provider:
    """A provider of this kind, there."""
    return Provider(name, model, fake.base_url(name), form, "KEY")  # type: ignore[arg-type]


def config_of(*providers: Provider, **others: Any) -> PlannerConfig:
    """With limits that no test meets by chance, and loopback allowed on any port of a base URL."""
    usual: dict[str, Any] = {
        "hosts": (("127.0.0.1", 0),),
        "ports": (),
        "timeout": 10.0,
        "max_output": 1000,
        "at_once": 8,
    }
    return PlannerConfig(providers=providers, **{**usual, **others})


@dataclass(slots=True)
class Time:
    """Monotonic time, and what the test adds to it. Nobody waits: ``pauses`` has what they would have."""

    ahead: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Seconds."""
        return time.monotonic() + self.ahead

    async def pause(self, seconds: float) -> None:
        """Note it."""
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def clock(self) -> Clock:
        """Whose draws are all a half."""
        return Clock(self.now, lambda: 0.5, self.pause)


@dataclass(slots=True)
class Asking:
    """``ask`` is a front's question."""

    engine: Engine
    time: Time

    async def ask(self, task: str, given: Mapping[str, Any], **others: Any) -> Answer:
        """The answer."""
        usual: dict[str, Any] = {"seconds": 10.0, "tokens": 50_000}
        ask = Ask(1, task, given, **{**usual, **others})  # type: ignore[arg-type]
        return await self.engine.answer(ask)

    async def code(self, **others: Any) -> str:
        """Of the failure of a request for a program; "" when there is one."""
        answer = await self.ask("generate", GENERATE, **others)
        return answer.failure.code if answer.failure is not None else ""


@cache
def certificates() -> SSLContext:
    """Read once."""
    return trusted_certificates()


@asynccontextmanager
async def asking(config: PlannerConfig) -> AsyncIterator[Asking]:
    """An engine with a key for each provider."""
    clock = Time()
    opened = open_models(config, {"KEY": KEY}, certificates())
    engine = Engine(config, opened, clock.clock(), NoTracing())
    try:
        yield Asking(engine, clock)
    finally:
        await engine.close()
