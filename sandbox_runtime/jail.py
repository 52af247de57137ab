"""The jail: flat lists of steps, in the order they are taken. The first failure ends the process.

``launcher_steps`` and ``zygote_steps`` run once; every worker inherits their effect through fork.
``worker_steps`` add what is the worker's own, for each kind of worker. Privilege only decreases along the
way, and the filter that ends it is last; the limit of descriptors waits until the worker is announced.

Which steps are in the lists depends on ``JailPlan.layers`` alone: what the host gives (``probe``), less what
a control test has switched off. No step is skipped because it failed.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from sandbox_runtime import linux, rootfs
from sandbox_runtime.bpf import pid_offsets
from sandbox_runtime.domain import WorkerKind
from sandbox_runtime.layers import Layer

SCRATCH = "/tmp"
SANDBOX_ID = 1000
NOBODY = 65534
_PENDING_SIGNALS = 256
_THREAD_STACK = 2 << 20

_NAMESPACE_FLAGS = {
    Layer.USER_NAMESPACE: linux.CLONE_NEWUSER,
    Layer.MOUNT_NAMESPACE: linux.CLONE_NEWNS,
    Layer.PID_NAMESPACE: linux.CLONE_NEWPID,
    Layer.NET_NAMESPACE: linux.CLONE_NEWNET,
    Layer.IPC_NAMESPACE: linux.CLONE_NEWIPC,
    Layer.UTS_NAMESPACE: linux.CLONE_NEWUTS,
    Layer.CGROUP_NAMESPACE: linux.CLONE_NEWCGROUP,
}


class JailError(Exception):
    """A step of the jail failed; nothing may run after it."""

    def __init__(self, step: str, cause: BaseException) -> None:
        super().__init__(f"{step}: {cause}")
        self.step = step


@dataclass(frozen=True, slots=True)
class Step:
    """One named step."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What no worker may exceed, whatever its request says. Bytes, except counts."""

    scratch: int = 64 << 20
    file_size: int = 64 << 20
    open_files: int = 256
    threads: int = 64


@dataclass(frozen=True, slots=True)
class JailPlan:
    """Everything the lists are made from.

    ``zygote_filter`` and ``worker_filter`` are BPF programs (struct sock_filter[]); the worker's has the
    placeholder pid. ``landlock_abi`` is the kernel's.
    """

    layers: frozenset[Layer]
    root_paths: tuple[str, ...]
    hidden_paths: tuple[str, ...]
    zygote_filter: bytes
    worker_filter: bytes
    landlock_abi: int
    ceilings: Ceilings = field(default_factory=Ceilings)

    def has(self, layer: Layer) -> bool:
        """Whether the layer is part of this jail."""
        return layer in self.layers

    def namespace_flags(self) -> int:
        """The unshare(2) flags of every namespace layer of this plan."""
        flags = 0
        for layer, flag in _NAMESPACE_FLAGS.items():
            flags |= flag if self.has(layer) else 0
        return flags


def take(steps: Iterable[Step]) -> None:
    """Run the steps in order. JailError names the first that fails; the rest are not run."""
    for step in steps:
        try:
            step.run()
        except (OSError, ValueError) as error:
            raise JailError(step.name, error) from error


def launcher_steps(plan: JailPlan, proc_self: int) -> list[Step]:
    """Before the fork that makes the zygote PID 1 of its namespace. ``proc_self`` is /proc/self, opened
    while there was a /proc: the id maps are written through it."""
    privileged = os.geteuid() == 0
    # For all that follows, and first of all for the private root: as root it is made for another user.
    mask = Step("file mode mask", partial(os.umask, 0o022))
    build = Step("build the private root", lambda: rootfs.build(plan.root_paths, plan.hidden_paths))
    steps = [mask]
    if privileged and plan.has(Layer.PRIVATE_ROOT):
        # As root the sources may lie under directories that only root can pass (/root), so the root is
        # built first; what is built can be read by the user that comes next.
        steps += [Step("leave the host's mounts", _own_mounts), build]
    if privileged:
        steps.append(Step("become nobody", _become_nobody))
    if plan.has(Layer.USER_NAMESPACE):
        steps.append(
            Step("enter the namespaces", lambda: _enter_namespaces(plan.namespace_flags(), proc_self))
        )
    if plan.has(Layer.PRIVATE_ROOT) and not privileged:
        steps += [Step("make the mounts private", _private_mounts), build]
    return steps


