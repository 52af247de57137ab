"""The isolation layers by name, and what is said of each on a given host.

One vocabulary for the jail (which enters them), for ``LARS_SANDBOX_FLOOR`` (which demands them), and for
``lars doctor`` and ``GET /capabilities`` (which report them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """A layer of the jail. The value is its name in settings, logs and JSON."""

    USER_NAMESPACE = "user_namespace"
    MOUNT_NAMESPACE = "mount_namespace"
    PID_NAMESPACE = "pid_namespace"
    NET_NAMESPACE = "net_namespace"
    IPC_NAMESPACE = "ipc_namespace"
    UTS_NAMESPACE = "uts_namespace"
    CGROUP_NAMESPACE = "cgroup_namespace"
    PRIVATE_ROOT = "private_root"
    SCRATCH = "scratch"
    WORKER_USER_NAMESPACE = "worker_user_namespace"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    RLIMITS = "rlimits"
    NO_NEW_PRIVS = "no_new_privs"
    CAPABILITIES = "capabilities"
    NOT_DUMPABLE = "not_dumpable"
    OWN_SESSION = "own_session"
    CGROUP_LIMITS = "cgroup_limits"


STOPS: Mapping[Layer, str] = {
    Layer.USER_NAMESPACE: "any privilege on the host, whatever the program becomes inside",
    Layer.MOUNT_NAMESPACE: "seeing or changing the host's mounts",
    Layer.PID_NAMESPACE: "seeing or signalling the host's processes",
    Layer.NET_NAMESPACE: "all network: DNS, loopback and abstract Unix sockets included",
    Layer.IPC_NAMESPACE: "System V and POSIX message queues and shared memory of the host",
    Layer.UTS_NAMESPACE: "reading the host's name",
    Layer.CGROUP_NAMESPACE: "seeing the host's cgroup paths",
    Layer.PRIVATE_ROOT: "reading the host's files; there is no /proc and no /sys",
    Layer.SCRATCH: "filling the host's disk; leaving a file for the next program",
    Layer.WORKER_USER_NAMESPACE: "using up the thread count of other workers",
    Layer.LANDLOCK: "file access that the mount layout let through; signals to other workers",
    Layer.SECCOMP: "system calls that namespaces do not cover; starting processes",
    Layer.RLIMITS: "endless CPU, address space, file size, descriptors and threads",
    Layer.NO_NEW_PRIVS: "gaining privilege through set-uid files",
    Layer.CAPABILITIES: "using any capability",
    Layer.NOT_DUMPABLE: "being traced or read by a process of the same user",
    Layer.OWN_SESSION: "signals through the session or terminal of the service",
    Layer.CGROUP_LIMITS: "memory, process and CPU use beyond the limit, counted for the whole tree",
}

# Without any one of these a hostile program reaches the host or another tenant.
DEFAULT_FLOOR: tuple[Layer, ...] = (
    Layer.USER_NAMESPACE,
    Layer.MOUNT_NAMESPACE,
    Layer.PID_NAMESPACE,
    Layer.NET_NAMESPACE,
    Layer.IPC_NAMESPACE,
    Layer.PRIVATE_ROOT,
    Layer.SCRATCH,
    Layer.SECCOMP,
    Layer.RLIMITS,
    Layer.NO_NEW_PRIVS,
    Layer.CAPABILITIES,
)


@dataclass(frozen=True, slots=True)
class LayerState:
    """What one layer is on this host: in force or not, why not, and what to do about it."""

    layer: Layer
    in_force: bool
    reason: str = ""
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        """Members ``layer``, ``in_force``, ``stops``, ``reason``, ``remedy`` (two empty when in force)."""
        return {
            "layer": self.layer.value,
            "in_force": self.in_force,
            "stops": STOPS[self.layer],
            "reason": self.reason,
            "remedy": self.remedy,
        }


def states_from_json(rows: object) -> tuple[LayerState, ...]:
    """The inverse of ``[state.as_json()]``. ValueError when a row is not of that form."""
    if not isinstance(rows, list):
        raise ValueError("layers: expected a list")
    states = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("in_force"), bool):
            raise ValueError(f"layers: not a layer state: {row!r}")
        states.append(
            LayerState(
                Layer(row["layer"]), row["in_force"], str(row.get("reason", "")), str(row.get("remedy", ""))
            )
        )
    return tuple(states)


def below_floor(states: Iterable[LayerState], floor: Iterable[Layer]) -> tuple[LayerState, ...]:
    """The layers that the floor demands and that are not in force; one nobody reported counts as missing."""
    by_layer = {state.layer: state for state in states}
    missing = []
    for layer in floor:
        state = by_layer.get(layer, LayerState(layer, False, "not reported by the sandbox"))
        if not state.in_force:
            missing.append(state)
    return tuple(missing)
