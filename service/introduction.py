"""A front's end of the channel to who has the zygotes: it meets zygotes, and tells which are of use.

``service.supervisor.guest`` is the other end, and has what is said."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from sandbox_runtime.domain import WORKER_KINDS
from sandbox_runtime.layers import states_from_json
from sandbox_runtime.planning import Standing
from service.pool.channel import Channel
from service.state import ServiceState
from service.supervisor.guest import MESSAGE_BYTES

_DESCRIPTORS: Final = {"zygote": len(WORKER_KINDS), "planner": 1}
_log: FilteringBoundLogger = structlog.get_logger(__name__)
_NO_ORDERS: Final[Mapping[str, Callable[[], None]]] = MappingProxyType({})


class Introduction:
    """``on_end`` is called when the other end is gone. ``orders``: what is done when it is told.
    ``why``: its last word, where it had one."""

    def __init__(
        self,
        control: socket.socket,
        state: ServiceState,
        on_end: Callable[[], None],
        orders: Mapping[str, Callable[[], None]] = _NO_ORDERS,
    ) -> None:
        self.why: str | None = None
        self._orders = orders
        self._control = control
        self._state = state
        self._on_end = on_end
        self._over = False
        self._connecting: set[asyncio.Task[None]] = set()

    def attach(self) -> None:
        """Listen, say hello, and tell from now on of each zygote whether a program runs in it."""
        self._control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._control, self._readable)
        self._state.pool.on_proven = lambda identity: self._say({"t": "proven", "id": identity})
        self._state.pool.on_broken = lambda identity: self._say({"t": "broken", "id": identity})
        self._say({"t": "hello"})

    def detach(self) -> None:
        """Listen no longer. Call before ``control`` is closed."""
        self._over = True
        asyncio.get_running_loop().remove_reader(self._control)

    def _say(self, body: dict[str, object]) -> None:
        try:
            self._control.send(orjson.dumps(body))
        except OSError:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self.detach()
            self._on_end()

    def _readable(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, len(WORKER_KINDS))
        except BlockingIOError:
            return
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            self._end()
            return
        self._take(orjson.loads(message), descriptors)

    def _take(self, body: dict[str, Any], descriptors: list[int]) -> None:
        if body["t"] == "ping":
            self._say({"t": "alive"})
        elif body["t"] in self._orders:
            self._orders[body["t"]]()
        elif len(descriptors) != _DESCRIPTORS.get(body["t"], 0):
            # This process has reached its limit of open files (unix(7), MSG_CTRUNC): another serves better.
            for descriptor in descriptors:
                os.close(descriptor)
            _log.error("introduction_lost", of=body["t"], remedy="raise ulimit -n")
            self._end()
        elif body["t"] == "zygote":
            self._meet(body, [socket.socket(fileno=descriptor) for descriptor in descriptors])
        elif body["t"] == "retire":
            self._state.pool.retire(body["id"])
            self._state.sessions.retire(body["id"])
            self._state.functions.contracts.retire(body["id"])
        elif body["t"] == "planner":
            self._meet_planner(body, descriptors)
        elif body["t"] == "hopeless":
            self.why = str(body["why"])

    def _meet_planner(self, body: dict[str, object], descriptors: list[int]) -> None:
        (end,) = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        connecting = self._state.planning.line.connect(end, Standing.from_wire(body))
        task = asyncio.get_running_loop().create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def _meet(self, body: dict[str, object], ends: list[socket.socket]) -> None:
        state = self._state
        sandbox, contracts = state.sandbox, state.functions.contracts
        pools = state.pool, state.sessions.workers, contracts.workers
        sandbox.layers = states_from_json(body["layers"])
        modules = body["modules"]
        sandbox.modules = tuple(modules) if isinstance(modules, list) else ()
        identity = body["id"]
        for kind, pool, end in zip(WORKER_KINDS, pools, ends, strict=True):
            channel = Channel(end, pool, identity=identity if isinstance(identity, int) else 0, kind=kind)
            channel.proven_elsewhere = body["proved"] is True
            pool.add(channel)
        state.pool.prove_all()
