"""The listening socket, had before anything else so that what is wrong with it is said at once: made here,
or inherited from who starts the service."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

BACKLOG = 2048
# sd_listen_fds(3). They are about this process: a child must not take what they name for its own.
VARIABLES = frozenset(("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"))
_FIRST_PASSED = 3  # SD_LISTEN_FDS_START
_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class ListenError(Exception):
    """The address or socket cannot be listened on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. ``descriptor``: an inherited socket that is served instead, or None."""

    host: str
    port: int
    descriptor: int | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """``own``: it was made here, so that no other process goes on with it when this one ends."""

    socket: socket.socket
    own: bool


def open_listener(address: Address, environ: Mapping[str, str]) -> Listening:
    """The socket that is named, else the one that the service manager passes, else a new one. ListenError."""
    if address.descriptor is not None:
        return Listening(inherited(address.descriptor, "LARS_FD"), own=False)
    passed = _passed(environ)
    if passed is not None:
        return Listening(inherited(passed, "LISTEN_FDS"), own=False)
    return Listening(listen(address.host, address.port), own=True)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Port 0 lets the kernel choose."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ListenError(f"host {host!r} is not an address of this machine: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ListenError(_sentence(host, port, error)) from error
    return listener


def inherited(descriptor: int, source: str) -> socket.socket:
    """The listening socket behind a descriptor that this process was started with; no child inherits it by
    itself. ``source``: the variable that has named it."""
    named = f"{source} names descriptor {descriptor}"
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError as error:
        why = "is not open" if error.errno == errno.EBADF else "is no socket"
        raise ListenError(f"{named}, which {why}; start the service with a listening socket there") from error
    wrong = _unfit(listener)
    if wrong is not None:
        listener.detach()
        raise ListenError(f"{named}, which {wrong}; pass a listening stream socket (TCP, or of a path)")
    os.set_inheritable(descriptor, False)
    return listener


def url_of(listener: socket.socket) -> str:
    """http://host:port of a listening socket, or unix:path."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{_path(listener)}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def curl_of(listener: socket.socket) -> str:
    """How the service there is asked with curl: its options and the URL without a path."""
    if listener.family != socket.AF_UNIX:
        return f"-s {url_of(listener)}"
    path = _path(listener)
    option = f"--abstract-unix-socket {path[1:]}" if path.startswith("@") else f"--unix-socket {path}"
    return f"-s {option} http://localhost"


def reach_of(listener: socket.socket) -> str:
    """The IP address by which it is judged who can reach it. A socket of a path is of this machine alone."""
    return "127.0.0.1" if listener.family == socket.AF_UNIX else str(listener.getsockname()[0])


def _passed(environ: Mapping[str, str]) -> int | None:
    """The descriptor that sd_listen_fds(3) would say, None where nothing is passed to this process."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or count in ("", "0"):
        return None
    if count != "1":
        raise ListenError(
            f"LISTEN_FDS={count}: one socket can be served; keep one ListenStream= in the socket unit"
        )
    return _FIRST_PASSED


def _unfit(listener: socket.socket) -> str | None:
    """What keeps it from being served, None when nothing does."""
    if listener.family not in _FAMILIES:
        return f"is a socket of family {int(listener.family)}"
    if listener.type != socket.SOCK_STREAM:
        return "is no stream socket"
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return "does not listen"
    return None


def _path(listener: socket.socket) -> str:
    """An abstract name is shown with @ for its first byte, as others show it (unix(7))."""
    name = listener.getsockname()
    return f"@{name[1:].decode(errors='replace')}" if isinstance(name, bytes) else str(name)


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; stop what holds it, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} needs privilege; choose one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {error.strerror}; choose another with --host or --port"
