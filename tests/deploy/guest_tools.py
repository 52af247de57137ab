"""What the checks inside a booted system use. Runs on the Python of that system: nothing but its library."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PORT = 8080
PROGRAM = "import time; time.sleep(0.1); print(6 * 7)"
NO_HEADERS: Mapping[str, str] = {}
# A virtual machine without hardware is ten times slower, and whatever runs beside it makes it slower still.
IN_VM = os.environ.get("TEST_PLACE") == "vm"
DEADLINE = 300.0 if IN_VM else 120.0
CLIENTS = 1 if IN_VM else 4
PAUSE = 0.5 if IN_VM else 0.0  # of each client, after an answer: the service has limits of time to keep, too


def say(line: str) -> None:
    """To whoever watches."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(*command: str, status: int = 0) -> str:
    """Its output, standard error included; AssertionError where it ends otherwise."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == status, f"{' '.join(command)} ended with {done.returncode}: {done.stdout}"
    return done.stdout


def show(unit: str, name: str) -> str:
    """A property of a unit."""
    return run("systemctl", "show", f"--property={name}", "--value", unit).strip()


def main_pid() -> int:
    """The supervisor of the service, 0 where it does not run."""
    return int(show("lars.service", "MainPID"))


def children(pid: int) -> list[int]:
    """The processes that it has started and that run."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def fronts() -> set[int]:
    """The front processes of the service."""
    found = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(main_pid())}
    return {pid for pid, words in found.items() if b"service.front" in words}


def ask(
    method: str, path: str, body: object = None, headers: Mapping[str, str] = NO_HEADERS, port: int = PORT
) -> tuple[int, Any]:
    """Status and JSON of one request on a connection of its own. ``body``: JSON, or bytes as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body)
    try:
        connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """AssertionError where it does not come true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {DEADLINE} s"
        time.sleep(0.05)


@dataclass(slots=True)
class Load:
    """What clients that never stop asking were answered. ``answers``: by status, or by the error instead."""

    answers: Counter[str] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def ask_on(self, headers: Mapping[str, str]) -> None:
        """Programs that take a moment, one connection each, until the end."""
        while not self.ended.is_set():
            try:
                status, body = ask("POST", "/execute", {"code": PROGRAM}, headers)
                right = status == 200 and body["stdout"] == "42\n"
                self.answers["right" if right else f"{status} {body}"] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[repr(error)] += 1
            self.ended.wait(PAUSE)

    def count(self) -> int:
        """Answers and errors so far."""
        return sum(self.answers.values())


@contextmanager
def load(headers: Mapping[str, str]) -> Iterator[Load]:
    """Clients that ask while the block runs: some have been answered before it and after it, and none was let
    down."""
    asked = Load()
    threads = [threading.Thread(target=asked.ask_on, args=(headers,)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: asked.count() >= CLIENTS, "the first answers")
        yield asked
        before = asked.count()
        wait_until(lambda: asked.count() >= before + 2 * CLIENTS, "answers after it")
    finally:
        asked.ended.set()
        for thread in threads:
            thread.join()
    assert set(asked.answers) == {"right"}, asked.answers
