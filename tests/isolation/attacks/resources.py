"""Memory, CPU, threads, descriptors, scratch."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, raises, says

_RLIMITS = (Layer.RLIMITS,)
_DEADLINE = "the clocks of the front cannot be switched off"
_SCRATCH = "without its scratch a worker has no directory for main.py and does not start"
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
names = ('AS', 'CPU', 'FSIZE', 'NOFILE', 'NPROC', 'CORE', 'MEMLOCK', 'MSGQUEUE', 'SIGPENDING')
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
        "threads: as many as there may be",
        """
import threading
hold = threading.Event()
made = []
threading.stack_size(64 << 10)
try:
    for _ in range(500):
        made.append(threading.Thread(target=hold.wait, daemon=True))
        made[-1].start()
except RuntimeError as error:
    print(len(made) - 1, error)
else:
    print(len(made))
hold.set()
""",
        says("63 can't start new thread"),
        layers=_RLIMITS,
        control=says("500"),
    ),
    Attack(
        "threads: made by pthread_create itself",
        """
import threading
stop = threading.Lock()
pause = ctypes.cast(_libc.pause, ctypes.c_void_p)
handle, made = ctypes.c_ulong(), 0
while made < 500 and _libc.pthread_create(ctypes.byref(handle), None, pause, None) == 0:
    made += 1
print(made, flush=True)
os._exit(0)
""",
        says("63"),
        layers=_RLIMITS,
        no_control="the row before has it",
        options={"memory": 1 << 30},
    ),
    Attack(
        "descriptors: as many as there may be",
        """
held = []
try:
    while len(held) < 1000:
        held.append(os.dup(0))
except OSError as error:
    print(len(held), errno.errorcode[error.errno])
else:
    print(len(held))
""",
        says("252 EMFILE"),
        layers=_RLIMITS,
        control=says("1000"),
    ),
    Attack(
        "descriptors: number far out",
        "print(tried(os.dup2, 0, 100000), tried(os.dup2, 0, 255))",
        says("EBADF 255"),
        layers=_RLIMITS,
        no_control="the row before has it",
    ),
    Attack(
        "descriptors: more of them in flight",
        """
import socket
sent, pairs = 0, []
try:
    while sent < 2000:
        pairs.append(socket.socketpair())
        socket.send_fds(pairs[-1][0], [b'x'], [0] * 100)
        sent += 100
except OSError as error:
    print(sent, errno.errorcode[error.errno])
""",
        says("300 ETOOMANYREFS"),
        layers=_RLIMITS,
        no_control="the kernel counts them per user; test_cross_worker shows that others are not harmed",
    ),
    Attack(
        "timers: as many as there may be",
        """
number, made = ctypes.c_int(), 0
while made < 2000 and call(NR_timer_create, 1, 0, ctypes.byref(number)) == 0:
    made += 1
print(made)
""",
        says("256"),
        layers=_RLIMITS,
        control=says("2000"),
    ),
    Attack(
        "scratch: filled",
        """
with open('a', 'wb') as a, open('b', 'wb') as b:
    for _ in range(40):
        a.write(bytes(1 << 20))
        b.write(bytes(1 << 20))
print('never')
""",
        Exact("disk", 1, "", ("OSError", "[Errno 28] No space left on device")),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "scratch: one file too large",
        "with open('a', 'wb') as file:\n    file.seek(100 << 20)\n    file.write(b'x')",
        Exact("disk", 1, "", ("OSError", "[Errno 27] File too large")),
        layers=_RLIMITS,
        no_control="BIND sets the same limit again",
    ),
    Attack(
        "scratch: sparse files, fallocate and truncate",
        """
file = os.open('a', os.O_RDWR | os.O_CREAT)
print(tried(os.truncate, file, 1 << 40), tried(os.posix_fallocate, file, 0, 1 << 30), tried(os.truncate, file, 64 << 20))
print(tried(os.posix_fallocate, file, 0, 64 << 20), os.fstat(file).st_size)
""",
        says("EFBIG EFBIG None", "ENOSPC 67108864"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "scratch: many files",
        """
made = 0
try:
    while made < 20000:
        open(f'f{made}', 'x').close()
        made += 1
except OSError as error:
    print(made, errno.errorcode[error.errno])
""",
        says("8190 ENOSPC"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "scratch: directories nested without end",
        """
made = 0
try:
    while made < 20000:
        os.mkdir('d')
        os.chdir('d')
        made += 1
except OSError as error:
    print(made, errno.errorcode[error.errno])
""",
        says("8190 ENOSPC"),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "scratch: files removed but held",
        """
for count in range(200):
    file = os.open('a', os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.unlink('a')
    os.write(file, bytes(1 << 20))
""",
        Exact("disk", 1, "", ("OSError", "[Errno 28] No space left on device")),
        layers=(Layer.SCRATCH,),
        no_control=_SCRATCH,
    ),
    Attack(
        "stack: recursion in Python",
        "def f(n):\n    return f(n + 1)\nf(0)",
        raises("RecursionError", "maximum recursion depth exceeded"),
        fence=Fence.KERNEL,
        no_control="the interpreter's own limit",
    ),
    Attack(
        "stack: recursion limit lifted",
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(a):\n    return sorted([a], key=f)\nprint('going', flush=True)\nf(0)",
        Exact("signal", 139, "going\n"),
        fence=Fence.ONE_SHOT,
        no_control="a crash that costs its own request",
    ),
)
