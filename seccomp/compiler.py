"""From a profile to the BPF program that the kernel runs at each system call. Runs in the service only.

Importing pyseccomp executes ``ldconfig``, so no jailed process may do it: children receive the bytes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from seccomp.model import Action, ActionKind, Architecture, Comparison, Profile, ProfileError, Rule
from seccomp.profile import parse_profile

_BINARY_TREE = 2  # SCMP_FLTATR_CTL_OPTIMIZE: a binary search over the numbers instead of one after the other
_TREE_PAYS_FROM = 64
# Left alone, libseccomp asks the running kernel through seccomp(2), which a service manager may refuse
# (SystemCallFilter=@system-service on Debian 12). Level 3 is KILL_PROCESS, Linux 4.14.
_API_LEVEL = 3
_UNKNOWN_SYSCALL = -1  # __NR_SCMP_ERROR; other negative numbers stand for syscalls of other architectures
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class CompilerUnavailableError(RuntimeError):
    """pyseccomp, or the C library it calls, is not installed."""


def load_profile(name: str) -> Profile:
    """The profile ``seccomp/<name>.json``. ProfileError when there is none or it is refused."""
    file = Path(__file__).with_name(f"{name}.json") if _NAME.match(name) else None
    if file is None or not file.is_file():
        raise ProfileError(f"no seccomp profile is called {name!r}")
    return parse_profile(file.read_text("utf-8"), file.name)


def compile_profile(name: str) -> bytes:
    """``seccomp/<name>.json`` as struct sock_filter[]. ProfileError, CompilerUnavailableError."""
    return compile_parsed(load_profile(name))


def compile_parsed(profile: Profile) -> bytes:
    """The profile as struct sock_filter[]. ProfileError when it names a syscall that does not exist.

    A syscall that exists, but on none of the profile's architectures, is left out. A call made through
    another architecture's entry (x32, 32-bit) kills the process.
    """
    library = _libseccomp()
    numbers = _resolve(library, profile)
    program = library.SyscallFilter(_action(library, profile.default))
    program.set_attr(library.Attr.ACT_BADARCH, library.KILL_PROCESS)
    if len(numbers) >= _TREE_PAYS_FROM:
        program.set_attr(library.Attr.CTL_OPTIMIZE, _BINARY_TREE)
    _set_architectures(library, program, profile.architectures)
    for rule in profile.rules:
        if rule.syscall in numbers:
            _add(library, program, rule, numbers[rule.syscall], profile.origin)
    return _export(program)


def _libseccomp() -> ModuleType:
    try:
        import pyseccomp  # noqa: PLC0415 - needs a system library; profiles can be read without
    except ImportError as error:
        raise CompilerUnavailableError(
            f"pyseccomp is not installed ({error}); pip install pyseccomp"
        ) from error
    except RuntimeError as error:
        # How pyseccomp 0.1.2 says that ctypes.util.find_library found nothing.
        raise CompilerUnavailableError(
            "the system library libseccomp.so.2 is missing; install it with: apt-get install libseccomp2"
        ) from error
    library: ModuleType = pyseccomp
    library.set_api(_API_LEVEL)
    return library


def _resolve(library: ModuleType, profile: Profile) -> dict[str, int]:
    """Native number of each syscall that at least one of the profile's architectures has."""
    architectures = [getattr(library.Arch, a.name) for a in profile.architectures] or [library.system_arch()]
    numbers: dict[str, int] = {}
    for rule in profile.rules:
        number = library.resolve_syscall(library.Arch.NATIVE, rule.syscall)
        if number == _UNKNOWN_SYSCALL:
            raise ProfileError(
                f"{profile.origin}: syscalls[{rule.entry}].names: unknown syscall {rule.syscall!r}"
            )
        if any(library.resolve_syscall(architecture, rule.syscall) >= 0 for architecture in architectures):
            numbers[rule.syscall] = number
    return numbers


def _set_architectures(library: ModuleType, program: Any, architectures: tuple[Architecture, ...]) -> None:
    """A new filter has the native architecture; with none given it stays the only one."""
    native = library.system_arch()
    wanted = [getattr(library.Arch, architecture.name) for architecture in architectures]
    for architecture in wanted:
        if architecture != native:
            program.add_arch(architecture)
    if wanted and native not in wanted:
        program.remove_arch(native)


def _add(library: ModuleType, program: Any, rule: Rule, number: int, origin: str) -> None:
    arguments = [_argument(library, comparison) for comparison in rule.comparisons]
    try:
        program.add_rule(_action(library, rule.action), number, *arguments)
    except OSError as error:
        raise ProfileError(
            f"{origin}: syscalls[{rule.entry}]: libseccomp refuses {rule.action} for {rule.syscall}: {error}"
        ) from error


def _action(library: ModuleType, action: Action) -> int:
    if action.kind is ActionKind.ERRNO:
        return int(library.ERRNO(action.errno))
    return int(getattr(library, action.kind.removeprefix("SCMP_ACT_")))


def _argument(library: ModuleType, comparison: Comparison) -> Any:
    operator = getattr(library, comparison.operator.removeprefix("SCMP_CMP_"))
    return library.Arg(comparison.index, operator, comparison.value, comparison.value_two)


def _export(program: Any) -> bytes:
    with os.fdopen(os.memfd_create("seccomp", os.MFD_CLOEXEC), "w+b") as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()