def zygote_steps(plan: JailPlan) -> list[Step]:
    """In the zygote itself, once, before it forks its first worker."""
    steps: list[Step] = []
    if plan.has(Layer.OWN_SESSION):
        # One for the zygote and all its workers: each session is a group of its own to the scheduler, with as
        # large a share of the CPUs as the whole service has (sched(7), autogroup).
        steps.append(Step("own session", os.setsid))
    if plan.has(Layer.UTS_NAMESPACE):
        steps.append(Step("host name", linux.set_hostname("lars")))
    if plan.has(Layer.NO_NEW_PRIVS):
        steps.append(Step("no new privileges", linux.set_no_new_privs()))
    if plan.has(Layer.NOT_DUMPABLE):
        steps.append(Step("not dumpable", linux.set_dumpable(False)))
    if plan.has(Layer.RLIMITS):
        steps.append(Step("resource limits", partial(_limit_all, plan.ceilings)))
    if plan.has(Layer.SECCOMP):
        steps.append(Step("seccomp of the zygote", linux.SeccompFilter(plan.zygote_filter).install()))
    return steps


@dataclass(frozen=True, slots=True)
class WorkerSteps:
    """The steps of one kind of worker, all made once, in the zygote.

    ``before`` its announcement; ``after`` it, which for a one-shot worker is before it has read anything; and
    ``confine``, when a session's or contract's worker has its directory and before the first foreign byte.
    """

    before: tuple[Step, ...]
    after: tuple[Step, ...]
    confine: tuple[Step, ...] = ()


def worker_steps(plan: JailPlan, readable: tuple[bytes, ...]) -> dict[WorkerKind, WorkerSteps]:
    """In each worker after fork. ``readable`` are its ``landlock_rules``."""
    limits = tuple(_descriptor_limit(plan))
    return {
        "oneshot": WorkerSteps(
            (
                *_own_scratch(plan),
                *_own_limits(plan, plan.ceilings.threads),
                *_seal(plan, SCRATCH, linux.landlock_scratch_rights(plan.landlock_abi), readable),
            ),
            limits,
        ),
        "session": _for_one_directory(plan, limits, linux.landlock_session_rights(plan.landlock_abi)),
        "contract": _for_one_directory(plan, limits, linux.LANDLOCK_READ_FILE | linux.LANDLOCK_READ_DIR),
    }


def _for_one_directory(plan: JailPlan, limits: tuple[Step, ...], rights: int) -> WorkerSteps:
    """Of a worker that makes the directory it is given its root, and has these ``rights`` in it."""
    return WorkerSteps(
        tuple(_own_limits(plan, threads=1)),
        limits,
        (Step("own root", _enter_root), *_seal(plan, "/", rights, ())),
    )


def _own_scratch(plan: JailPlan) -> Iterator[Step]:
    if plan.has(Layer.SCRATCH):
        yield Step("own mounts", linux.unshare(linux.CLONE_NEWNS))
        yield Step("scratch", _scratch(plan.ceilings.scratch))
    yield Step("working directory", partial(os.chdir, SCRATCH))


def _own_limits(plan: JailPlan, threads: int) -> Iterator[Step]:
    if not plan.has(Layer.PID_NAMESPACE):
        # Within a PID namespace the kernel kills the workers with the zygote, its PID 1.
        yield Step("die with the zygote", linux.set_parent_death_signal(signal.SIGKILL))
    if plan.has(Layer.WORKER_USER_NAMESPACE):
        # Last namespace, first limit: RLIMIT_NPROC is counted per user namespace, and the limit that
        # holds when it is made would count all workers together.
        yield Step("own user namespace", linux.unshare(linux.CLONE_NEWUSER))
    if plan.has(Layer.RLIMITS):
        yield Step("thread limit", _limit(resource.RLIMIT_NPROC, threads))
        # Timers and queued signals; counted as threads are.
        yield Step("timer limit", _limit(resource.RLIMIT_SIGPENDING, _PENDING_SIGNALS))


