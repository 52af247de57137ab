"""The attack table: every row of every group."""

from __future__ import annotations

from tests.isolation.attacks import (
    capacity,
    files,
    kernel,
    network,
    output,
    processes,
    protocol,
    resources,
    state,
)

ATTACKS = (
    *files.ROWS,
    *protocol.ROWS,
    *network.ROWS,
    *processes.ROWS,
    *kernel.ROWS,
    *resources.ROWS,
    *capacity.ROWS,
    *output.ROWS,
    *state.ROWS,
)
