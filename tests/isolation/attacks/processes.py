# ruff: noqa: E501 - a program of one line stays one line
"""Starting processes, and signals, traces and clocks aimed at others."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, raises, says

_EXEC = "with seccomp off there is still no program in the jail that could be run"
_SECCOMP = (Layer.SECCOMP,)
_NOT_PERMITTED = "[Errno 1] Operation not permitted"
_OTHERS = (Layer.SECCOMP, Layer.PID_NAMESPACE)

ROWS = (
    Attack(
        "fork",
        "pid = os.fork()\nif pid == 0:\n    os._exit(0)\nprint(os.waitpid(pid, 0)[1])",
        raises("PermissionError", _NOT_PERMITTED),
        layers=_SECCOMP,
        control=says("0"),
    ),
    Attack(
        "fork bomb",
        """
made = 0
for _ in range(1000):
    try:
        if os.fork() == 0:
            __import__('signal').pause()
        made += 1
    except OSError:
        break
print(made)
""",
        says("0"),
        layers=_SECCOMP,
        no_control="a bomb; 'fork' has the control",
    ),
    Attack(
        "clone without CLONE_THREAD",
        "print([call(NR_clone, flags, 0, 0, 0, 0) for flags in (17, 0x100 | 17, 0x4000 | 0x100 | 17, 0x8000 | 17)])",
        says("['EPERM', 'EPERM', 'EPERM', 'EPERM']"),
        layers=_SECCOMP,
        no_control="the children would run on the parent's stack; 'fork' has the control",
    ),
    Attack(
        "thread with a descriptor table of its own",  # and so with another RLIMIT_NOFILE
        "print(call(NR_clone, 0x10000 | 0x800 | 0x100, 0, 0, 0, 0))",
        says("EPERM"),
        layers=_SECCOMP,
        no_control="the thread would run on its parent's stack; 'fork' has the control",
    ),
    Attack(
        "clone with 64-bit flags that hide the low half",
        "print(call(NR_clone, 17 | 1 << 32, 0, 0, 0, 0), call(NR_clone, 0x10000 << 32 | 17, 0, 0, 0, 0))",
        says("EPERM EPERM"),
        layers=_SECCOMP,
        no_control="the children would run on the parent's stack; 'fork' has the control",
    ),
    Attack(
        "clone3",
        "print(call(NR_clone3, bytes(88), 88), call(NR_clone3, 0, 0))",
        says("ENOSYS ENOSYS"),
        layers=_SECCOMP,
        no_control="the children would run on the parent's stack; 'fork' has the control",
    ),
    Attack(
        "posix_spawn",
        "print(tried(os.posix_spawn, '/bin/true', ['true'], {}))",
        says("EPERM"),
        layers=_SECCOMP,
        control=says("ENOENT"),
    ),
    Attack(
        "execve",
        "print(tried(os.execv, '/bin/sh', ['sh']), tried(os.execve, 'main.py', ['x'], {}))",
        says("EPERM EPERM"),
        layers=_SECCOMP,
        control=says("ENOENT EACCES"),
    ),
    Attack(
        "execveat of a library that is a program too",
        "fd = os.open(next(p for p in ('/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1') if os.path.exists(p)), os.O_PATH)\nprint(call(NR_execveat, fd, b'', 0, 0, 0x1000))",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.LANDLOCK),
        no_control=_EXEC,
    ),
    Attack(
        "subprocess",
        "import subprocess\nsubprocess.run(['true'])",
        raises("PermissionError", _NOT_PERMITTED),
        layers=_SECCOMP,
        no_control=_EXEC,
    ),
    Attack(
        "os.system and os.popen",
        "print(os.system('true'), tried(os.popen, 'true'))",
        says("32512 EPERM"),
        layers=_SECCOMP,
        no_control=_EXEC,
    ),
    Attack(
        "multiprocessing",
        "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
        raises("PermissionError", _NOT_PERMITTED),
        layers=_SECCOMP,
        no_control="'fork' has the control",
    ),
    Attack(
        "vfork by number",
        "print(call(NR_vfork))",
        says("EPERM"),
        layers=_SECCOMP,
        no_control="the child would run on the parent's stack; 'fork' has the control",
        machine="x86_64",
    ),
    Attack(
        "signal to a process of the host",
        "print(tried(os.kill, @VICTIM@, 0), call(NR_tkill, @VICTIM@, 0))",
        says("EPERM EPERM"),
        layers=(Layer.SECCOMP, Layer.PID_NAMESPACE, Layer.LANDLOCK),
        control=says("None 0"),
    ),
    Attack(
        "signal to everyone, the group, the zygote, the siblings",
        "print({tried(os.kill, pid, 9) for pid in (-1, 0, 1, -os.getpgrp(), os.getppid(), *range(os.getpid() + 1, 4000))})",
        says("{'EPERM'}"),
        layers=_SECCOMP,
        no_control="would end other tests; 'signal to a process of the host' has it",
    ),
    Attack(
        "queued signals",
        "print(call(NR_rt_sigqueueinfo, 1, 9, 0), call(NR_rt_tgsigqueueinfo, 1, 1, 9, 0), call(NR_pidfd_send_signal, 0, 9, 0, 0))",
        says("EPERM EPERM EPERM"),
        layers=_SECCOMP,
        no_control="'signal to a process of the host' has it",
    ),
    Attack(
        "signals through descriptors (F_SETOWN, O_ASYNC)",
        """