def _seal(plan: JailPlan, own: str, rights: int, readable: tuple[bytes, ...]) -> Iterator[Step]:
    """``own`` is the directory of which Landlock allows ``rights``."""
    if plan.has(Layer.CAPABILITIES):
        yield Step("no capabilities", linux.drop_capabilities())
    if plan.has(Layer.NOT_DUMPABLE):
        yield Step("not dumpable", linux.set_dumpable(False))
    if plan.has(Layer.LANDLOCK):
        yield Step("landlock", _landlock(plan.landlock_abi, (own, rights), readable))
    if plan.has(Layer.SECCOMP):
        worker_filter = linux.SeccompFilter(plan.worker_filter, pid_offsets(plan.worker_filter))
        yield Step("own pid in the filter", lambda: worker_filter.bind(os.getpid()))
        yield Step("seccomp of the worker", worker_filter.install())


def _enter_root() -> None:
    """The current directory, which a descriptor has led to from outside of every mount in sight, becomes the
    root: ``..`` ends there. chroot(2)."""
    os.chroot(".")


def _descriptor_limit(plan: JailPlan) -> Iterator[Step]:
    """After the worker has sent its descriptors to the front.

    The kernel counts descriptors in flight per user, over all workers, and refuses a sender whose own
    RLIMIT_NOFILE the sum exceeds (ETOOMANYREFS, unix(7)). A program may have as many in flight as its limit,
    so a worker that announced itself under the same limit could be kept from it by another's program.
    """
    if plan.has(Layer.RLIMITS):
        yield Step("descriptor limit", _limit(resource.RLIMIT_NOFILE, plan.ceilings.open_files))


def landlock_rules(plan: JailPlan) -> tuple[bytes, ...]:
    """What every worker may read, opened once by the zygote; its scratch each worker adds itself.

    The ruleset cannot be shared: Landlock does not consult the directory that a mount covers, so the rule
    must name the root of the worker's own tmpfs.
    """
    if not plan.has(Layer.LANDLOCK):
        return ()
    read = linux.LANDLOCK_READ_FILE | linux.LANDLOCK_READ_DIR
    rights = dict.fromkeys(plan.root_paths, read)
    if plan.has(Layer.PRIVATE_ROOT):
        rights = {"/": read, "/dev": linux.landlock_device_rights(plan.landlock_abi)}
    return tuple(
        linux.landlock_rule(right, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path, right in rights.items()
    )


def _own_mounts() -> None:
    linux.unshare(linux.CLONE_NEWNS)()
    _private_mounts()


def _private_mounts() -> None:
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)()


def _become_nobody() -> None:
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError as error:  # user_namespaces(7): setgroups is denied, or the id is not mapped
        why = f"root of a user namespace without user and group {NOBODY}; map them, or start as another user"
        raise OSError(error.errno, why) from error
    # Changing uid makes /proc/self/uid_map root's; the map is written next.
    linux.set_dumpable(True)()


def _enter_namespaces(flags: int, proc_self: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(flags)()
    _write(proc_self, "setgroups", "deny")
    _write(proc_self, "uid_map", f"{SANDBOX_ID} {uid} 1")
    _write(proc_self, "gid_map", f"{SANDBOX_ID} {gid} 1")


def _write(directory: int, name: str, text: str) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _scratch(size: int) -> linux.Call:
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    return linux.mount("scratch", SCRATCH, "tmpfs", flags, f"size={size},nr_inodes=8192,mode=0700")


def _limit_all(ceilings: Ceilings) -> None:
    """The ceilings that are the same for the zygote and every worker. Threads are not among them: the zygote
    itself must go on forking; nor descriptors: see ``_descriptor_limit``."""
    # Address space is what memory_limit counts: at the usual 8 MB seven threads would use up the default.
    linux.set_thread_stack(_THREAD_STACK)
    _limit(resource.RLIMIT_CORE, 0)()
    _limit(resource.RLIMIT_FSIZE, ceilings.file_size)()
    _limit(resource.RLIMIT_MEMLOCK, 0)()
    _limit(resource.RLIMIT_MSGQUEUE, 0)()
    _limit(resource.RLIMIT_NICE, 0)()  # a worker that has been made nicer stays so


def _limit(number: int, value: int) -> Callable[[], None]:
    return partial(resource.setrlimit, number, (value, value))


def _landlock(abi: int, own: tuple[str, int], readable: tuple[bytes, ...]) -> Callable[[], None]:
    make_ruleset = linux.landlock_ruleset(abi)
    path, rights = own

    def enter() -> None:
        directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
        linux.landlock_restrict_self(make_ruleset(), (*readable, linux.landlock_rule(rights, directory)))

    return enter
