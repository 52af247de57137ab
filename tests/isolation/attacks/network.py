# ruff: noqa: E501 - a program of one line stays one line
"""Sockets of every family, name resolution, System V and POSIX objects shared by name."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Fence, says

_SHADOWED = (
    "with seccomp off an own network namespace would have to be brought up; the TCP row has the control"
)
_TCP = (Layer.SECCOMP, Layer.NET_NAMESPACE)
_FAMILIES = "AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET AF_VSOCK AF_ALG AF_BLUETOOTH AF_CAN AF_TIPC AF_RDS AF_QIPCRTR"

ROWS = (
    Attack(
        "TCP to a listener of the host",
        """
import socket
def attempt():
    with socket.create_connection(('127.0.0.1', @PORT@), 5) as s:
        return s.recv(100).decode()
print(tried(attempt))
""",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.NET_NAMESPACE, Layer.LANDLOCK),
        control=says("the host's listener"),
    ),
    Attack(
        "UDP to a socket of the host",
        """
import socket
def attempt():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect(('127.0.0.1', @UDP@))
    s.send(b'ping')
    return s.recv(100).decode()
print(tried(attempt))
""",
        says("EPERM"),
        layers=_TCP,
        control=says("the host's answer"),
    ),
    Attack(
        "UNIX socket of the host by path",
        """
import socket
def attempt():
    s = socket.socket(socket.AF_UNIX)
    s.connect('@UNIX@')
    return s.recv(100).decode()
print(tried(attempt))
""",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.PRIVATE_ROOT),
        also_off=(Layer.LANDLOCK,),
        control=says("the host's listener"),
    ),
    Attack(
        "UNIX socket of the host by abstract name",
        """
import socket
def attempt():
    s = socket.socket(socket.AF_UNIX)
    s.connect('\\0@ABSTRACT@')
    return s.recv(100).decode()
print(tried(attempt))
""",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.NET_NAMESPACE, Layer.LANDLOCK),
        control=says("the host's listener"),
    ),
    Attack(
        "sockets of every family",
        f"""
import socket
for name in {_FAMILIES!r}.split():
    family = getattr(socket, name, None)
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        assert family is None or tried(socket.socket, family, kind) == 'EPERM', name
print({{call(NR_socket, family, 1, 0) for family in range(64)}})
""",
        says("{'EPERM'}"),
        layers=(Layer.SECCOMP,),
        no_control=_SHADOWED,
    ),
    Attack(
        "listening",
        "a, b = __import__('socket').socketpair()\nprint(call(NR_bind, a.fileno(), b'', 0), call(NR_listen, a.fileno(), 1), call(NR_connect, a.fileno(), b'', 0), call(NR_accept4, a.fileno(), 0, 0, 0))",
        says("EPERM EPERM EPERM EPERM"),
        layers=(Layer.SECCOMP,),
        control=says("EINVAL EINVAL EINVAL EINVAL"),
    ),
    Attack(
        "names resolved",
        """
import socket
for name in ('localhost', 'example.com'):
    try:
        print(socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)[0][4])
    except socket.gaierror as error:
        print(error.errno == socket.EAI_AGAIN or error.errno == socket.EAI_NONAME)
""",
        says("('127.0.0.1', 80)", "True"),
        layers=_TCP,
        no_control="would ask the host's name server",
    ),
    Attack(
        "datagram socketpair, which can address others",
        "import socket\nprint(tried(socket.socketpair, socket.AF_UNIX, socket.SOCK_DGRAM), tried(socket.socketpair, socket.AF_UNIX, socket.SOCK_RAW))",
        says("EPERM EPERM"),
        layers=(Layer.SECCOMP,),
        no_control="reaching another worker takes two of them: test_cross_worker",
    ),
    Attack(
        "socketpair within the program is allowed",
        "import socket\na, b = socket.socketpair()\na.send(b'hello')\nprint(b.recv(9).decode(), tried(b.sendto, b'x', '\\0@ABSTRACT@'))",
        says("hello EISCONN"),
        fence=Fence.KERNEL,
        no_control="nothing is stopped; the row says that a connected pair cannot be turned elsewhere",
    ),
    Attack(
        "HTTP client of the standard library",
        "import urllib.request, urllib.error\ntry:\n    urllib.request.urlopen('http://127.0.0.1:@PORT@/', timeout=5)\nexcept urllib.error.URLError as error:\n    print(errno.errorcode[error.reason.errno])",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.NET_NAMESPACE, Layer.LANDLOCK),
        no_control="the row before has it for the same listener",
    ),
    Attack(
        "System V shared memory, semaphores, messages",
        "print(call(NR_shmget, @KEY@, 4096, 0), call(NR_semget, @KEY@, 1, 0), call(NR_msgget, @KEY@, 0), call(NR_shmat, 0, 0, 0))",
        says("EPERM EPERM EPERM EPERM"),
        layers=(Layer.SECCOMP,),
        control=says("ENOENT ENOENT ENOENT EINVAL"),
    ),
    Attack(
        "POSIX message queues",
        "print(call(NR_mq_open, b'lars', 0o102, 0o600, 0), call(NR_mq_unlink, b'lars'))",
        says("EPERM ENOSYS"),
        layers=(Layer.SECCOMP,),
        no_control="the limit RLIMIT_MSGQUEUE of 0 answers differently on different kernels",
    ),
    Attack(
        "POSIX shared memory",
        """
from multiprocessing.shared_memory import SharedMemory
print(tried(SharedMemory, 'lars', create=True, size=4096))
""",
        says("ENOENT"),
        layers=(Layer.PRIVATE_ROOT,),
        no_control="would leave a file in the host's /dev/shm",
    ),
    Attack(
        "network interfaces and host name",
        "import socket\nprint(tried(socket.if_nameindex), os.uname().nodename, tried(socket.sethostname, 'mine'), call(NR_setdomainname, b'mine', 4))",
        says("EPERM lars EPERM EPERM"),
        layers=(Layer.SECCOMP,),
        no_control="'host name' has it for the UTS namespace",
    ),
    Attack(
        "host name",
        "import socket\nprint(socket.gethostname() == '@HOSTNAME@')",
        says("False"),
        layers=(Layer.UTS_NAMESPACE,),
        control=says("True"),
    ),
)
