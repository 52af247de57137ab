# ruff: noqa: E501 - a program of one line stays one line
"""Memory, CPU, time and stack."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, raises, says

_RLIMITS = (Layer.RLIMITS,)
_DEADLINE = "the clocks of the front cannot be switched off"
_OWN_BIND = "the address space of a request is limited whatever the layers"
_SMALL = {"memory": 64 << 20}
_MEMORY = Exact("memory", 1, "", ("MemoryError", ""))

ROWS = (
    Attack(
        "memory: one large bytes",
        "bytes(1 << 30)",
        _MEMORY,
        fence=Fence.WORKER,
        options=_SMALL,
        control=says(),
        control_options={"memory": 2 << 30},
    ),
    Attack(
        "memory: a number that does not fit",
        "1 << (1 << 40)",
        _MEMORY,
        fence=Fence.WORKER,
        options=_SMALL,
        no_control="fits into no machine of ours",
    ),
    Attack(
        "memory: a list that grows",
        "kept = []\nwhile True:\n    kept.append('x' * 1000 + str(len(kept)))",
        _MEMORY,
        fence=Fence.WORKER,
        options=_SMALL,
        no_control=_OWN_BIND,
    ),
    Attack(
        "memory: mmap, brk and mremap",
        """
import mmap
print(tried(mmap.mmap, -1, 1 << 30), tried(mmap.mmap, -1, 1 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
now = _libc.sbrk
now.restype = ctypes.c_long
print(now(ctypes.c_long(1 << 30)))
""",
        says("ENOMEM ENOMEM", "-1"),
        fence=Fence.WORKER,
        options=_SMALL,
        no_control=_OWN_BIND,
    ),
    Attack(
        "memory: the error caught is the program's own business",
        "try:\n    bytes(1 << 30)\nexcept MemoryError:\n    print('caught')",
        says("caught"),
        fence=Fence.WORKER,
        options=_SMALL,
        no_control="nothing is stopped",
    ),
    Attack(
        "memory: limits raised",
        """
import resource
names = ('AS', 'CPU', 'FSIZE', 'NOFILE', 'NPROC', 'CORE', 'MEMLOCK', 'MSGQUEUE', 'NICE', 'SIGPENDING')
for name in names:
    number = getattr(resource, 'RLIMIT_' + name)
    soft, hard = resource.getrlimit(number)
    try:
        resource.setrlimit(number, (hard + 1, hard + 1))
        print(name)
    except ValueError as error:
        assert soft == hard and str(error) == 'not allowed to raise maximum limit', name
""",
        says(),
        fence=Fence.KERNEL,
        no_control="needs a capability over the host",
    ),
    Attack(
        "memory: locked in place",
        "print(call(NR_mlock, 4096, 4096), call(NR_mlockall, 3))",
        Exact("ok", 0, "EPERM ENOSYS\n"),
        layers=_RLIMITS,
        no_control="what may be locked without the limit is the host's to say",
    ),
    Attack(
        "memory beyond the limit in files that have no name",
        """
chunk, held = bytes(1 << 20), 0
try:
    while held < 100:
        file = os.memfd_create('m')
        for _ in range(10):
            held += os.write(file, chunk) >> 20
    print(held)
except OSError as error:
    print(held, errno.errorcode[error.errno])
""",
        says("0 EPERM"),
        layers=(Layer.SECCOMP,),
        control=says("100"),
        options=_SMALL,
    ),
    Attack(
        "CPU: busy with every signal blocked",
        """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
for number in (signal.SIGXCPU, signal.SIGALRM, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print('burning', flush=True)
while True:
    pass
""",
        Exact("cpu", 137, "burning\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 20.0, "cpu": 0.2},
        no_control=_DEADLINE,
    ),
    Attack(
        "CPU: in C, without the interpreter",
        "print('burning', flush=True)\npow(3, 10 ** 8)",
        Exact("cpu", 137, "burning\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 20.0, "cpu": 0.2},
        no_control=_DEADLINE,
    ),
    Attack(
        "CPU: regular expression that backtracks",
        "import re\nprint('burning', flush=True)\nre.match('(a+)+$', 'a' * 64 + 'b')",
        Exact("cpu", 137, "burning\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 20.0, "cpu": 0.1},
        no_control=_DEADLINE,
    ),
    Attack(
        "CPU: threads that burn together",
        """
import hashlib, threading
def burn():
    while True:
        hashlib.pbkdf2_hmac('sha256', b'a', b'b', 10 ** 7)
threading.stack_size(1 << 16)
print('burning', flush=True)
for _ in range(16):
    threading.Thread(target=burn, daemon=True).start()
burn()
""",
        Exact("cpu", 137, "burning\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 20.0, "cpu": 0.3},
        no_control=_DEADLINE,
    ),
    Attack(
        "CPU: the main thread leaves, another burns",
        """
import threading
def burn():
    while True:
        pass
threading.Thread(target=burn).start()
print('burning', flush=True)
_libc.syscall(ctypes.c_long(NR_exit), ctypes.c_long(0))
""",
        Exact("cpu", 137, "burning\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 20.0, "cpu": 0.2},
        no_control=_DEADLINE,
    ),
    Attack(
        "CPU: after the program's end, in atexit",
        "import atexit\ndef burn():\n    print('burning', flush=True)\n    while True:\n        pass\natexit.register(burn)",
        Exact("cpu", 137, "burning\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 20.0, "cpu": 0.2},
        no_control=_DEADLINE,
    ),
    Attack(
        "time: asleep for ever",
        "import time\nprint('asleep', flush=True)\ntime.sleep(1e6)",
        Exact("timeout", 124, "asleep\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 0.4},
        no_control=_DEADLINE,
    ),
    Attack(
        "time: a thread that is never joined, exits refused",
        """
import threading
threading.Thread(target=threading.Event().wait).start()
print('main is done', flush=True)
""",
        Exact("timeout", 124, "main is done\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 0.4},
        no_control=_DEADLINE,
    ),
    Attack(
        "stack: recursion in Python",
        "def f(n):\n    return f(n + 1)\nf(0)",
        raises("RecursionError", "maximum recursion depth exceeded"),
        fence=Fence.KERNEL,
        no_control="the interpreter's own limit",
    ),
)
