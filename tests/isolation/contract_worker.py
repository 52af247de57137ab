"""Real contract workers for tests: a sandbox, contracts on it, and modules that nobody has judged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from sandbox_runtime.domain import Contract
from sandbox_runtime.function import Fault, Inspection, Invocation, Module, WrongArgument
from sandbox_runtime.layers import Layer
from service.errors import LarsError
from service.functions.contracts import INSPECTIONS, TRIALS, ContractLimits, Contracts, contract_limits
from service.pool.job import Spent
from service.pool.lending import SPARE_WORKERS
from service.pool.local import local_sandbox
from service.pool.pool import Pool, PoolSize
from service.settings import Settings
from tests.isolation.attack import PRELUDE
from tests.isolation.host import with_numbers
from tests.support import LoopThread, spec_without

SECONDS = 10.0


def module_of(text: str, name: str = "agent", policy: str = "program") -> Module:
    """A module as the front sends it."""
    return Module(hashlib.sha256(text.encode()).hexdigest(), text, name, policy)


def contract_of(name: str) -> Contract:
    """A contract of its own for this name."""
    return Contract(hashlib.sha256(name.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Said:
    """What a caller got: the value, or whose fault it was, or the class of the error instead."""

    value: Any = None
    end: str = "ok"
    fault: Fault | None = None
    wrong: tuple[WrongArgument, ...] = ()
    error: str = ""


class ContractRoom:
    """One front's contracts, on a loop in a thread of its own. All calls wait for what they ask."""

    def __init__(self, limits: ContractLimits, thread: LoopThread, contracts: Contracts) -> None:
        self.limits = limits
        self.contracts = contracts
        self._thread = thread
        self.spent = Spent()

    def call(self, name: str, text: str, function: str = "f", **given: Any) -> Said:
        """One call in the contract ``name``; ``arguments``, ``query``, ``seconds``, ``policy``."""
        return self.start(name, text, function, **given).result(50)

    def start(self, name: str, text: str, function: str = "f", **given: Any) -> Future[Said]:
        """The same beside what comes next."""
        seconds = given.pop("seconds", SECONDS)
        module = module_of(text, policy=given.pop("policy", "program"))
        call = Invocation(module.digest, function, given.get("arguments"), given.get("query"))
        return self._thread.start(self._ask(contract_of(name), module, call, seconds))

    def attack(self, name: str, text: str, seconds: float = SECONDS) -> Said:
        """Free Python in the worker of this contract; the value is what it leaves in ``said``."""
        body = with_numbers(PRELUDE + text)
        space = (
            f"def f():\n    space = {{'said': None}}\n    exec({body!r}, space)\n    return space['said']\n"
        )
        return self.call(name, space, seconds=seconds)

    def inspect(
        self, text: str, function: str = "f", seconds: float = SECONDS, policy: str = "program"
    ) -> Inspection:
        """In a worker of its own."""
        return self.inspect_module(module_of(text, policy=policy), function, seconds)

    def inspect_module(self, module: Module, function: str, seconds: float) -> Inspection:
        """The same of a module that is made already."""
        return self.start_inspection(module, function, seconds).result(50)

    def start_inspection(self, module: Module, function: str, seconds: float) -> Future[Inspection]:
        """The same beside what comes next."""
        deadline = time.monotonic() + seconds
        work = self.contracts.inspect(contract_of("inspected"), module, function, deadline, self.spent)
        return self._thread.start(work)

    def home(self, name: str) -> Path:
        """The contract's directory, which is made."""
        path = self.limits.uploads / "results" / contract_of(name).visible_pixel_hash
        path.mkdir(parents=True, exist_ok=True)
        return path

    def on_loop(self, work: Any) -> Any:
        """What ``work()`` gives, on the loop that the contracts live on."""

        async def run() -> Any:
            return work()

        return self._thread.call(run())

    async def _ask(self, contract: Contract, module: Module, call: Invocation, seconds: float) -> Said:
        try:
            text, outcome = await self.contracts.call(
                contract, module, call, time.monotonic() + seconds, self.spent
            )
        except LarsError as error:
            return Said(error=type(error).__name__, end="")
        value = None if text is None else orjson.loads(text)
        return Said(value, outcome.end, outcome.error, outcome.wrong)


@contextmanager
def contract_room(
    root: Path, without: tuple[Layer, ...] = (), env: Mapping[str, str] | None = None, **limits: Any
) -> Iterator[ContractRoom]:
    """A zygote of its own, with these layers off, and the contracts of one front; ``limits`` are members of
    ContractLimits."""
    settings = Settings.from_env({"LARS_DATA_ROOT": str(root), **(env or {})})
    chosen = replace(contract_limits(settings), uploads=root, **limits)
    thread, stack = LoopThread(), AsyncExitStack()
    try:
        yield ContractRoom(chosen, thread, thread.call(_open(stack, chosen, without)))
    finally:
        try:
            thread.call(stack.aclose())
        finally:
            thread.stop()


async def _open(stack: AsyncExitStack, limits: ContractLimits, without: tuple[Layer, ...]) -> Contracts:
    spec = spec_without(without)
    sandbox = await stack.enter_async_context(local_sandbox(spec, PoolSize(idle=1, workers=4, queue=16)))
    size = PoolSize(idle=2, workers=limits.workers + SPARE_WORKERS + INSPECTIONS + TRIALS, queue=16)
    contracts = Contracts(Pool(size, prove_first=False, by_shares=False), limits)
    stack.push_async_callback(contracts.close)
    sandbox.attach(contracts.workers, "contract")
    return contracts
