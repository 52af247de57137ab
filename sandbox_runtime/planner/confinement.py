"""The planner's confinement: flat lists of steps, as in ``sandbox_runtime.jail``, one list for each layer.

It holds keys and reads what strangers send, so it has what it needs for that alone: certificates, name
resolution, and TCP to the ports of the allowed hosts. A layer that the host cannot give is told; one that is
in ``PlannerConfig.floor`` must be given. The filter that ends all privilege is last.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import re
import resource
import signal
import ssl
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sandbox_runtime import linux
from sandbox_runtime.bpf import pid_offsets
from sandbox_runtime.jail import NOBODY, JailError, Step, take
from sandbox_runtime.layers import Layer
from sandbox_runtime.planner.readable import readable
from sandbox_runtime.planning import PlannerConfig

Opened = tuple[tuple[int, int], ...]  # rights, and an O_PATH descriptor
TCP_PORTS: Final = "tcp_ports"  # the part of Landlock that kernels have got later: connecting to ports
_PORTS_FROM_ABI: Final = 4
_PORTS_NEED: Final = f"ports need {_PORTS_FROM_ABI}, of Linux 6.7"
_OPEN_FILES: Final = 1024
_LAST_THREAD_SECONDS: Final = 1.0
_NAME_SERVICES: Final = Path("/etc/nsswitch.conf")
_NAME_SERVICE: Final = re.compile(r"[a-z0-9_]{1,30}")


@dataclass(frozen=True, slots=True)
class Confining:
    """One layer and its steps."""

    layer: Layer
    steps: tuple[Step, ...]


def confine(config: PlannerConfig) -> dict[str, str]:
    """Confine this process for good: each layer's name, and "" or why it is not in force. Call it before
    there is a second thread, and when all that will be needed is imported: no library can be read any more.
    JailError when a layer of the floor cannot be had."""
    abi = linux.landlock_abi()
    told = take_layers(layers_of(config, abi), config.floor)
    if not told[Layer.LANDLOCK.value]:
        told[TCP_PORTS] = "" if abi >= _PORTS_FROM_ABI else f"Landlock here has ABI {abi}; {_PORTS_NEED}"
    return told


def layers_of(config: PlannerConfig, abi: int) -> list[Confining]:
    """All layers, in the order they are taken. Opens what Landlock will let through, while it can be reached.
    JailError when a thread exists already, which would stay outside, or nobody cannot be become."""
    _wait_for_threads()
    opened = _open_readable(abi) if abi else ()
    take(_first_steps())
    program = bytes.fromhex(config.filter)
    return [
        Confining(Layer.NO_NEW_PRIVS, (Step("no new privileges", linux.set_no_new_privs()),)),
        Confining(Layer.CAPABILITIES, (Step("no capabilities", linux.drop_capabilities()),)),
        Confining(Layer.NOT_DUMPABLE, (Step("not dumpable", linux.set_dumpable(False)),)),
        Confining(Layer.RLIMITS, (Step("resource limits", _limit_all),)),
        Confining(Layer.LANDLOCK, (Step("landlock", _landlock(abi, opened, config.ports)),)),
        Confining(Layer.SECCOMP, (Step("seccomp of the planner", partial(_filter, program)),)),
    ]


def _wait_for_threads() -> None:
    """Until there is no other. One that has been joined is still there for a moment, as Python lets go of it
    before the kernel does."""
    deadline = time.monotonic() + _LAST_THREAD_SECONDS
    while len(os.listdir("/proc/self/task")) != 1:
        if time.monotonic() > deadline:
            raise JailError("confinement", ValueError("there is more than one thread already"))
        time.sleep(0.001)


def take_layers(layers: Iterable[Confining], floor: Iterable[str]) -> dict[str, str]:
    """Take each; see ``confine`` for what is returned and raised."""
    told: dict[str, str] = {}
    needed = frozenset(floor)
    for each in layers:
        name = each.layer.value
        try:
            take(each.steps)
            told[name] = ""
        except JailError as error:
            if name in needed:
                raise
            told[name] = str(error)
    return told


def _first_steps() -> Iterator[Step]:
    """What has to come before any layer. Whatever is loaded late, is loaded here."""
    yield Step("what is loaded late", _load_late)
    if os.geteuid() == 0:
        yield Step("become nobody", _become_nobody)
    # Changing uid has cleared it.
    yield Step("die with the supervisor", linux.set_parent_death_signal(signal.SIGKILL))


def _load_late() -> None:
    """Modules, libraries and settings that Python, glibc and OpenSSL would look for at first use."""
    importlib.import_module("concurrent.futures.thread")
    "x.example".encode("idna")
    ssl.create_default_context()
    for name in ("libgcc_s.so.1", *_name_services()):
        with contextlib.suppress(OSError):  # it is built into glibc, or not there
            ctypes.CDLL(name)


def _name_services() -> Iterator[str]:
    """The libraries that nsswitch.conf(5) names for hosts. glibc takes one that is loaded already."""
    try:
        text = _NAME_SERVICES.read_text("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        database, _, services = line.partition("#")[0].partition(":")
        if database.strip() == "hosts":
            yield from (f"libnss_{name}.so.2" for name in services.split() if _NAME_SERVICE.fullmatch(name))


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def _limit_all() -> None:
    """Threads are not limited: RLIMIT_NPROC counts all of the user, and the jailed workers are nobody too.
    The filter allows no process. Nor are files, where the log is one: RLIMIT_FSIZE would end it."""
    _limit(resource.RLIMIT_CORE, 1)  # see service.supervisor.kernel
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if not any(stat.S_ISREG(os.fstat(output).st_mode) for output in (1, 2)):
        _limit(resource.RLIMIT_FSIZE, 0)


def _limit(number: int, value: int) -> None:
    _, hard = resource.getrlimit(number)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (value, value))


def _open_readable(abi: int) -> Opened:
    """Reading what is ``readable``. ``_landlock`` closes the descriptors."""
    opened = []
    for path in sorted(readable(os.environ)):
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        beneath = linux.LANDLOCK_READ_DIR if stat.S_ISDIR(os.fstat(descriptor).st_mode) else 0
        opened.append(((linux.LANDLOCK_READ_FILE | beneath) & linux.landlock_file_rights(abi), descriptor))
    return tuple(opened)


def _landlock(abi: int, opened: Opened, ports: tuple[int, ...]) -> Callable[[], None]:
    def enter() -> None:
        if not abi:
            raise OSError("this kernel has no Landlock, or it is switched off")
        ruleset = linux.landlock_ruleset(abi)()
        rules = [linux.landlock_rule(rights, descriptor) for rights, descriptor in opened]
        linux.landlock_restrict_self(ruleset, rules, ports if abi >= _PORTS_FROM_ABI else ())
        for descriptor in (ruleset, *(descriptor for _, descriptor in opened)):
            os.close(descriptor)

    return enter


def _filter(program: bytes) -> None:
    """In every thread to come; signals to this process alone."""
    compiled = linux.SeccompFilter(program, pid_offsets(program))
    compiled.bind(os.getpid())
    compiled.install()()