import fcntl, socket
a, b = socket.socketpair()
print([tried(fcntl.fcntl, a, number, 1) for number in (8, 10, 15)], end=' ')
print([tried(fcntl.ioctl, a, number, b'\\1\\0\\0\\0') for number in (0x8901, 0x8902, 0x5452)])
""",
        says("['EPERM', 'EPERM', 'EPERM'] ['EPERM', 'EPERM', 'EPERM']"),
        layers=_SECCOMP,
        no_control="would signal the zygote; test_cross_worker aims it at a sibling",
    ),
    Attack(
        "timer that signals another thread group",
        "event = (ctypes.c_int * 16)(0, 0, 9, 4, 1)\nprint(call(NR_timer_create, 1, event, ctypes.byref(ctypes.c_int())))",
        says("EINVAL"),
        fence=Fence.KERNEL,
        no_control="the kernel looks for the thread in the caller's own group only",
    ),
    Attack(
        "stopping itself",
        "print('stopping', flush=True)\nos.kill(os.getpid(), 19)",
        Exact("timeout", 124, "stopping\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 0.5},
        no_control="the deadline cannot be switched off",
    ),
    Attack(
        "killing itself",
        "print('going', flush=True)\nos.kill(os.getpid(), 9)",
        Exact("signal", 137, "going\n"),
        fence=Fence.ONE_SHOT,
        no_control="allowed: it costs its own request",
    ),
    Attack(
        "crash in C",
        "print('going', flush=True)\nctypes.string_at(8)",
        Exact("signal", 139, "going\n"),
        fence=Fence.ONE_SHOT,
        no_control="allowed: it costs its own request",
    ),
    Attack(
        "every signal ignored and blocked",
        """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
print('deaf', flush=True)
while True:
    signal.sigtimedwait([], 1)
""",
        Exact("timeout", 124, "deaf\n"),
        fence=Fence.CLOCKS,
        options={"timeout": 0.5},
        no_control="the deadline cannot be switched off",
    ),
    Attack(
        "traces and memory of others",
        "one = [os.getppid(), 1, os.getpid()]\nprint(sorted({call(number, 16, pid, 0, 0, 0, 0) for pid in one for number in (NR_ptrace, NR_kcmp, NR_pidfd_getfd)} | {call(number, pid, 0, 0, 0, 0, 0) for pid in one for number in (NR_process_vm_readv, NR_process_vm_writev, NR_process_madvise, NR_get_robust_list)}))",
        says("['ENOSYS', 'EPERM']"),
        layers=_SECCOMP,
        no_control="test_cross_worker aims it at a sibling",
    ),
    Attack(
        "pidfd of another, and of itself",
        "print(tried(os.pidfd_open, 1), tried(os.pidfd_open, os.getpid()))",
        says("EPERM EPERM"),
        layers=_SECCOMP,
        no_control="what it opens is a descriptor with a number of the kernel's choice",
    ),
    Attack(
        "limits, priority and affinity of another",
        """
import resource
print(tried(resource.prlimit, 1, resource.RLIMIT_NOFILE, (1, 1)), tried(os.setpriority, os.PRIO_PROCESS, 1, 5),
      tried(os.setpriority, os.PRIO_USER, 0, 5), tried(os.setpriority, os.PRIO_PGRP, 0, 5),
      tried(os.sched_setaffinity, 1, {0}), tried(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0)))
""",
        says("EPERM EPERM EPERM EPERM EPERM EPERM"),
        layers=_SECCOMP,
        no_control="would slow the zygote; test_cross_worker aims it at a sibling",
    ),
    Attack(
        "real-time priority",
        "print(tried(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)), tried(os.nice, -5))",
        says("EPERM EPERM"),
        fence=Fence.KERNEL,
        no_control="needs a capability over the host",
    ),
    Attack(
        "session and group",
        "print(call(NR_setsid), call(NR_setpgid, 0, 1), os.getsid(0) == os.getpgrp() == os.getppid())",
        says("EPERM EPERM True"),
        layers=(Layer.SECCOMP, Layer.OWN_SESSION),
        no_control="joins nothing by itself",
    ),
    Attack(
        "processes to be seen",
        "print(os.getppid())",
        says("1"),
        layers=(Layer.PID_NAMESPACE,),
        no_control="the parent's number outside is not known beforehand; 'signal to a process of the host' has it",
    ),
)
