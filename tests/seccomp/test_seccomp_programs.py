"""Ordinary programs under both filters, as in a worker: what must work, and how the rest fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seccomp import compile_profile
from tests.seccomp.filter_runs import Filters, Finished, run_program

FILTERS = Filters(compile_profile("zygote"), compile_profile("worker"))

WORKS = {
    "threads": """
        import threading
        done = []
        threads = [threading.Thread(target=done.append, args=(n,)) for n in range(20)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        print(sorted(done) == list(range(20)))
    """,
    "thread-pool": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(4) as pool:
            print(sum(pool.map(abs, range(-50, 0))) == 1275)
    """,
    "asyncio": """
        import asyncio
        async def main():
            await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(5)))
            return await asyncio.to_thread(sum, [1, 2])
        print(asyncio.run(main()) == 3)
    """,
    "asyncio-signal": """
        import asyncio, os, signal
        async def main():
            seen = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, seen.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(seen.wait(), 20)
            return True
        print(asyncio.run(main()))
    """,
    "sqlite": """
        import os, sqlite3, tempfile
        with tempfile.TemporaryDirectory() as d:
            db = sqlite3.connect(os.path.join(d, "x.db"))
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("create table t(a)")
            with db:
                db.executemany("insert into t values(?)", [(n,) for n in range(100)])
            print(db.execute("select sum(a) from t").fetchone()[0] == 4950)
            db.close()
    """,
    "files": """
        import fcntl, mmap, os, pathlib, shutil, stat, tempfile
        d = pathlib.Path(tempfile.mkdtemp())
        (d / "a").write_text("x" * 5000)
        shutil.copy2(d / "a", d / "b")
        shutil.copytree(d, d.parent / (d.name + "2"))
        os.mkfifo(d / "fifo")
        (d / "link").symlink_to("a")
        os.link(d / "a", d / "hard")
        with open(d / "a", "r+b") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            fcntl.lockf(f, fcntl.LOCK_EX)
            with mmap.mmap(f.fileno(), 0) as m:
                m[0:1] = b"y"
            os.fsync(f.fileno())
        names = sorted(p.name for p in d.iterdir())
        shutil.rmtree(d)
        shutil.rmtree(d.parent / (d.name + "2"))
        print(names == ["a", "b", "fifo", "hard", "link"])
    """,
    "plain-computing": """
        import decimal, hashlib, json, random, re, secrets, uuid, zlib
        decimal.getcontext().prec = 200
        x = decimal.Decimal(2).sqrt()
        print(json.loads(json.dumps({"a": str(x)}))["a"].startswith("1.41421356"),
              len({secrets.token_hex(), uuid.uuid4().hex, random.random()}) == 3)
    """,
    "sleep-and-select": """
        import os, select, selectors, time
        time.sleep(0.01)
        r, w = os.pipe()
        os.write(w, b"x")
        s = selectors.DefaultSelector()
        s.register(r, selectors.EVENT_READ)
        print(select.select([r], [], [], 5)[0] == [r], len(s.select(5)) == 1)
    """,
    "alarm": """
        import signal
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        while not seen:
            signal.pause()
        signal.alarm(100)
        print(signal.alarm(0) in (99, 100))
    """,
    "raise-signal": """
        import os, signal, threading
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        signal.raise_signal(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        print(seen == [1, 1, 1])
    """,
    "socketpair": """
        import array, os, socket
        a, b = socket.socketpair()
        a.settimeout(5)
        b.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 9000)
        socket.send_fds(b, [b"x"], [0])
        print(len(socket.recv_fds(a, 1, 1)[1]) == 1)
    """,
    "limits-and-priority": """
        import os, resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        os.nice(1)
        os.sched_setaffinity(0, os.sched_getaffinity(0))
        print(resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 64), os.getpriority(os.PRIO_PROCESS, 0) >= 1)
    """,
    "ctypes-callback": """
        import ctypes
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
        numbers = (ctypes.c_int * 3)(3, 1, 2)
        ctypes.CDLL(None).qsort(numbers, 3, 4, compare(lambda a, b: a[0] - b[0]))
        print(list(numbers) == [1, 2, 3])
    """,
    "terminal-questions": """
        import os, shutil, sys
        print(sys.stdin.isatty() is False, shutil.get_terminal_size((7, 8)) == (7, 8))
    """,
}


def run(program: str, directory: Path, filters: Filters = FILTERS) -> Finished:
    """Under both filters unless said otherwise."""
    return run_program(filters, program, directory)


@pytest.mark.parametrize("name", WORKS)
def test_works(name: str, tmp_path: Path) -> None:
    """Each prints True for every expectation and nothing else."""
    finished = run(WORKS[name], tmp_path)
    assert (finished.stderr, finished.status) == ("", 0)
    assert set(finished.stdout.split()) == {"True"}


