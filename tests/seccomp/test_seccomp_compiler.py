"""The compiler: names it knows, what it does without libseccomp, and the machines it compiles for."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pyseccomp
import pytest

from seccomp import ProfileError, compile_parsed, compile_profile, load_profile, parse_profile
from tests.seccomp.bpf_machine import AARCH64, ALLOW, I386, KILL_PROCESS, X86_64, errno_verdict, verdict
from tests.seccomp.filter_runs import ROOT, Filters, run_program

MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS: a longer filter is refused by the kernel
NATIVE = pyseccomp.system_arch()


def compiled(text: str) -> bytes:
    """The profile called t.json with these contents."""
    return compile_parsed(parse_profile(text, "t.json"))


def for_architecture(name: str, profile: str) -> bytes:
    """One of our profiles, compiled for another machine."""
    document = json.loads((ROOT / "seccomp" / f"{profile}.json").read_text())
    return compiled(json.dumps({**document, "architectures": [name]}))


@pytest.mark.parametrize("name", ["zygote", "worker"])
def test_our_profiles_compile_small_enough(name: str) -> None:
    """Twice the same bytes, and no more than the kernel takes."""
    program = compile_profile(name)
    assert program == compile_profile(name)
    assert len(program) % 8 == 0
    assert len(program) // 8 <= MAX_INSTRUCTIONS


def test_the_worker_pays_for_few_instructions() -> None:
    """It is installed in each fork, at about a microsecond per instruction."""
    assert len(compile_profile("worker")) // 8 <= 48


def test_an_unknown_syscall_is_named() -> None:
    """libseccomp itself answers EINVAL and no name."""
    text = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read","raed"],"action":"SCMP_ACT_LOG"}]}'
    with pytest.raises(ProfileError, match=r"^t.json: syscalls\[0\].names: unknown syscall 'raed'$"):
        compiled(text)


@pytest.mark.parametrize("name", ["_llseek", "breakpoint", "s390_pci_mmio_read"])
def test_a_syscall_of_another_machine_is_left_out(name: str) -> None:
    """As if it were not there."""
    text = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[%s],"action":"SCMP_ACT_LOG"}]}'
    assert compiled(text % f'"{name}","read"') == compiled(text % '"read"')


def test_another_machine_ends_the_process() -> None:
    """32-bit calls and x32 numbers pass neither an allow-list nor a deny-list."""
    for name in ("zygote", "worker"):
        assert verdict(compile_profile(name), I386, 20) == KILL_PROCESS
        if NATIVE == X86_64:
            assert verdict(compile_profile(name), X86_64, 0x40000000) == KILL_PROCESS


def test_our_profiles_compile_for_both_machines() -> None:
    """A few verdicts by the numbers of each (clone, kill, execve, socketpair, mount)."""
    placeholder = 0x4C415253
    for name, arch, clone, kill, execve, socketpair, mount in (
        ("SCMP_ARCH_X86_64", X86_64, 56, 62, 59, 53, 165),
        ("SCMP_ARCH_AARCH64", AARCH64, 220, 129, 221, 199, 40),
    ):
        zygote, worker = for_architecture(name, "zygote"), for_architecture(name, "worker")
        assert verdict(zygote, arch, clone, (17,)) == ALLOW
        assert verdict(zygote, arch, execve) == errno_verdict(1)
        assert verdict(zygote, arch, socketpair, (1, 5)) == ALLOW
        assert verdict(zygote, arch, socketpair, (1, 2)) == errno_verdict(1)
        assert verdict(zygote, arch, 9999) == errno_verdict(38)
        assert verdict(worker, arch, clone, (17,)) == errno_verdict(1)
        assert verdict(worker, arch, clone, (0x10400,)) == ALLOW
        assert verdict(worker, arch, clone, (0x10000,)) == errno_verdict(1)
        assert verdict(worker, arch, kill, (placeholder,)) == ALLOW
        assert verdict(worker, arch, kill, (placeholder + (1 << 32),)) == errno_verdict(1)
        assert verdict(worker, arch, mount) == errno_verdict(1)
        assert verdict(worker, arch, 9999) == ALLOW
        assert verdict(worker, AARCH64 if arch == X86_64 else X86_64, kill) == KILL_PROCESS


def test_both_machines_in_one_program() -> None:
    """Each with its own number for read."""
    text = """{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_AARCH64","SCMP_ARCH_X86_64"],
    "syscalls":[{"names":["read","open"],"action":"SCMP_ACT_ERRNO"}]}"""
    program = compiled(text)
    assert [verdict(program, AARCH64, n) for n in (63, 0)] == [errno_verdict(1), ALLOW]
    assert [verdict(program, X86_64, n) for n in (0, 63)] == [errno_verdict(1), ALLOW]


def test_what_only_other_machines_lack_is_legacy() -> None:
    """A name left out on arm64 is one that libc replaces there, so nothing is lost with it."""
    missing = {
        rule.syscall
        for rule in load_profile("zygote").rules
        if pyseccomp.resolve_syscall(pyseccomp.Arch.AARCH64, rule.syscall) < 0
    }
    assert missing == {
        *("access", "alarm", "arch_prctl", "chmod", "chown", "creat", "dup2", "epoll_create", "epoll_wait"),
        *("eventfd", "fork", "futimesat", "getdents", "getpgrp", "inotify_init", "ioperm", "iopl", "lchown"),
        *(
            "link",
            "lstat",
            "mkdir",
            "mknod",
            "modify_ldt",
            "open",
            "pause",
            "pipe",
            "poll",
            "readlink",
            "rename",
        ),
        *("rmdir", "select", "signalfd", "stat", "symlink", "time", "unlink", "utime", "utimes", "vfork"),
    }


WITHOUT_LIBSECCOMP = """
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    # An empty cache of the loader, in a namespace of our own: what find_library sees on a machine without it.
    assert libc.unshare(0x10000000 | 0x20000) == 0
    assert libc.mount(b"/dev/null", b"/etc/ld.so.cache", None, 4096, None) == 0
    import seccomp
    print(len(seccomp.load_profile("worker").rules) > 0)
    try:
        seccomp.compile_profile("worker")
    except seccomp.CompilerUnavailableError as error:
        print(error)
"""


def test_a_missing_library_is_one_clear_sentence() -> None:
    """With the package to install; profiles can still be read."""
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT_LIBSECCOMP)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        check=False,
    )
    assert finished.stderr == ""
    assert finished.stdout.splitlines() == [
        "True",
        "the system library libseccomp.so.2 is missing; install it with: apt-get install libseccomp2",
    ]


def test_compiles_where_seccomp_itself_is_refused(tmp_path: Path) -> None:
    """Under a service manager's filter that answers seccomp(2) with EPERM, to the same bytes."""
    refusing = compiled(
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["seccomp"],"action":"SCMP_ACT_ERRNO"}]}'
    )
    finished = run_program(
        Filters(zygote=refusing),
        """
        import hashlib, seccomp
        print(hashlib.sha256(seccomp.compile_profile("zygote")).hexdigest())
        """,
        tmp_path,
    )
    own = run_program(
        Filters(),
        """
        import hashlib, seccomp
        print(hashlib.sha256(seccomp.compile_profile("zygote")).hexdigest())
        """,
        tmp_path,
    )
    assert (finished.stderr, finished.status) == ("", 0)
    assert finished.stdout == own.stdout
    assert len(own.stdout) == 65
