"""Two programs at one time, or one after the other: neither can see, stop, starve or mark the other.

The programs meet through what the jail gives both: nothing but time and the numbers of their processes. A
victim says on its stdout when it stands; the test reads that from the outside.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from sandbox_runtime.layers import Layer
from service.pool.job import Outcome
from tests.isolation.attack import PRELUDE, Exact, seen
from tests.isolation.host import with_numbers
from tests.support import Sandboxes

# Long enough for any attack below; it ends as soon as its time is over.
_VICTIM = """
import os, threading, time
secret = bytearray(b'the victim has this secret ' * 4)
open('secret', 'w').write('the victim has this file')
before = (os.getpriority(0, 0), sorted(os.sched_getaffinity(0)), __import__('resource').getrlimit(7))
time.sleep(SECONDS)
threading.stack_size(64 << 10)
threads = [threading.Thread(target=int) for _ in range(20)]
[t.start() for t in threads], [t.join() for t in threads]
after = (os.getpriority(0, 0), sorted(os.sched_getaffinity(0)), __import__('resource').getrlimit(7))
print(before == after, open('secret').read(), secret[:10].decode(), sorted(os.listdir('.')))
"""
_WELL = Exact("ok", 0, "True the victim has this file the victim ['main.py', 'secret']\n")
_NEIGHBOURS = "others = [pid for pid in range(2, os.getpid() + 40) if pid != os.getpid()]\n"


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    with Sandboxes() as started:
        started.run("")
        yield started


class Pair:
    """A victim that is running while ``attack`` is called; ``outcome`` waits for its end."""

    def __init__(self, sandboxes: Sandboxes, seconds: float = 0.7) -> None:
        self._sandboxes = sandboxes
        self._victim: Future[Outcome] = sandboxes.start(_VICTIM.replace("SECONDS", str(seconds)))
        sandboxes.wait_busy(1)

    def attack(self, program: str, **options: Any) -> Exact:
        """What the attacker saw; the victim was still running when it had ended."""
        outcome = self._sandboxes.run(with_numbers(PRELUDE + program), **options)
        assert not self._victim.done(), "the victim was gone before the attack had ended"
        return seen(outcome)

    def outcome(self) -> Exact:
        """How the victim ended."""
        return seen(self._victim.result(30))


_ATTACKS = {
    "signals": (
        "print({tried(os.kill, pid, number) for pid in (-1, 0, 1, *others) for number in (0, 9, 19)})",
        "{'EPERM'}",
    ),
    "signals to threads": (
        "print({call(NR_tgkill, pid, pid, 9) for pid in others}, {call(NR_tkill, pid, 9) for pid in others})",
        "{'EPERM'} {'EPERM'}",
    ),
    "signals through a descriptor": (
        "import fcntl\nprint({tried(fcntl.fcntl, 3, fcntl.F_SETOWN, pid) for pid in others})",
        "{'EPERM'}",
    ),
    "traces": ("print({call(NR_ptrace, 16, pid, 0, 0) for pid in others})", "{'EPERM'}"),
    "memory": (
        """
for number in (NR_process_vm_readv, NR_process_vm_writev):
    print({call(number, pid, 0, 0, 0, 0, 0) for pid in others})
""",
        "{'EPERM'}\n{'EPERM'}",
    ),
    "descriptors": (
        "print({tried(os.pidfd_open, pid) for pid in others}, call(NR_pidfd_getfd, 0, 1, 0))",
        "{'EPERM'} EPERM",
    ),
    "limits": (
        "import resource\nprint({tried(resource.prlimit, pid, 7, (1, 1)) for pid in others})",
        "{'EPERM'}",
    ),
    "priority": (
        "print({tried(os.setpriority, 0, pid, 19) for pid in others}, tried(os.setpriority, 2, 0, 19))",
        "{'EPERM'} EPERM",
    ),
    "affinity": ("print({tried(os.sched_setaffinity, pid, {0}) for pid in others})", "{'EPERM'}"),
    "scheduler": (
        "print({tried(os.sched_setscheduler, pid, os.SCHED_IDLE, os.sched_param(0)) for pid in others})",
        "{'EPERM'}",
    ),
    "clocks": (
        """
import time
numbers = [~pid << 3 | 2 for pid in others]
print({tried(time.clock_gettime, number) for number in numbers},
      {tried(time.clock_getres, number) for number in numbers},
      {call(NR_clock_nanosleep, number, 0, 0, 0) for number in numbers},
      {call(NR_timer_create, number, 0, 0) for number in numbers})
