"""``python -m tests.supervisor.planner_program CONTROL KEYS``: stands in for the planner. It speaks with the
supervisor as the planner does, and answers nothing. What it does is the last word of LLM_MOCK_HANDLER."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping

import orjson

from sandbox_runtime.planner.confinement import confine
from sandbox_runtime.planning import PING, RETIRE, PlannerConfig


def _stand(control: socket.socket, config: PlannerConfig, *, answers: bool = True) -> int:
    """Until the supervisor's end is closed, or another has its place and fronts have closed theirs. Lines to
    fronts stay open for as long."""
    hello = {"t": "hello", "ready": ["mock"], "why": {"openai": "no key"}, "layers": confine(config)}
    control.send(orjson.dumps(hello))
    lines: list[int] = []
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1024, 1)
        lines += descriptors
        if message == PING and answers:
            control.send(orjson.dumps({"t": "alive"}))
        if message == RETIRE:
            return 8 if any(socket.socket(fileno=line).recv(1024) for line in lines) else 0
        if not message:
            return 0


def _stand_for_ever(control: socket.socket, config: PlannerConfig) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return _stand(control, config)


def _hang(control: socket.socket, config: PlannerConfig) -> int:
    return _stand(control, config, answers=False)


def _refuse(control: socket.socket, _: PlannerConfig) -> int:
    control.send(orjson.dumps({"t": "failed", "message": "there is no such handler"}))
    return 1


def _babble(control: socket.socket, _: PlannerConfig) -> int:
    control.send(b"nonsense")
    return signal.sigwait([signal.SIGTERM])


def _wait(_control: socket.socket, _config: PlannerConfig) -> int:
    return signal.sigwait([signal.SIGTERM])


def _end(_control: socket.socket, _config: PlannerConfig) -> int:
    return 7


CASES: Mapping[str, Callable[[socket.socket, PlannerConfig], int]] = {
    "stands": _stand,
    "stands_for_ever": _stand_for_ever,
    "hangs": _hang,
    "refuses": _refuse,
    "babbles": _babble,
    "waits": _wait,
    "ends": _end,
}


def main() -> int:
    """Exit status as the case has it."""
    control, keys = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    config = PlannerConfig.from_wire(orjson.loads(control.recv(1 << 18)))
    orjson.loads(os.pread(keys, 1 << 16, 0))
    os.close(keys)
    return CASES[config.mock.rpartition(".")[2]](control, config)


if __name__ == "__main__":
    sys.exit(main())