REFUSED = {
    "fork": "import os; os.fork()",
    "subprocess": "import subprocess; subprocess.run(['/bin/true'])",
    "posix-spawn": "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "system-exec": "import os; os.execv('/bin/true', ['true'])",
    "process-pool": "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
    "inet": "import socket; socket.socket()",
    "unix": "import socket; socket.socket(socket.AF_UNIX)",
    "netlink": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "datagram-pair": "import socket; socket.socketpair(type=socket.SOCK_DGRAM)",
    "kill-parent": "import os; os.kill(os.getppid(), 0)",
    "kill-group": "import os; os.kill(0, 0)",
    "kill-everyone": "import os; os.kill(-1, 0)",
    "killpg": "import os; os.killpg(os.getpgrp(), 0)",
    "pidfd": "import os; os.pidfd_open(os.getpid())",
    "renice-parent": "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "renice-user": "import os; os.setpriority(os.PRIO_USER, 0, 19)",
    "pin-parent": "import os; os.sched_setaffinity(os.getppid(), {0})",
    "limit-parent": "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    "signal-owner": "import fcntl, os; fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "watch": "import fcntl, os; fcntl.fcntl(os.open('/', os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS)",
    "chroot": "import os; os.chroot('/')",
    "setuid": "import os; os.setuid(os.getuid())",
    "hostname": "import socket; socket.sethostname('x')",
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_as_permission_error(name: str, tmp_path: Path) -> None:
    """EPERM, which Python and the programs written in it know what to do with."""
    finished = run(
        f"import sys\ntry:\n    {REFUSED[name]}\nexcept PermissionError as e: sys.exit(e.errno)", tmp_path
    )
    assert (finished.status, finished.stdout, finished.stderr) == (1, "", "")


# Of those above, the ones whose success in a child of the tests harms nothing.
HARMLESS = (
    *(
        "fork",
        "subprocess",
        "posix-spawn",
        "process-pool",
        "inet",
        "unix",
        "netlink",
        "datagram-pair",
        "pidfd",
    ),
    *(
        "kill-parent",
        "kill-group",
        "renice-parent",
        "pin-parent",
        "limit-parent",
        "signal-owner",
        "watch",
        "setuid",
    ),
)


@pytest.mark.parametrize("name", HARMLESS)
def test_control_without_filters_it_works(name: str, tmp_path: Path) -> None:
    """So the refusal is the filters' work."""
    finished = run(f"import os\n{REFUSED[name]}\nos._exit(7)", tmp_path, Filters())
    assert (finished.status, finished.stderr) == (7, "")


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("import os; os.abort()", 134),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import ctypes; ctypes.string_at(0)", 139),
        ("import sys; sys.exit(5)", 5),
        ("import os, threading; t = threading.Thread(target=os._exit, args=(6,)); t.start(); t.join()", 6),
    ],
)
def test_ends_as_without_filters(program: str, status: int, tmp_path: Path) -> None:
    """Signals to itself reach it, and exit takes every thread along."""
    assert [run(program, tmp_path, filters).status for filters in (FILTERS, Filters())] == [status, status]


def test_threads_start_although_clone3_is_not_there(tmp_path: Path) -> None:
    """glibc asks for clone3 first; that it gets ENOSYS is what lets it go on."""
    program = """
        import ctypes, errno, threading
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.syscall(435, None, 0), errno.errorcode[ctypes.get_errno()])
        thread = threading.Thread(target=print, args=("started",))
        thread.start()
        thread.join()
    """
    finished = run(program, tmp_path)
    assert (finished.stdout, finished.stderr) == ("-1 ENOSYS\nstarted\n", "")


def test_the_zygote_still_forks_and_kills(tmp_path: Path) -> None:
    """Under its own filter alone, which is what the worker's is added to."""
    program = """
        import os, signal
        pid = os.fork()
        if pid == 0:
            signal.pause()
        descriptor = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        print(os.waitid(os.P_PIDFD, descriptor, os.WEXITED).si_status)
    """
    finished = run(program, tmp_path, Filters(FILTERS.zygote))
    assert (finished.stdout, finished.stderr) == ("9\n", "")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="int 0x80 is the 32-bit entry of x86")
def test_the_32_bit_entry_ends_the_process(tmp_path: Path) -> None:
    """SIGSYS (31): its numbers mean other calls. The control answers, or has no such entry (SIGSEGV)."""
    program = """
        import ctypes, mmap
        memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        memory.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))  # mov eax, getpid; int 0x80; ret
        code = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        ctypes.CFUNCTYPE(ctypes.c_int)(code)()
    """
    assert run(program, tmp_path).status == 128 + 31
    assert run(program, tmp_path, Filters(b"", FILTERS.worker)).status == 128 + 31
    assert run(program, tmp_path, Filters()).status in {0, 139}