""",
        "{'EPERM'} {'EPERM'} {'EPERM'} {'EPERM'}",
    ),
    "files": ("print(os.listdir('/tmp'), tried(open, '/tmp/secret'))", "['main.py'] ENOENT"),
    "session keyring": (
        "print(call(NR_add_key, b'user', b'a', b'b', 1, -3), call(NR_keyctl, 11, -3, 0, 0))",
        "EPERM EPERM",
    ),
    "System V objects": (
        "print(call(NR_shmget, 1, 4096, 0o1666), call(NR_msgget, 1, 0o1666))",
        "EPERM EPERM",
    ),
}


@pytest.mark.parametrize("name", _ATTACKS)
def test_neighbour_is_out_of_reach(name: str, sandboxes: Sandboxes) -> None:
    program, expected = _ATTACKS[name]
    pair = Pair(sandboxes)
    assert pair.attack(_NEIGHBOURS + program) == Exact("ok", 0, f"{expected}\n")
    assert pair.outcome() == _WELL


_KILL = _NEIGHBOURS + "print(sum(tried(os.kill, pid, 9) is None for pid in others) >= 1)"


def test_control_without_seccomp_and_landlock_the_neighbour_can_be_killed(sandboxes: Sandboxes) -> None:
    off = (Layer.SECCOMP, Layer.LANDLOCK, Layer.WORKER_USER_NAMESPACE)
    victim = sandboxes.start(_VICTIM.replace("SECONDS", "20"), off=off)
    sandboxes.wait_busy(1, off)
    outcome = sandboxes.run(PRELUDE + _KILL, off=off)
    assert seen(outcome) == Exact("ok", 0, "True\n")
    assert seen(victim.result(30)) == Exact("signal", 137, "")


def test_landlock_alone_keeps_signals_from_the_neighbour(sandboxes: Sandboxes) -> None:
    if Layer.LANDLOCK not in sandboxes.in_force():
        pytest.skip("this host has no Landlock")
    off = (Layer.SECCOMP, Layer.WORKER_USER_NAMESPACE)
    victim = sandboxes.start(_VICTIM.replace("SECONDS", "1"), off=off)
    sandboxes.wait_busy(1, off)
    outcome = sandboxes.run(PRELUDE + _KILL, off=off)
    assert seen(outcome) == Exact("ok", 0, "False\n")
    assert seen(victim.result(30)) == _WELL


_THREADS = """
import threading
threading.stack_size(64 << 10)
hold, made = threading.Event(), 0
try:
    while made < 1000:
        threading.Thread(target=hold.wait, daemon=True).start()
        made += 1
except RuntimeError:
    pass
print(made, flush=True)
hold.wait(0.5)
hold.set()
"""


def test_thread_bomb_leaves_the_neighbour_its_threads(sandboxes: Sandboxes) -> None:
    pair = Pair(sandboxes, 0.3)
    bomb = sandboxes.start(_THREADS)
    assert pair.outcome() == _WELL
    assert seen(bomb.result(30)) == Exact("ok", 0, "63\n")


_HOARDS = {
    "descriptors in flight": """
import socket, time
pairs, sent = [], 0
try:
    while True:
        pairs.append(socket.socketpair())
        socket.send_fds(pairs[-1][0], [b'x'], [0] * 100)
        sent += 100
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
time.sleep(1)
""",
    "pipes": """
import fcntl, time
pipes = []
try:
    while True:
        pipes.append(os.pipe())
        tried(fcntl.fcntl, pipes[-1][1], 1031, 1 << 20)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
time.sleep(1)
""",
    "timers": """
import time
number = ctypes.c_int()
while True:
    code = call(NR_timer_create, 1, 0, ctypes.byref(number))
    if code != 0:
        break
print(code, flush=True)
time.sleep(1)
""",
    "scratch": """
