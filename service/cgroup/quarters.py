"""Where zygotes live: in a group whose bounds hold for all of them, or wherever the service is, and why."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_runtime.layers import LayerState
from service.cgroup.absence import Absent
from service.cgroup.amounts import Bounds
from service.cgroup.tree import Room, Tree
from service.units import format_size

_NONE_TAKEN = Absent("no cgroup is taken for it", "run lars serve from a unit with Delegate=yes")


@dataclass(frozen=True, slots=True)
class Quarters:
    """``state`` is what zygotes say of the layer. ``tree``: None where it is not in force."""

    state: LayerState = _NONE_TAKEN.state
    tree: Tree | None = None

    def room(self) -> Room | None:
        """For one more zygote; None where there are no rooms. OSError."""
        return None if self.tree is None else self.tree.room()

    def clear(self, room: Room | None) -> None:
        """The zygote is gone that had it."""
        if self.tree is not None and room is not None:
            self.tree.clear(room)

    def words(self) -> str:
        """The bounds, for an operator; "" where there are none."""
        return "" if self.tree is None else words(self.tree.bounds)


def words(bound: Bounds) -> str:
    """What all foreign code together may use."""
    parts = []
    if bound.memory is not None:
        parts.append(f"{format_size(bound.memory)} of memory")
    if bound.pids is not None:
        parts.append(f"{bound.pids} processes and threads")
    if bound.cpus is not None:
        parts.append(f"{bound.cpus:g} CPUs")
    return f"all programs together have at most {', '.join(parts)}"
