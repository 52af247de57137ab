"""The attack table of session workers: free Python in the worker of one session, and exactly what it sees.

``stops`` is what stands in the way. ``control`` is what the same program says in a plain process of the
test's own, whose working directory stands for the session's: the proof that it attacks at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SessionAttack:
    """``said`` is what the program leaves in that name. Without a control, ``no_control`` says why.

    ``@OTHER@`` in the program is another session's directory, ``@SECRET@`` a file of the host."""

    name: str
    program: str
    said: Any
    stops: str
    control: Any = None
    no_control: str = ""


_RIGHTS = "outside it needs rights that not every tester has"
_FORBIDDEN_EVERYWHERE = "outside it would reach every process of the user"
_UP = "'/'.join(['..'] * 40)"
_READ = "tried(lambda: open(%s).read())"

REACHING_OUT = (
    SessionAttack("host-file", f"said = {_READ % repr('@SECRET@')}", "ENOENT", "chroot", "a secret"),
    SessionAttack(
        "host-file-upwards",
        f"path = {_UP} + '@SECRET@'; said = {_READ % 'path'}",
        "ENOENT",
        "chroot",
        "a secret",
    ),
    SessionAttack(
        "host-file-by-an-own-link",
        f"tried(os.symlink, '@SECRET@', 'link'); said = {_READ % repr('link')}; tried(os.unlink, 'link')",
        "ENOENT",
        "chroot: links resolve inside",
        "a secret",
    ),
    SessionAttack(
        "another-session", "said = 'data.db' in tried(os.listdir, '@OTHER@')", False, "chroot", True
    ),
    SessionAttack("its-parent", "said = os.listdir('..') == os.listdir('.')", True, "chroot", False),
    SessionAttack(
        "nothing-of-the-host",
        "said = [tried(os.listdir, p) == 'ENOENT' for p in ('/proc', '/usr', '/dev', '/etc')]",
        [True] * 4,
        "chroot",
        [False] * 4,
    ),
    SessionAttack(
        "directories-left-open",
        "import stat\n"
        "modes = [m.st_mode for n in range(1024) if not isinstance(m := tried(os.fstat, n), str)]\n"
        "said = any(map(stat.S_ISDIR, modes))",
        False,
        "every descriptor from 4 on is closed before the first foreign byte",
        True,
    ),
    SessionAttack(
        "second-root",
        "said = tried(os.chroot, '.')",
        "EPERM",
        "seccomp, no capabilities",
        no_control=_RIGHTS,
    ),
    SessionAttack(
        "new-namespaces", "said = call(NR_unshare, 0x10000000)", "EPERM", "seccomp", no_control=_RIGHTS
    ),
    SessionAttack(
        "file-by-handle",
        "said = call(NR_open_by_handle_at, 3, b'0' * 200, 0)",
        "EPERM",
        "seccomp",
        no_control=_RIGHTS,
    ),
    SessionAttack(
        "device",
        "said = tried(os.mknod, 'device', 0o20666, os.makedev(1, 3))",
        "EPERM",
        "seccomp, no capabilities",
        no_control=_RIGHTS,
    ),
)
OTHER_PROCESSES = (
    SessionAttack(
        "fork", "said = tried(lambda: os.fork() or os._exit(0)) == 'EPERM'", True, "seccomp", False
    ),
    SessionAttack("exec", "said = tried(os.execv, '@SECRET@', ['x'])", "EPERM", "seccomp", "EACCES"),
    SessionAttack("signal-its-parent", "said = tried(os.kill, os.getppid(), 0)", "EPERM", "seccomp", None),
    SessionAttack(
        "signal-every-worker",
        "others = set(range(1, 400)) - {os.getpid()}\n"
        "said = sorted({tried(os.kill, p, 9) for p in others | {-1, 0}})",
        ["EPERM"],
        "seccomp: signals to itself alone",
        no_control=_FORBIDDEN_EVERYWHERE,
    ),
    SessionAttack("trace", "said = call(NR_ptrace, 0, 0, 0, 0)", "EPERM", "seccomp", 0),
    SessionAttack(
        "process-descriptor",
        "said = call(NR_pidfd_open, os.getppid(), 0) == 'EPERM'",
        True,
        "seccomp",
        False,
    ),
    SessionAttack(
        "foreign-memory",
        "said = call(NR_process_vm_readv, os.getpid(), 0, 0, 0, 0, 0)",
        "EPERM",
        "seccomp",
        0,
    ),
    SessionAttack(
        "sockets",
        "import socket\nsaid = [tried(socket.socket, f) == 'EPERM' for f in (1, 2)]",
        [True] * 2,
        "seccomp, network namespace",
        [False] * 2,
    ),
    SessionAttack(
        "connect-the-job-socket",
        "said = call(NR_connect, 3, b'\\2\\0' + b'\\0' * 14, 16)",
        "EPERM",
        "seccomp",
        no_control="descriptor 3 is the worker's own",
    ),
)
RESOURCES = (
    SessionAttack(
        "more-memory-files", "said = call(NR_memfd_create, b'x', 0) == 'EPERM'", True, "seccomp", False
    ),
    SessionAttack(
        "file-of-more-than-twice-the-quota",
        "f = os.open('f', os.O_CREAT | os.O_WRONLY)\n"
        "said = tried(os.pwrite, f, b'x', 8 << 20); os.unlink('f')",
        "EFBIG",
        "RLIMIT_FSIZE",
        1,
    ),
    SessionAttack(
        "stdout-of-more-than-that", "said = tried(os.pwrite, 1, b'x', 8 << 20)", "EFBIG", "RLIMIT_FSIZE", 1
    ),
    SessionAttack(
        "higher-limits",
        "import resource\n"
        "try:\n    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, 1 << 40)); said = 'raised'\n"
        "except ValueError:\n    said = 'refused'",
        "refused",
        "no capabilities",
        "raised",
    ),
    SessionAttack(
        "threads",
        "import _thread, time\nsaid = 0\n"
        "try:\n"
        "    while said < 100: _thread.start_new_thread(time.sleep, (0.5,)); said += 1\n"
        "except RuntimeError: pass",
        0,
        "RLIMIT_NPROC",
        100,
    ),
)
# What Landlock leaves a session in its own directory: regular files, which is all that SQLite makes.
STRANGE_FILES = (
    *(
        SessionAttack(f"own-{name}", f"said = tried({call})", "EACCES", "Landlock", None)
        for name, call in (
            ("directory", "os.mkdir, 'd'"),
            ("link", "os.symlink, '/etc/passwd', 'l'"),
            ("fifo", "os.mkfifo, 'f'"),
        )
    ),
)
ATTACKS = (*REACHING_OUT, *OTHER_PROCESSES, *RESOURCES, *STRANGE_FILES)

