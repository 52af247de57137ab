"""The peer json-server 1 (npm), where somebody has installed it. Nothing is ever downloaded.

It has one set of data and no sessions: each of the mix's sessions is a collection of its own. It keeps the
data in memory and writes them all to one file after changes, without waiting for the disk.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from scripts.benchmark import mix, processes
from scripts.benchmark.asking import ask
from scripts.benchmark.load import Ask

_VERSION = "1."
_SECONDS = 20.0
_NAME = "json-server"


@dataclass(frozen=True, slots=True)
class Found:
    """Its executable, and the version that it says it is."""

    command: Path
    version: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Why it is not measured."""

    why: str


def find() -> Found | Missing:
    """On PATH, or below node_modules of the working directory or of this repository."""
    if shutil.which("node") is None:
        return Missing("there is no node on PATH")
    own = [str(base / "node_modules" / ".bin") for base in (Path.cwd(), processes.ROOT)]
    command = shutil.which(_NAME) or shutil.which(_NAME, path=os.pathsep.join(own))
    if command is None:
        return Missing(f"{_NAME} is neither on PATH nor in node_modules; npm install {_NAME}@1 puts it there")
    return judged(Path(command), _version(command))


def judged(command: Path, said: str) -> Found | Missing:
    """By what it says its version is."""
    version = said.strip()
    if not version.startswith(_VERSION):
        return Missing(f"{command} says it is version {version[:40]!r}, the row compares with version 1")
    return Found(command, version)


def _version(command: str) -> str:
    done = subprocess.run(
        [command, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return done.stdout


def places() -> list[mix.Place]:
    """A collection for each session."""
    ids = [str(number) for number in range(1, mix.RECORDS + 1)]
    return [mix.Place("", f"/notes{number}", ids) for number in range(mix.SESSIONS)]


def content() -> dict[str, list[dict[str, object]]]:
    """What ``mix.content`` is for each session, in one file. Its ids are texts."""
    records = [{**record, "id": str(record["id"])} for record in mix.content()["notes"]]
    return {place.notes.removeprefix("/"): records for place in places()}


@contextmanager
def running(found: Found) -> Iterator[int]:
    """Its port."""
    port = processes.free_port()
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "db.json"
        file.write_bytes(orjson.dumps(content()))
        command = [str(found.command), str(file), "--host", "127.0.0.1", "--port", str(port)]
        with processes.running(command, directory):
            _wait_for(port)
            yield port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            ask(port, Ask("", "GET", f"{places()[0].notes}/1"))
        except processes.BenchError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def renew(port: int) -> None:
    """Delete what the mix has created. Records that it has only changed are of the same size as before."""
    for place in places():
        kept = set(place.ids)
        for record in orjson.loads(ask(port, Ask("", "GET", place.notes))):
            if record["id"] not in kept:
                ask(port, Ask("", "DELETE", f"{place.notes}/{record['id']}"))
