"""A real Redis, on a socket in a directory of its own. Where none is installed, what needs it is skipped."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wait_until

PASSWORD = "hush-hush"
_SHUTDOWN_SECONDS = 20


class RedisServer:
    """One that keeps nothing on the disk, and may be stopped and started again."""

    def __init__(self, program: str, directory: Path) -> None:
        self._command = [
            *(program, "--port", "0", "--unixsocket", str(directory / "redis"), "--dir", str(directory)),
            *("--save", "", "--appendonly", "no", "--requirepass", PASSWORD, "--daemonize", "no"),
        ]
        self._directory = directory
        self.url = f"unix://:{PASSWORD}@{directory}/redis"
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        """Return when it can be asked."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        try:
            wait_until(self._answers, "Redis answers", 20)
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        """What it held is gone."""
        self._process.terminate()
        self._process.wait(_SHUTDOWN_SECONDS)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self._directory / "redis"))
                client.sendall(b"AUTH " + PASSWORD.encode() + b"\r\n")
                return client.recv(64) == b"+OK\r\n"
            except OSError:
                return False


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One for all tests; each uses keys of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: redis-server)")
    with tempfile.TemporaryDirectory(
        prefix="lars-redis-"
    ) as directory:  # short: a socket's path has 107 bytes
        server = RedisServer(program, Path(directory))
        yield server
        server.stop()
