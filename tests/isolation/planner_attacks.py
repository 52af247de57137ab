"""``python -m tests.isolation.planner_attacks OFF TARGETS ATTACK ...``: confines itself as the planner does,
less the layers OFF (a JSON list), and makes the attacks. TARGETS: JSON, what they aim at.

Out: JSON, for each attack "done", or the name of the errno that it failed with.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime import linux
from sandbox_runtime.planner.confinement import layers_of, take_layers
from sandbox_runtime.planning import PlannerConfig
from seccomp import compile_profile

_IPPROTO_MPTCP = 262
_ONE_SECOND = 1.0
_MAPPED = Path("/proc/self/maps").read_text().split()
_LIBRARY = next(path for path in _MAPPED if path.startswith("/") and "libc" in path)  # of the system


@dataclass(frozen=True, slots=True)
class Targets:
    """``secret``: a file that anybody may read. ``open``: a directory that anybody may write to. Ports of
    listeners on 127.0.0.1: one that is allowed, one that is not. ``victim``: a process of the same user."""

    secret: str
    open: str
    allowed: int
    forbidden: int
    victim: int
    abstract: str
    unix: str


def _connect(port: int, protocol: int = 0) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as client:
        client.settimeout(_ONE_SECOND)
        client.connect(("127.0.0.1", port))
        client.sendall(b"hello")


def _connect_fast(port: int) -> None:
    with socket.socket() as client:
        client.sendto(b"hello", socket.MSG_FASTOPEN, ("127.0.0.1", port))


def _connect_unix(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)


def _listen() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        pass


def _listen_unbound() -> None:
    with socket.socket() as server:
        server.listen()  # the kernel binds it


def _open_raw() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _execute() -> None:
    os.execv("/bin/echo", ["echo", '{"exec": "done"}'])  # noqa: S606 - the attack


def _make(path: Path) -> None:
    path.touch()
    path.unlink()


def _resolve() -> None:
    if not socket.getaddrinfo("localhost", 443):
        raise OSError(errno.EADDRNOTAVAIL, "localhost")


ATTACKS: Mapping[str, Callable[[Targets], object]] = {
    "read a file": lambda targets: Path(targets.secret).read_bytes(),
    "read passwd": lambda _: Path("/etc/passwd").read_bytes(),
    "read a library": lambda _: Path(_LIBRARY).read_bytes(),
    "list a directory": lambda targets: os.listdir(targets.open),
    "make a file": lambda targets: _make(Path(targets.open, "new")),
    "write to a file": lambda targets: Path(targets.open, "old").write_text("here"),
    "remove a file": lambda targets: Path(targets.open, "old").unlink(),
    "read memory": lambda targets: Path(f"/proc/{targets.victim}/mem").open("rb").close(),
    "read environment": lambda targets: Path(f"/proc/{targets.victim}/environ").read_bytes(),
    "signal": lambda targets: os.kill(targets.victim, 0),
    "signal everyone": lambda _: os.kill(0, 0),
    "signal by pidfd": lambda targets: signal.pidfd_send_signal(os.pidfd_open(targets.victim), 0),
    "fork": lambda _: _fork(),
    "exec": lambda _: _execute(),
    "connect to another port": lambda targets: _connect(targets.forbidden),
    "connect by MPTCP": lambda targets: _connect(targets.forbidden, _IPPROTO_MPTCP),
    "connect by fast open": lambda targets: _connect_fast(targets.forbidden),
    "connect to an abstract socket": lambda targets: _connect_unix("\0" + targets.abstract),
    "connect to a socket file": lambda targets: _connect_unix(targets.unix),
    "listen": lambda _: _listen(),
    "listen unbound": lambda _: _listen_unbound(),
    "raw socket": lambda _: _open_raw(),
    "new namespace": lambda _: linux.unshare(linux.CLONE_NEWUSER)(),
    "become root": lambda _: os.setresuid(0, 0, 0),
    "outlive the supervisor": lambda _: linux.set_parent_death_signal(0)(),
    "become dumpable": lambda _: linux.set_dumpable(True)(),
    # What it must be able to do.
    "connect to its port": lambda targets: _connect(targets.allowed),
    "resolve": lambda _: _resolve(),
    "read certificates": lambda _: Path("/etc/ssl/certs/ca-certificates.crt").read_bytes(),
}


def outcome(attack: Callable[[Targets], object], targets: Targets) -> str:
    """Of one."""
    try:
        attack(targets)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def main() -> None:
    """See above."""
    off, aims, *names = sys.argv[1:]
    targets = Targets(**json.loads(aims))
    config = PlannerConfig((), (), (443, targets.allowed), 1, 1, 1, filter=compile_profile("planner").hex())
    layers = [each for each in layers_of(config, linux.landlock_abi()) if each.layer not in json.loads(off)]
    missing = {name: why for name, why in take_layers(layers, ()).items() if why}
    if missing:
        raise SystemExit(f"not in force: {missing}")
    sys.stdout.write(json.dumps({name: outcome(ATTACKS[name], targets) for name in names}))


if __name__ == "__main__":
    main()
