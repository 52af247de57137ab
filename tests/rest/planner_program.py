"""``python -m tests.rest.planner_program CONTROL KEYS``: a planner that asks nobody, and answers each
question for a plan itself."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import orjson

from sandbox_runtime.planning import PING, PlannerConfig
from tests.rest.stand_in import StandIn


async def _serve(control: socket.socket) -> None:
    stand_in = StandIn()
    loop = asyncio.get_running_loop()
    while True:
        message, descriptors, _, _ = await loop.run_in_executor(None, socket.recv_fds, control, 1024, 1)
        if not message:
            return
        if message == PING:
            control.send(orjson.dumps({"t": "alive"}))
        for descriptor in descriptors:
            stand_in.serve(socket.socket(fileno=descriptor))


def main() -> None:
    """Until the other end of CONTROL is closed."""
    control, keys = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    PlannerConfig.from_wire(orjson.loads(control.recv(1 << 18)))
    os.close(keys)
    control.send(orjson.dumps({"t": "hello", "ready": ["openai"], "why": {}, "layers": {}}))
    asyncio.run(_serve(control))


if __name__ == "__main__":
    main()
