"""A real PostgreSQL for tests: in a directory of its own, on a Unix socket, without fsync."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

from tests.support import wait_until

USER = "lars"
PASSWORD = "hush-hush/é"  # with what a URL has to encode
_NUMBERS = count(1)
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "timezone=UTC",
)


def binaries() -> Path | None:
    """Where Debian's package has put the newest server; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return found[-1].parent if found else None


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``directory`` has its socket."""

    directory: Path
    programs: Path

    def make_database(self, template: str = "template1") -> str:
        """The name of a new database that ``USER`` owns: empty, or as another is to which nobody is
        connected."""
        name = f"control{next(_NUMBERS)}"
        self.sql("postgres", f"CREATE DATABASE {name} OWNER {USER} TEMPLATE {template}")
        return name

    def url(self, database: str, password: str = PASSWORD) -> str:
        """As an operator would write it."""
        return f"postgresql://{USER}:{quote(password, safe='')}@/{database}?host={self.directory}"

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Its processes neither answer nor end until the block does."""
        pids = [int(line) for line in self.sql("postgres", "SELECT pid FROM pg_stat_activity").split()]
        pids.append(int((self.directory / "data" / "postmaster.pid").read_text().split()[0]))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # the connection that asked
                os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def sql(self, database: str, statement: str) -> str:
        """What ``psql`` prints, as superuser."""
        command = [str(self.programs / "psql"), "-h", str(self.directory), "-U", "postgres", "-d", database]
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
        return done.stdout


@contextmanager
def postgresql(programs: Path) -> Iterator[Server]:
    """A server that runs until the block ends. /tmp: a socket's path has at most 107 bytes (unix(7))."""
    directory = Path(tempfile.mkdtemp(prefix="lars-pg-", dir="/tmp"))
    try:
        as_owner = _as_owner(directory)
        data = directory / "data"
        rules = f"local all {USER} scram-sha-256\nlocal all all trust\n"
        making = [*as_owner, str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
        subprocess.run([*making, "-E", "UTF8", "--locale=C", "--no-sync"], check=True, capture_output=True)
        (data / "pg_hba.conf").write_text(rules)
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        with (directory / "log").open("wb") as log:
            running = [
                *as_owner,
                str(programs / "postgres"),
                "-D",
                str(data),
                "-k",
                str(directory),
                *settings,
            ]
            process = subprocess.Popen(running, stdout=log, stderr=log, cwd=directory)
        try:
            server = Server(directory, programs)
            wait_until(lambda: _answers(server, process), "PostgreSQL that answers")
            server.sql("postgres", f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # its immediate shutdown: nothing is to be kept
            process.wait(20)
    finally:
        shutil.rmtree(directory)


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, (server.directory / "log").read_text()
    command = [str(server.programs / "pg_isready"), "-q", "-h", str(server.directory)]
    return subprocess.run(command, check=False).returncode == 0


def _as_owner(directory: Path) -> list[str]:
    """What to put before a command: the server refuses to be root."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam("postgres")
    os.chown(directory, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
