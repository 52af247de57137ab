"""``python -m tests.isolation.planner_names RESOLV_CONF``: in a network of its own, confines itself as the
planner does, and resolves a name by RESOLV_CONF, which names a server on loopback.

Out: the address that it has found.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import threading

from sandbox_runtime import linux
from sandbox_runtime.planner.confinement import confine
from sandbox_runtime.planning import PlannerConfig
from seccomp import compile_profile

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_TYPE_A = 1
_ANSWER = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x09"  # A, 60 s, 127.0.0.9
_HEAD = 12  # bytes of a DNS message before its question (RFC 1035)


def _enter(resolv_conf: str) -> None:
    linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS)()
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)()
    linux.mount(resolv_conf, os.path.realpath("/etc/resolv.conf"), None, linux.MS_BIND)()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _answer(server: socket.socket) -> None:
    """Every question for an IPv4 address; there are no others."""
    while True:
        query, asker = server.recvfrom(512)
        end = query.index(0, _HEAD) + 5
        (kind,) = struct.unpack_from("!H", query, end - 4)
        found = _ANSWER if kind == _TYPE_A else b""
        counts = struct.pack("!HHHH", 1, bool(found), 0, 0)
        server.sendto(query[:2] + b"\x81\x80" + counts + query[_HEAD:end] + found, asker)


def _resolve() -> None:
    confine(PlannerConfig((), (), (443,), 1, 1, 1, filter=compile_profile("planner").hex()))
    found = socket.getaddrinfo("api.example.com", 443, type=socket.SOCK_STREAM)
    os.write(1, str(found[0][4][0]).encode())


def main() -> int:
    """See above; exit status 0 when it has found one."""
    _enter(sys.argv[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        pid = os.fork()
        if pid == 0:
            try:
                _resolve()
                os._exit(0)
            finally:
                os._exit(1)
        threading.Thread(target=_answer, args=(server,), daemon=True).start()
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
