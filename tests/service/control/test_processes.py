"""Several processes at once on one database, and processes that are killed in the middle. Both databases."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.access.principal import Key
from service.control.control import Control
from tests.service.control.made import rows
from tests.support import PATIENCE

ROOT = Path(__file__).resolve().parents[3]
PROCESSES = 4
ROUNDS = 8
Changed = tuple[str, str, bool]
Process = subprocess.Popen[str]


@contextmanager
def changers(
    count: int, rounds: int, environ: dict[str, str], changer: str = "changer"
) -> Iterator[list[Process]]:
    """That many processes which change keys, or something else; killed when the block ends."""
    command = [sys.executable, "-m", f"tests.service.control.{changer}", str(rounds)]
    settings = {**os.environ, **environ, "LARS_LOG_LEVEL": "error"}
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def acknowledged(lines: Iterable[str]) -> dict[str, Changed]:
    """The last that was told of each key."""
    changes = [json.loads(line) for line in lines if line.endswith("\n")]
    return {key_id: (key_id, digest, revoked) for key_id, digest, revoked in changes}


def as_told(key: Key) -> Changed:
    return key.id, key.digest.hex(), key.revoked is not None


async def poll(control: Control, ended: asyncio.Event) -> dict[str, Key]:
    """What somebody knows who asks for changes all the time, and never for the whole."""
    known: dict[str, Key] = {}
    revision, last = 0, False
    while not last:
        last = ended.is_set()  # once more after the end
        changes = await control.keys.changes_since(revision)
        assert all(key.revision > revision for key in changes.keys)
        known |= {key.id: key for key in changes.keys}
        revision = changes.revision
    return known


async def test_nothing_is_lost_between_processes(control: Control, made: dict[str, str]) -> None:
    """Every acknowledged change is there, who polls misses none, and the log has each and verifies."""
    ended = asyncio.Event()
    with changers(PROCESSES, ROUNDS, made) as processes:
        polling = asyncio.create_task(poll(control, ended))
        outputs = await asyncio.gather(
            *(asyncio.to_thread(process.communicate, timeout=PATIENCE) for process in processes)
        )
        ended.set()
        known = await polling
        assert [process.returncode for process in processes] == [0] * PROCESSES
    told = acknowledged(line for output, _ in outputs for line in output.splitlines(keepends=True))
    stored = {key.id: key for key in await control.keys.list(limit=1000)}
    assert len(stored) == PROCESSES * ROUNDS
    assert {key.id: as_told(key) for key in stored.values()} == told
    assert known == stored
    changes = PROCESSES * (2 * ROUNDS + ROUNDS // 2)
    assert (await control.keys.changes_since(0)).revision == changes
    verdict = await control.check_audit()
    assert (verdict.count, verdict.fault) == (changes + PROCESSES * ROUNDS, None)


async def test_a_process_that_is_killed(control: Control, made: dict[str, str]) -> None:
    """At any moment: what it acknowledged is there, nothing is half there, and the log verifies."""
    told: dict[str, Changed] = {}
    with changers(2, 10**6, made) as processes:
        for number, process in enumerate(processes):
            assert process.stdout is not None
            lines = [await asyncio.to_thread(process.stdout.readline) for _ in range(8 + 5 * number)]
            process.kill()
            lines += await asyncio.to_thread(process.stdout.readlines)
            told |= acknowledged(lines)
    verdict = await control.check_audit()
    assert verdict.fault is None
    stored = {key.id: key for key in await control.keys.list(limit=1000)}
    assert set(told) <= set(stored)
    for key_id, (_, digest, revoked) in told.items():  # a change may be committed and not yet told
        key = stored[key_id]
        assert digest in {key.digest.hex(), (key.previous or b"").hex()}
        assert key.revoked is not None or not revoked
    recorded = await rows(
        control, "SELECT target, count(*) FROM lars_audit WHERE action LIKE 'key.%' GROUP BY 1"
    )
    assert dict(recorded) == {
        key.id: 1 + (key.rotated is not None) + (key.revoked is not None) for key in stored.values()
    }