import time
try:
    with open('a', 'wb') as file:
        while True:
            file.write(bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
time.sleep(1)
""",
}
_HOARDED = {
    "descriptors in flight": "ETOOMANYREFS",
    "pipes": "EMFILE",
    "timers": "EAGAIN",
    "scratch": "ENOSPC",
}
_MODEST = """
import ctypes, os, socket
r, w = os.pipe()
os.write(w, b'x' * 100)
a, b = socket.socketpair()
timer = ctypes.CDLL(None).syscall(NR_timer_create, 1, None, ctypes.byref(ctypes.c_int()))
print(len(os.read(r, 200)), timer, open('f', 'wb').write(bytes(1 << 20)))
"""


@pytest.mark.parametrize("hoard", _HOARDS)
def test_hoarder_leaves_the_others_their_share(hoard: str, sandboxes: Sandboxes) -> None:
    """What the kernel counts per user is the danger: all workers are one user to it."""
    hoarder = sandboxes.start(with_numbers(PRELUDE + _HOARDS[hoard]))
    sandboxes.wait_busy(1)
    served = 0
    while not hoarder.done():
        outcome = sandboxes.run(with_numbers(_MODEST), timeout=5.0)
        assert seen(outcome) == Exact("ok", 0, "100 0 1048576\n")
        served += 1
    assert served > 10, "fewer than were ready when it began say nothing"
    assert seen(hoarder.result(30)) == Exact("ok", 0, f"{_HOARDED[hoard]}\n")


_MARK = """
import builtins, fcntl, json, os, random, signal, struct, sys, time
open('/tmp/mark', 'w').write('mark')
os.environ['MARK'] = 'mark'
builtins.mark = json.mark = sys.mark = 'mark'
json.loads = None
sys.modules['mark'] = json
sys.path.insert(0, '/mark')
os.mkdir('/tmp/here')
os.chdir('/tmp/here')
os.umask(0)
os.nice(5)
random.seed(1)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
fcntl.fcntl(0, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
for kind in (fcntl.F_WRLCK, fcntl.F_RDLCK):
    try:
        fcntl.fcntl(0, 37, struct.pack('hhqqi4x', kind, 0, 4242, 1, 0))
    except OSError:
        pass
for opened in (0, *(os.open(path, os.O_RDONLY) for path in ('/dev/zero', os.__file__, '/etc/passwd', '/'))):
    fcntl.flock(opened, fcntl.LOCK_EX)
"""
_LOOK = """
import builtins, fcntl, json, os, signal, struct, sys
# Locks wait for a program that is about to die; one that stays would keep this program until its timeout.
fcntl.fcntl(os.open('/dev/null', os.O_RDWR), 38, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))
for path in ('/dev/null', '/dev/zero', os.__file__, '/etc/passwd', '/'):
    fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX)
umask = os.umask(0)
print(os.listdir('/tmp'), 'MARK' in os.environ, hasattr(builtins, 'mark'), hasattr(json, 'mark'),
      hasattr(sys, 'mark'), json.loads('1'), 'mark' in sys.modules, '/mark' in sys.path,
      os.getcwd(), oct(umask), os.getpriority(0, 0),
      signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, oct(fcntl.fcntl(0, fcntl.F_GETFL) & 0o6000))
"""
_CLEAN = "['main.py'] False False False False 1 False False /tmp 0o22 0 True 0o0\n"


def test_nothing_is_left_for_the_next_program(sandboxes: Sandboxes) -> None:
    for _ in range(3):
        assert seen(sandboxes.run(_MARK)) == Exact("ok", 0, "")
        assert seen(sandboxes.run(_LOOK)) == Exact("ok", 0, _CLEAN)


def test_random_state_is_everyones_own(sandboxes: Sandboxes) -> None:
    draws = "import random, uuid, tempfile\nprint(random.random(), uuid.uuid4(), tempfile.mkdtemp())"
    outcomes = [sandboxes.run(draws).stdout.text.split() for _ in range(20)]
    for column in zip(*outcomes, strict=True):
        assert len(set(column)) == len(outcomes)


def test_descriptors_sent_to_the_front_do_not_stay_there(sandboxes: Sandboxes) -> None:
    send = "import socket\nsocket.send_fds(socket.socket(fileno=os.dup(3)), [b'\\x00' * 5], [0] * 200)\n"
    assert seen(sandboxes.run(PRELUDE + send)) == Exact("signal", 137, "")
    sandboxes.settle()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        sandboxes.run(PRELUDE + send)
    sandboxes.settle()
    assert len(os.listdir("/proc/self/fd")) == before


def test_crash_of_one_is_nothing_to_another(sandboxes: Sandboxes) -> None:
    pair = Pair(sandboxes)
    for program, exit_code in (
        ("ctypes.string_at(8)", 139),
        ("os.abort()", 134),
        ("os.kill(os.getpid(), 9)", 137),
    ):
        assert pair.attack(program) == Exact("signal", exit_code, "")
    assert pair.outcome() == _WELL


async def test_helper_thread_is_not_this_loop(sandboxes: Sandboxes) -> None:
    """The sandboxes live on a loop of their own, so a test may have one too."""
    outcome = await asyncio.to_thread(sandboxes.run, "result = 1")
    assert outcome.result == b"1"
