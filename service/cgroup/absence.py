"""Why there are no limits by cgroup, as an operator is told."""

from __future__ import annotations

from sandbox_runtime.layers import Layer, LayerState


class Absent(Exception):
    """``reason`` and ``remedy`` complete a ``LayerState``."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.state = LayerState(Layer.CGROUP_LIMITS, False, reason, remedy)
