# ruff: noqa: E501 - a program of one line stays one line
"""Namespaces, mounts, privileges, and system calls that no computation needs."""

from __future__ import annotations

from sandbox_runtime.layers import Layer
from tests.isolation.attack import Attack, Exact, Fence, says

_SECCOMP = (Layer.SECCOMP,)
_HARM = "would harm the host if it worked"
_BARE = "bare arguments, as the prober's: tests/seccomp has every number with the filter and without"


def _denied(name: str, *calls: str, errno: str = "EPERM", machine: str = "", why: str = _BARE) -> Attack:
    program = f"print({', '.join(f'call({call})' for call in calls)})"
    return Attack(
        name, program, says(" ".join([errno] * len(calls))), layers=_SECCOMP, no_control=why, machine=machine
    )


ROWS = (
    Attack(
        "new namespaces",
        """
kinds = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80, 0x10020000)
print({call(NR_unshare, kind) for kind in kinds}, {call(NR_clone, kind | 0x10f00, 0, 0, 0, 0) for kind in kinds[:-2]})
""",
        says("{'EPERM'} {'ENOSYS'}"),
        layers=_SECCOMP,
        no_control="'new user namespace' has it",
    ),
    Attack(
        "new user namespace",
        "print(call(NR_unshare, 0x10000000))",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.WORKER_USER_NAMESPACE),
        control=says("0"),
    ),
    _denied("entering a namespace by descriptor", "NR_setns, 3, 0", "NR_setns, 0, 0x10000000"),
    Attack(
        "mounts",
        """
for source, target, kind, flags in ((b'p', b'/tmp', b'proc', 0), (b's', b'/tmp', b'sysfs', 0), (b't', b'/tmp', b'tmpfs', 0),
                                    (b'c', b'/tmp', b'cgroup2', 0), (b'/', b'/tmp', None, 4096), (b'', b'/tmp', None, 32), (b'', b'/', None, 32 | 4096)):
    print(call(NR_mount, source, target, kind, flags, 0), end=' ')
print()
""",
        Exact("ok", 0, "EPERM " * 7 + "\n"),
        layers=(Layer.SECCOMP, Layer.CAPABILITIES),
        no_control="works nowhere but in the worker's own mount namespace; 'scratch remounted' has it",
    ),
    Attack(
        "scratch remounted without its restrictions",
        "print(call(NR_mount, 0, b'/tmp', 0, 32 | 4096, 0))",
        says("EPERM"),
        layers=(Layer.SECCOMP, Layer.CAPABILITIES, Layer.WORKER_USER_NAMESPACE, Layer.LANDLOCK),
        control=says("0"),
    ),
    _denied("unmounting", "NR_umount2, b'/tmp', 2", "NR_umount2, b'/', 2", "NR_umount2, b'/etc/passwd', 2"),
    _denied("another root", "NR_chroot, b'/tmp'", "NR_pivot_root, b'/tmp', b'/tmp'"),
    _denied(
        "mounts by descriptor",
        "NR_open_tree, -100, b'/', 1",
        "NR_fsopen, b'proc', 0",
        "NR_fsmount, 3, 0, 0",
        "NR_fspick, -100, b'/', 0",
        "NR_move_mount, 3, b'', -100, b'/tmp', 4",
        "NR_mount_setattr, -100, b'/', 0, 0, 0",
    ),
    Attack(
        "uid, gid, groups",
        "print(os.getresuid() == os.getresgid() == (65534,) * 3 and 0 not in os.getgroups(), tried(os.setuid, 0), tried(os.setgroups, []), tried(os.setgid, 0))",
        says("True EPERM EPERM EPERM"),
        layers=_SECCOMP,
        no_control="'capabilities' has it for what they would be needed for",
    ),
    Attack(
        "capabilities",
        """
head = (ctypes.c_uint32 * 2)(0x20080522, 0)
data = (ctypes.c_uint32 * 6)()
print(call(NR_capget, head, data), list(data), call(NR_capset, head, (ctypes.c_uint32 * 6)(1 << 21, 1 << 21)))
""",
        says("0 [0, 0, 0, 0, 0, 0] EPERM"),
        layers=(Layer.CAPABILITIES,),
        no_control="a worker's own user namespace gives it every capability there; 'scratch remounted' uses them",
    ),
    Attack(
        "no new privileges is on for good",
        "prctl = _libc.prctl\nprint(prctl(39, 0, 0, 0, 0), prctl(38, 0, 0, 0, 0), prctl(21, 0, 0, 0, 0))",
        says("1 -1 2"),
        layers=(Layer.NO_NEW_PRIVS,),
        no_control="seccomp cannot be installed without it, so nothing would be left to compare",
    ),
    Attack(
        "prctl that undoes the jail",
        """
def prctl(option, value):
    return call(NR_prctl, option, value, 0, 0, 0)
print([prctl(option, value) for option, value in ((1, 9), (4, 1), (22, 1), (28, 0), (35, 1), (36, 1), (47, 2), (59, 0),
                                                  (0x59616d61, 1), (1 << 32 | 4, 1), (1 << 32 | 1, 9), (1 << 63 | 22, 1))])
""",
        Exact("ok", 0, f"{['EPERM'] * 12}\n"),
        layers=_SECCOMP,
        no_control="'dumpable again' has it",
    ),
    Attack(
        "dumpable again",
        "print(call(NR_prctl, 3, 0, 0, 0, 0), call(NR_prctl, 4, 1, 0, 0, 0), call(NR_prctl, 3, 0, 0, 0, 0))",
        says("0 EPERM 0"),
        layers=_SECCOMP,
        control=says("0 0 1"),
    ),
    Attack(
        "another seccomp filter",
        "print(call(NR_seccomp, 1, 0, 0), call(NR_seccomp, 1, 8, 0), call(NR_prctl, 22, 2, 0, 0, 0))",
        says("EPERM EPERM EPERM"),
        layers=_SECCOMP,
        control=says("EFAULT EFAULT EFAULT"),
    ),
    Attack(
        "another Landlock domain",
        "print(call(NR_landlock_create_ruleset, 0, 0, 1), call(NR_landlock_restrict_self, 3, 0))",
        says("EPERM EPERM"),
        layers=_SECCOMP,
        no_control="a domain can only narrow; the kernel's answer is its version",
    ),
    _denied("BPF and perf", "NR_bpf, 0, 0, 0", "NR_perf_event_open, 0, 0, -1, -1, 0"),
    _denied(
        "keyrings",
        "NR_keyctl, 0, -3, 1",
        "NR_keyctl, 1, b'lars'",
        "NR_add_key, b'user', b'a', b'b', 1, -3",
        "NR_request_key, b'user', b'a', 0, 0",
    ),
    _denied("userfaultfd", "NR_userfaultfd, 0", "NR_userfaultfd, 1"),
    Attack(
        "io_uring and its elders",
        "print(call(NR_io_uring_setup, 1, 0), call(NR_io_uring_enter, 3, 1, 0, 0), call(NR_io_setup, 1, 0))",
        says("ENOSYS ENOSYS ENOSYS"),
        layers=_SECCOMP,
        no_control=_BARE,
    ),
    _denied("memory files", "NR_memfd_create, b'a', 0", why="'memory beyond the limit in files' has it"),
    _denied(
        "secret memory and new memory kinds",
        "NR_memfd_secret, 0",
        "NR_mbind, 0, 0, 0, 0, 0, 0",
        "NR_migrate_pages, 1, 0, 0, 0",
    ),
    _denied(
        "kernels and modules",
        "NR_kexec_load, 0, 0, 0, 0",
        "NR_kexec_file_load, 0, 0, 0, 0, 0",
        "NR_init_module, 0, 0, b''",
        "NR_finit_module, 0, b'', 0",
        "NR_delete_module, b'', 0",
        why=_HARM,
    ),
    _denied("reboot", "NR_reboot, 0, 0, 0, 0", why=_HARM),
    _denied(
        "swap, accounting, quota, log",
        "NR_swapon, b'', 0",
        "NR_swapoff, b''",
        "NR_acct, b''",
        "NR_quotactl, 0, b'', 0, 0",
        "NR_syslog, 3, 0, 0",
        why=_HARM,
    ),
    _denied(
        "clocks set",
        "NR_settimeofday, 0, 0",
        "NR_clock_settime, 0, 0",
        "NR_adjtimex, 0",
        "NR_clock_adjtime, 0, 0",
        why=_HARM,
    ),
    _denied(
        "ports of the machine",
        "NR_iopl, 3",
        "NR_ioperm, 0, 1, 1",
        "NR_modify_ldt, 0, 0, 0",
        machine="x86_64",
        why=_HARM,
    ),
    _denied(
        "vmsplice, tee, and syncing the host's disks",
        "NR_vmsplice, 1, 0, 0, 0",
        "NR_sync",
        "NR_syncfs, 0",
        why=_HARM,
    ),
    Attack(
        "personality",
        "print(call(NR_personality, 0x0400000), call(NR_personality, 0x0040000), call(NR_personality, 0xffffffff))",
        says("EPERM EPERM 0"),
        layers=_SECCOMP,
        control=says("0 4194304 262144"),
    ),
    Attack(
        "terminal input forged",
        "import fcntl\nprint([tried(fcntl.ioctl, 0, number, b'x') for number in (0x5412, 0x541c)])",
        says("['EPERM', 'EPERM']"),
        layers=_SECCOMP,
        control=says("['ENOTTY', 'ENOTTY']"),
    ),
    Attack(
        "numbers that do not exist",
        "print({call(number) for number in (467, 500, 999, 4095, 0x3fffffff)})",
        says("{'ENOSYS'}"),
        fence=Fence.KERNEL,
        no_control="the kernel's own answer is the same",
    ),
    Attack(
        "system call of the x32 table",
        "print('going', flush=True)\nprint(call(0x40000000 + 39))",
        Exact("syscall", 159, "going\n"),
        layers=_SECCOMP,
        no_control="most kernels are built without x32 and answer ENOSYS",
        machine="x86_64",
    ),
    Attack(
        "system call of the 32-bit table (int 0x80)",
        """
import mmap
memory = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
memory.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')  # mov eax, 20 (getpid); int 0x80; ret
print('going', flush=True)
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))() in (os.getpid(), -38))
""",
        Exact("syscall", 159, "going\n"),
        layers=_SECCOMP,
        control=says("going", "True"),
        machine="x86_64",
    ),
)
