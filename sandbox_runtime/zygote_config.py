"""What the supervisor sends a zygote first, when it has put it where it belongs."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import orjson

from sandbox_runtime import jail
from sandbox_runtime.layers import Layer, LayerState, states_from_json

_CONFIG_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Config:
    """Layers wanted, BPF programs, ceilings, forks until worn. ``cgroup``: the state of the layer that this
    process is in already. ``events``: a descriptor of what happens to its memory there, or None."""

    layers: frozenset[Layer]
    cgroup: LayerState
    events: int | None
    zygote_filter: bytes
    worker_filter: bytes
    ceilings: jail.Ceilings
    forks: int


def receive_config(control: socket.socket) -> Config:
    """Ends the process when there is nobody to send it. ValueError, KeyError."""
    message, descriptors, _, _ = socket.recv_fds(control, _CONFIG_BYTES, 1)
    if not message:
        os._exit(0)
    body = orjson.loads(message)
    (cgroup,) = states_from_json([body["cgroup"]])
    filters = {name: bytes.fromhex(body["filters"][name]) for name in ("zygote", "worker")}
    return Config(
        frozenset(Layer(name) for name in body["layers"]),
        cgroup,
        descriptors[0] if descriptors else None,
        filters["zygote"],
        filters["worker"],
        jail.Ceilings(**body["ceilings"]),
        int(body["forks"]),
    )
