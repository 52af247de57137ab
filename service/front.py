"""One front: ``python -m service.front LISTENER CONTROL SECRETS COUNTERS BULLETIN``, started by the
supervisor with these descriptors.

It serves HTTP on the socket it inherited and meets zygotes as the supervisor introduces them. It ends with
SIGTERM, with the supervisor's end of the control socket, and with the supervisor itself.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import socket
import sys
from dataclasses import dataclass

import orjson
import uvicorn
import uvloop

from sandbox_runtime.domain import WORKER_KINDS
from sandbox_runtime.layers import states_from_json
from service.access.denials import Denials
from service.access.opening import is_loopback
from service.access.watch import Watch
from service.app import create_app
from service.control.bulletin import Bulletin
from service.control.control import open_control
from service.functions.following import Following
from service.handover import take
from service.http.connections import Connections
from service.http.limits import Limits
from service.http.protocol import bounded
from service.http.proxies import behind
from service.limits.store import open_store
from service.pool.channel import Channel
from service.pool.pool import Pool, PoolSize
from service.sessions.expiry import Expiry
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state
from service.supervisor.front import MESSAGE_BYTES
from service.supervisor.kernel import die_with_parent
from service.telemetry.logs import configure_logging

_KEEP_ALIVE_SECONDS = 75
_LONGEST_REST = 60.0  # seconds that a run may take beyond its timeout: waiting, collecting, answering
_LAST_ANSWERS = 1  # seconds to tell the callers who were cut off


class Server(uvicorn.Server):
    """One that answers the requests still running when their time is up, instead of dropping them."""

    def __init__(self, config: uvicorn.Config, state: ServiceState, patience: float) -> None:
        super().__init__(config)
        self._state = state
        self._patience = patience

    def stop(self, *_: object) -> None:
        """A signal handler. It stands before uvicorn's own and after: uvicorn raises the signal again when it
        is done, which by default would end the process with its log lines and descriptors unattended."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more; after ``patience`` seconds end what still runs."""
        end = asyncio.get_running_loop().call_later(self._patience, self._state.cut_off)
        try:
            await super().shutdown(sockets)
        finally:
            end.cancel()


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the supervisor has handed over: the listening socket, the channel to it, and descriptors of the
    memory in which all fronts count, and of that in which they announce changes."""

    listener: socket.socket
    control: socket.socket
    counters: int
    bulletin: int


class Supervisor:
    """The front's end of the supervisor's channel."""

    def __init__(self, control: socket.socket, state: ServiceState, server: uvicorn.Server) -> None:
        self._control = control
        self._state = state
        self._server = server

    def attach(self) -> None:
        """Listen to the supervisor, and say hello."""
        self._control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._control, self._readable)
        self.say({"t": "hello"})

    def say(self, body: dict[str, object]) -> None:
        """Send a message; a supervisor that is gone ends this front by its EOF."""
        try:
            self._control.send(orjson.dumps(body))
        except OSError:
            self._server.should_exit = True

    def _readable(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, len(WORKER_KINDS))
        except BlockingIOError:
            return
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            asyncio.get_running_loop().remove_reader(self._control)
            self._server.should_exit = True
            return
        body = orjson.loads(message)
        if body["t"] == "zygote":
            self._meet(body, [socket.socket(fileno=descriptor) for descriptor in descriptors])
        elif body["t"] == "retire":
            self._state.pool.retire(body["id"])
            self._state.sessions.retire(body["id"])
            self._state.functions.contracts.retire(body["id"])

    def _meet(self, body: dict[str, object], ends: list[socket.socket]) -> None:
        state = self._state
        sandbox, contracts = state.sandbox, state.functions.contracts
        pools = state.pool, state.sessions.workers, contracts.workers
        sandbox.layers = states_from_json(body["layers"])
        modules = body["modules"]
        sandbox.modules = tuple(modules) if isinstance(modules, list) else ()
        identity = body["id"]
        for kind, pool, end in zip(WORKER_KINDS, pools, ends, strict=True):
            pool.add(Channel(end, pool, identity=identity if isinstance(identity, int) else 0, kind=kind))


async def serve(settings: Settings, inherited: Inherited) -> None:
    """Serve until told to stop."""
    async with open_control(settings, must_seal=False) as opened:
        longest = max(settings.timeout_max, settings.max_exec_ms / 1000) + _LONGEST_REST
        store = await open_store(settings.rate_store, inherited.counters, lease=longest)
        if settings.rate_store != "memory":
            os.close(inherited.counters)
        address = inherited.listener.getsockname()[0]
        passage = new_passage(settings, store, Denials(opened.audit), local=is_loopback(address))
        pool = Pool(PoolSize(settings.pool_size, settings.max_workers, settings.queue_size))
        state = new_state(settings, pool, passage, opened)
        following = Following(opened.functions, state.functions.table, state.functions.contracts.release)
        passage.watch = watch = Watch(
            opened, passage, Bulletin(inherited.bulletin), following, state.functions.meter
        )
        await watch.begin()
        watching = asyncio.create_task(watch.run())
        try:
            await _answer(state, inherited)
        finally:
            watching.cancel()
            await watch.end()


async def _answer(state: ServiceState, inherited: Inherited) -> None:
    settings, pool, listener = state.settings, state.pool, inherited.listener
    config = uvicorn.Config(
        behind(settings.trusted_proxies, create_app(state)),
        loop="uvloop",
        http=bounded(Connections(Limits.of(settings))),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        forwarded_allow_ips=[],  # else uvicorn reads a variable of its own
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_seconds) + _LAST_ANSWERS,
    )
    server = Server(config, state, settings.shutdown_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    control = Supervisor(inherited.control, state, server)
    pool.on_proven = lambda identity: control.say({"t": "proven", "id": identity})
    pool.on_broken = lambda identity: control.say({"t": "broken", "id": identity})
    control.attach()
    gc.collect()
    gc.freeze()  # what a front is made of is never garbage: no collection need look at it again
    expiry = asyncio.create_task(Expiry(state.sessions, settings).run())
    try:
        await server.serve(sockets=[listener])
    finally:
        expiry.cancel()
        await state.close()


def main() -> None:
    """Entry point of the front process."""
    die_with_parent(signal.SIGKILL)
    listener, control, secrets, counters, bulletin = (int(number) for number in sys.argv[1:6])
    for inherited in (listener, control, counters, bulletin):
        os.set_inheritable(inherited, False)
    settings = Settings.from_env({**os.environ, **take(secrets)})
    configure_logging(settings)
    sockets = socket.socket(fileno=listener), socket.socket(fileno=control)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, Inherited(*sockets, counters, bulletin)))


if __name__ == "__main__":
    main()
