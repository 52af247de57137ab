"""A fault of the service is logged with its traceback, and without the key of the request that met it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.access.key_text import make_key
from tests.access.keyed import COMMAND_SECONDS
from tests.service_process import ROOT
from tests.support import wait_until


@dataclass(frozen=True, slots=True)
class Faulty:
    """A running front with faults, its key, and what it has logged."""

    url: str
    key: str
    log: Path

    def ask(self, fault: str, **headers: str) -> str:
        """What the caller is told, as far as it comes."""
        with httpx.Client(base_url=self.url, trust_env=False, timeout=COMMAND_SECONDS) as client:
            try:
                answer = client.get(f"/_/{fault}", headers={"X-API-Key": self.key, **headers})
            except httpx.RemoteProtocolError as error:
                return str(error)
            return f"{answer.status_code} {answer.text} {answer.headers}"

    def logged(self, *words: str) -> str:
        """The log, when it has all these words and the line of the request."""

        def ready() -> bool:
            text = self.log.read_text()
            return "request_id" in text and all(word in text for word in words)

        wait_until(ready, f"a log with {words}")
        return self.log.read_text()


@pytest.fixture(params=["json", "console"])
def faulty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Faulty]:
    key = make_key("prod").text
    own = {"LARS_AUTH_TOKEN": key, "LARS_LOG_FORMAT": request.param, "LARS_DATA_ROOT": str(tmp_path / "data")}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.access.faulty_front", str(listener.fileno())],
            cwd=ROOT,
            env={**environ, **own, "LARS_LOG_LEVEL": "debug"},
            pass_fds=[listener.fileno()],
            stderr=stderr,
        )
        url = "http://{}:{}".format(*listener.getsockname())
    try:
        yield Faulty(url, key, log)
    finally:
        process.kill()
        process.wait()


def test_a_traceback_has_no_key(faulty: Faulty) -> None:
    """Whether there was an answer yet or not. That of the server's own is one of them."""
    secret = faulty.key.split("_")[3]
    said = faulty.ask("early") + faulty.ask("late", Authorization=f"Bearer {faulty.key}")
    assert said.startswith("500 ")
    assert "internal_error" in said
    log = faulty.logged(
        "unhandled_error",
        "a fault in a request",
        "error_after_response_started",
        "a fault in an answer",
        "Exception in ASGI application",
    )
    assert log.count("Traceback") >= 3
    assert secret not in log + said


def test_control_a_key_that_a_fault_tells_is_found(faulty: Faulty) -> None:
    """That is how the search would find one; the caller is not told it even then."""
    said = faulty.ask("told")
    assert said.startswith("500 ")
    assert faulty.key not in said
    assert faulty.key in faulty.logged("unhandled_error", "RuntimeError")
