"""One front: ``python -m service.front LISTENER CONTROL SECRETS COUNTERS BULLETIN FIGURES``, started by the
supervisor with these descriptors.

It waits until it may serve, serves HTTP on the socket it inherited and meets zygotes as the supervisor
introduces them. It ends when it is told to, with SIGTERM, with the supervisor's end of the control socket,
and with the supervisor itself.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
import uvloop

from service.access.opening import is_loopback
from service.app import create_app
from service.beside import start_beside
from service.handover import take
from service.http.connections import Connections
from service.http.leaving import LeavingProtocol
from service.http.limits import Limits
from service.http.protocol import bounded
from service.http.proxies import behind
from service.introduction import Introduction
from service.listen import reach_of
from service.pool.pool import PoolSize
from service.server import Server
from service.sessions.expiry import Expiry
from service.settings import Settings
from service.standing import Place, standing_state
from service.state import ServiceState
from service.supervisor.guest import MAY_SERVE
from service.supervisor.kernel import die_with_parent
from service.telemetry.board import join
from service.telemetry.logs import configure_logging
from service.telemetry.publishing import Publisher
from service.telemetry.span_sender import open_sender
from service.telemetry.spans import begin_tracing

_KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the supervisor has handed over: the listening socket, the channel to it, and descriptors of the
    memory in which all fronts count, and of that in which they announce changes."""

    listener: socket.socket
    control: socket.socket
    counters: int
    bulletin: int


async def serve(settings: Settings, inherited: Inherited) -> None:
    """Serve until told to stop."""
    place = Place(is_loopback(reach_of(inherited.listener)), inherited.bulletin, inherited.counters)
    size = PoolSize(settings.pool_size, settings.max_workers, settings.queue_size)
    async with standing_state(settings, place, size, _drain) as state:
        await _answer(settings, inherited, state)


async def _answer(settings: Settings, inherited: Inherited, state: ServiceState) -> None:
    everyone = Connections(Limits.of(settings))
    config = uvicorn.Config(
        behind(settings.trusted_proxies, create_app(state)),
        loop="uvloop",
        http=bounded(everyone, LeavingProtocol),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        forwarded_allow_ips=[],  # else uvicorn reads a variable of its own
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    local = is_loopback(reach_of(inherited.listener))
    server = Server(config, state, everyone, local=local)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)  # also when uvicorn has put back what stood before
    orders = {"drain": server.drain, "leave": server.leave, "cut": server.cut}
    Introduction(inherited.control, state, server.drain, orders).attach()
    gc.collect()
    gc.freeze()  # what a front is made of is never garbage: no collection need look at it again
    beside = [
        start_beside(work, _drain)
        for work in (Expiry(state.sessions, settings).run(), Publisher(state).run())
    ]
    try:
        await server.serve(sockets=[inherited.listener])
    finally:
        for task in beside:
            task.cancel()


def _drain() -> None:
    """Finish what has been accepted, and end: the supervisor starts another."""
    signal.raise_signal(signal.SIGTERM)


def main() -> None:
    """Entry point of the front process."""
    die_with_parent(signal.SIGKILL)
    listener, control, secrets, counters, bulletin, figures = (int(number) for number in sys.argv[1:7])
    for inherited in (listener, control, counters, bulletin, figures):
        os.set_inheritable(inherited, False)
    sockets = socket.socket(fileno=listener), socket.socket(fileno=control)
    if sockets[1].recv(len(MAY_SERVE)) != MAY_SERVE:
        return  # the supervisor has ended before there was anything to serve
    if _has_ended(sockets[1]):
        return  # and before the kernel was told that this process is to end with it
    secret = take(secrets)
    settings = Settings.from_env({**os.environ, **secret})
    configure_logging(settings)
    join(figures)
    with _tracing(settings, secret), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, Inherited(*sockets, counters, bulletin)))


def _has_ended(control: socket.socket) -> bool:
    """Whether its other end is closed, and nothing is left to read: nobody says more before our hello."""
    try:
        return control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


@contextmanager
def _tracing(settings: Settings, secret: Mapping[str, str]) -> Iterator[None]:
    """Requests of the block are traced, where there is somebody to send that to."""
    endpoint = settings.otel_exporter_otlp_endpoint
    sender = None if endpoint is None else open_sender(endpoint, secret)
    if sender is None:
        yield
        return
    begin_tracing(sender.tracer)
    try:
        yield
    finally:
        begin_tracing(None)
        sender.close()


if __name__ == "__main__":
    main()
