# ruff: noqa: E501 - a program of one line stays one line
"""Threads, descriptors, timers and scratch space: as many as there may be."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, says

_RLIMITS = (Layer.RLIMITS,)
_SCRATCH = "without its scratch a worker has no directory for main.py and does not start"

ROWS = (
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
)
