"""One contract's worker as its front sees it: bound once, then one call of a function after another."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from sandbox_runtime import wire
from sandbox_runtime.function import ContractBinding, Inspection, Invocation, Module, Outcome
from service.errors import WorkerLost
from service.pool.dialogue import Dialogue, Manner
from service.pool.job import Spent
from service.pool.worker import Worker

Answer = tuple[bytes | None, Outcome]
_MAX_MODULES = 200  # that a worker keeps in its memory
_DIED = (
    "the function ended the worker that it ran in; its state is gone, and the next call begins with another"
)


class ContractWorker(Dialogue[Outcome | Inspection]):
    """A worker that has a contract's directory."""

    def __init__(self, worker: Worker, binding: ContractBinding, directory: int) -> None:
        """``directory`` stays the caller's to close."""
        self._told: set[str] = set()  # digests of modules whose text it has
        self._max_result = binding.max_result
        manner: Manner[Outcome | Inspection] = Manner(
            {wire.Kind.OUTCOME: Outcome.from_wire, wire.Kind.INSPECTION: Inspection.from_wire},
            binding.max_result,
            "contract_worker_died",
            _DIED,
            "contract",
        )
        super().__init__(worker, manner, wire.encode_json(wire.Kind.BIND, binding), directory)

    async def invoke(self, module: Module, call: Invocation, spent: Spent) -> Answer:
        """The JSON text of what it returned, and how it ended. What the worker uses for it, and has used
        since the call before, is added to ``spent``. WorkerLost when it died, NotTaken when it was dead
        already. Cancelling kills it."""
        message = self._text_of(module) + _invoke(call)
        try:
            body, answer = await self.ask(message, self._max_result)
        finally:
            spent.cpu += self.clock.since_last()
        if not isinstance(answer, Outcome) or (body is None) == (answer.end == "ok"):
            raise self._lost()
        self.worn = self.worn or answer.last or len(self._told) > _MAX_MODULES
        return body, answer

    async def inspect(self, module: Module, function: str, spent: Spent) -> Inspection:
        """What the module is found to be. Raises as ``invoke`` does."""
        asked = {"digest": module.digest, "function": function}
        message = self._text_of(module) + wire.encode_json(wire.Kind.INSPECT, asked)
        try:
            _, answer = await self.ask(message, 0)
        finally:
            spent.cpu += self.clock.since_last()
        if not isinstance(answer, Inspection):
            raise self._lost()
        return answer

    def _text_of(self, module: Module) -> bytes:
        """The module, the first time that this worker needs it."""
        if module.digest in self._told:
            return b""
        self._told.add(module.digest)
        return wire.encode_json(wire.Kind.MODULE, module)

    def _lost(self) -> WorkerLost:
        """It answered another question than the one it was asked."""
        self.destroy()
        return WorkerLost(_DIED)


def _invoke(call: Invocation) -> bytes:
    head: Mapping[str, object] = {
        "digest": call.digest,
        "function": call.function,
        "query": call.query,
        "has_data": call.arguments is not None,
    }
    message = wire.encode_json(wire.Kind.INVOKE, head)
    if call.arguments is None:
        return message
    text = call.arguments if isinstance(call.arguments, bytes) else orjson.dumps(call.arguments)
    return message + wire.encode(wire.Kind.DATA, text)
