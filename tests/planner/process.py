"""The planner's real process, with this one in the place of supervisor and fronts."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from sandbox_runtime import wire
from sandbox_runtime.planner.guard import Origin
from sandbox_runtime.planning import MAX_MESSAGE_BYTES, Answer, Ask, PlannerConfig, Standing
from seccomp import compile_profile

ROOT = Path(__file__).resolve().parents[2]
FLOOR = ("seccomp", "no_new_privs", "capabilities", "not_dumpable")
SECONDS = 20.0  # within which all has to happen


@dataclass(slots=True)
class Front:
    """One line to a planner."""

    end: socket.socket
    _decoder: wire.Decoder = field(
        default_factory=lambda: wire.Decoder({wire.Kind.ANSWER: MAX_MESSAGE_BYTES})
    )
    _answers: list[Answer] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, task: str, given: Mapping[str, Any], **others: Any) -> int:
        """Ask; the number that the answer will have."""
        number = next(self._numbers)
        usual: dict[str, Any] = {"seconds": 10.0, "tokens": 50_000}
        ask = Ask(number, task, given, **{**usual, **others})  # type: ignore[arg-type]
        self.end.sendall(wire.encode_json(wire.Kind.ASK, ask))
        return number

    def receive(self) -> Answer | None:
        """The next answer, or None when the line has ended."""
        while not self._answers:
            data = self.end.recv(65536)
            if not data:
                return None
            frames = self._decoder.feed(data)
            self._answers += [Answer.from_wire(wire.decode_object(frame)) for frame in frames]
        return self._answers.pop(0)

    def ask(self, task: str, given: Mapping[str, Any], **others: Any) -> Answer:
        """Ask and wait."""
        number = self.send(task, given, **others)
        answer = self.receive()
        assert answer is not None, "the planner has ended the line"
        assert answer.id == number
        return answer


@dataclass(slots=True)
class Planner:
    """A process that has said hello."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    standing: Standing
    log: Path

    @contextmanager
    def front(self) -> Iterator[Front]:
        """A new line."""
        ours, theirs = socket.socketpair()
        with ours:
            ours.settimeout(SECONDS)
            with theirs:
                socket.send_fds(self.control, [b"front"], [theirs.fileno()])
            yield Front(ours)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [orjson.loads(line) for line in self.log.read_bytes().splitlines()]


def confined(config: PlannerConfig) -> PlannerConfig:
    """With the ports that its URLs need, and its filter, as the service says them."""
    urls = [config.otlp, *(each.base_url for each in config.providers)]
    ports = tuple(sorted({Origin.of(url).port for url in urls if url}))
    return replace(config, ports=ports, filter=compile_profile("planner").hex(), floor=FLOOR)


def hello(
    log: Path, config: PlannerConfig, keys: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], socket.socket, dict[str, Any]]:
    """Start one; the process, the control socket, and the first thing it says."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(SECONDS)
    descriptor = os.memfd_create("keys")
    os.write(descriptor, orjson.dumps(keys))
    with theirs, log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox_runtime.planner", str(theirs.fileno()), str(descriptor)],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stderr=stderr,
            pass_fds=(theirs.fileno(), descriptor),
        )
    os.close(descriptor)
    ours.send(orjson.dumps(asdict(confined(config))))
    said = ours.recv(65536)
    return process, ours, orjson.loads(said) if said else {}


@contextmanager
def planner(
    directory: Path,
    config: PlannerConfig,
    keys: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Planner]:
    """Until the end of the with statement, where it ends by itself and with status 0."""
    log = directory / "planner.log"
    process, control, said = hello(log, config, keys or {}, environ)
    with control:
        try:
            assert said.get("t") == "hello", (said, log.read_text("utf-8"))
            yield Planner(process, control, Standing.from_wire(said), log)
        finally:
            control.shutdown(socket.SHUT_RDWR)
            try:
                status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
    assert status == 0, log.read_text("utf-8")
