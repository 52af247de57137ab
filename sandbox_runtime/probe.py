"""What this host gives of each layer, found by trying it in a child that does nothing else."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable

from sandbox_runtime import linux
from sandbox_runtime.layers import Layer, LayerState

_USER_NAMESPACE_REMEDY = (
    "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu 23.10 and "
    "later kernel.apparmor_restrict_unprivileged_userns=0; in a container "
    "--security-opt seccomp=infra/docker-seccomp.json and, where the engine uses AppArmor, a profile that "
    "permits mount: docs/docker.md)"
)
_FILTER_REMEDY = "in a container see docs/docker.md"
_NAMESPACES = {
    Layer.MOUNT_NAMESPACE: linux.CLONE_NEWNS,
    Layer.PID_NAMESPACE: linux.CLONE_NEWPID,
    Layer.NET_NAMESPACE: linux.CLONE_NEWNET,
    Layer.IPC_NAMESPACE: linux.CLONE_NEWIPC,
    Layer.UTS_NAMESPACE: linux.CLONE_NEWUTS,
    Layer.CGROUP_NAMESPACE: linux.CLONE_NEWCGROUP,
}
# What a layer stands on: without the one on the right, the one on the left cannot be had.
_NEEDS = {
    **dict.fromkeys(_NAMESPACES, Layer.USER_NAMESPACE),
    Layer.PRIVATE_ROOT: Layer.MOUNT_NAMESPACE,
    Layer.SCRATCH: Layer.MOUNT_NAMESPACE,
    Layer.WORKER_USER_NAMESPACE: Layer.USER_NAMESPACE,
    Layer.SECCOMP: Layer.NO_NEW_PRIVS,
    Layer.LANDLOCK: Layer.NO_NEW_PRIVS,
}


def survey(requested: Iterable[Layer], told: LayerState) -> tuple[LayerState, ...]:
    """One state per layer, in the order of ``Layer``. A layer not requested is reported as switched off.
    ``told``: of the layer that whoever starts zygotes has put this process into."""
    wanted = frozenset(requested)
    found = {told.layer: told} if told.layer in wanted else {}
    for layer in (layer for layer in Layer if layer not in found):
        found[layer] = _state(layer, wanted, found)
    for layer, needed in _NEEDS.items():
        if found[layer].in_force and not found[needed].in_force:
            found[layer] = LayerState(layer, False, f"needs {needed}", f"see {needed}")
    return tuple(found[layer] for layer in Layer)


def _state(layer: Layer, wanted: frozenset[Layer], found: dict[Layer, LayerState]) -> LayerState:
    if layer not in wanted:
        return LayerState(layer, False, "switched off")
    if layer in _NAMESPACES and not found[Layer.USER_NAMESPACE].in_force:
        return LayerState(layer, False, "needs user_namespace", "see user_namespace")
    if layer in _TRIALS:
        return _tried(layer, *_TRIALS[layer])
    return _known(layer)


def _known(layer: Layer) -> LayerState:
    """The layers that the kernel tells of without a trial."""
    if layer is Layer.WORKER_USER_NAMESPACE and not linux.thread_limit_is_per_user_namespace():
        why, remedy = "threads are counted per user namespace from Linux 5.14 on", "run Linux 5.14"
    elif layer is Layer.LANDLOCK and linux.landlock_abi() == 0:
        why, remedy = "the kernel has no Landlock", "run Linux 5.13 or later with landlock in lsm="
    else:
        return LayerState(layer, True)
    return LayerState(layer, False, why, remedy)


def _tried(layer: Layer, attempt: Callable[[], object], remedy: str) -> LayerState:
    error = _error_of(attempt)
    if error is None:
        return LayerState(layer, True)
    return LayerState(layer, False, error, remedy)


def _error_of(attempt: Callable[[], object]) -> str | None:
    """What ``attempt`` raised in a child of its own; None when it passed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _attempt_and_leave(attempt, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status = os.waitpid(pid, 0)
    if status == 0:
        return None
    return said or f"the trial ended with wait status {status}"


def _attempt_and_leave(attempt: Callable[[], object], writer: int) -> None:
    code = 1
    try:
        attempt()
        code = 0
    except (OSError, ValueError) as error:
        os.write(writer, str(error).encode())
    finally:
        os._exit(code)


def _try_user_namespace() -> None:
    # Where AppArmor restricts user namespaces, unshare passes and the mount is what fails.
    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)()
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)()
    linux.mount("trial", "/tmp", "tmpfs", 0, "size=64k")()


def _try_uts_namespace() -> None:
    # A container's filter may permit the namespace and not the name.
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWUTS)()
    linux.set_hostname("trial")()


def _try_private_root() -> None:
    # Each call that makes a root, and chroot(2), which gives the worker of a session its own: the filter of
    # a container may permit some of them.
    _try_user_namespace()
    os.mkdir("/tmp/old")
    linux.pivot_root("/tmp", "/tmp/old")()
    os.chdir("/")
    linux.unmount_lazily("/old")()
    linux.set_mount_attributes("/", linux.MOUNT_ATTR_NOSUID)()
    try:
        os.chroot("/")
    except OSError as error:
        raise OSError(error.errno, error.strerror, "chroot /") from error


_TRIALS: dict[Layer, tuple[Callable[[], object], str]] = {
    Layer.USER_NAMESPACE: (_try_user_namespace, _USER_NAMESPACE_REMEDY),
    **{
        layer: (linux.unshare(linux.CLONE_NEWUSER | flag), _USER_NAMESPACE_REMEDY)
        for layer, flag in _NAMESPACES.items()
    },
    Layer.UTS_NAMESPACE: (_try_uts_namespace, _FILTER_REMEDY),
    Layer.PRIVATE_ROOT: (_try_private_root, f"run Linux 5.12 or later; {_FILTER_REMEDY}"),
}


def raise_own_limits() -> None:
    """Soft limits up to the hard ones, so that a narrow shell does not narrow every worker."""
    for number in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        _, hard = resource.getrlimit(number)
        resource.setrlimit(number, (hard, hard))