SENDER = """
import json, struct, time
def frame(kind, payload):
    os.write(3, struct.pack("<IB", len(payload), kind) + payload)
def reply(**said):
    whole = {"status": 200, "headers": {}, "trouble": None, "run": 0.0, "last": False}
    frame(19, json.dumps(whole | said).encode())
def body(text):
    frame(18, text); reply()
"""


@dataclass(frozen=True, slots=True)
class Lie:
    """What a worker sends instead of its answer. ``error`` is what the caller gets; "": its own lie, with
    ``status``."""

    name: str
    program: str
    error: str = "WorkerLost"
    status: int = 0


LIES = (
    Lie("another-status", "reply(status=418); time.sleep(30)", "", 418),
    Lie("no-status", "reply(status=199)"),
    Lie("true-as-a-status", "reply(status=True)"),
    Lie("status-of-600", "reply(status=600)"),
    Lie("endless-run", "reply(run=1e308 * 10)"),
    Lie("negative-run", "reply(run=-1)"),
    Lie("no-members", "frame(19, b'{}')"),
    Lie("a-list", "frame(19, b'[]')"),
    Lie("more-members", "reply(more=1)"),
    Lie("too-many-headers", "reply(headers={str(n): '' for n in range(33)})"),
    Lie("too-long-a-header", "reply(headers={'x': 'y' * 8192})"),
    Lie("a-header-of-numbers", "reply(headers={'x': 1})"),
    Lie("a-trouble-of-no-form", "reply(trouble={'code': 'x'})"),
    Lie("a-trouble-without-text", "reply(trouble={'code': 1, 'detail': 'x', 'extra': {}})"),
    Lie("an-envelope-above-its-limit", "frame(19, b' ' * (256 * 1024 + 1))"),
    Lie("a-frame-of-4-gigabytes", "os.write(3, struct.pack('<IB', 0xFFFFFFFF, 18)); time.sleep(30)"),
    Lie("an-unknown-kind", "frame(77, b'')"),
    Lie("the-front's-own-kind", "frame(4, b'{}')"),
    Lie("two-bodies", "frame(18, b'1'); frame(18, b'2')"),
    Lie("no-json", "body(b'no')"),
    Lie("not-a-number", "body(b'NaN')"),
    Lie("a-body-of-nothing", "body(b'')"),
    Lie("a-body-too-deep", "body(b'[' * 100_000 + b']' * 100_000)"),
    Lie("a-body-above-the-result's-limit", "body(b'\"' + b'x' * (1 << 20) + b'\"')"),
    Lie("half-a-frame", "os.write(3, struct.pack('<IB', 100, 19) + b'{'); os._exit(0)"),
    Lie("an-exit", "os._exit(0)"),
    Lie("silence", "os.close(3); time.sleep(30)", "RunTimeout"),
    Lie("an-endless-loop", "while True: pass", "RunTimeout"),
    Lie("an-endless-match", "import re; re.match('(a*)*b', 'a' * 50)", "RunTimeout"),
    Lie(
        "signals-blocked",
        "import signal\nsignal.pthread_sigmask(0, range(1, 64))\nwhile True: pass",
        "RunTimeout",
    ),
    Lie(
        "gone-for-ever",
        "reply(status=409, trouble={'code': 'session_gone', 'detail': '', 'extra': {}})",
        "",
        409,
    ),
)  # fmt: skip
