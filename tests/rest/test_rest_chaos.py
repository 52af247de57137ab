"""Two hundred clients change one session while its processes are killed at random: nothing that was
acknowledged is lost, nothing is done twice, and only what was in flight fails.

The suite's run takes some twenty seconds. The long form is ``scripts/chaos.sh --minutes N [--seed SEED]``, or
this test with ``CHAOS_MINUTES`` and ``CHAOS_SEED`` in the environment. The seed decides what is killed when
and what each client asks; how that interleaves is the scheduler's choice: a seed repeats a plan, not a run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.rest.bound import data_file, holders
from tests.rest.chaos import Asked, Caller, Client
from tests.rest.clients import session_id
from tests.rest.ledger import COUNTERS, Answer, Body, Ledger
from tests.service_process import NO_TLS
from tests.supervisor.processes import Process, children, tree
from tests.supervisor.serving import PATIENCE, Service, serving, wait_until

MINUTES = float(os.environ.get("CHAOS_MINUTES", "0.2"))
SEED = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))
CLIENTS = 200
BACK_WITHIN = 2.0
# A request may be on its way to a process whose death nobody has noticed yet.
NOTICED_WITHIN = 0.5
SESSION = session_id("chaos")
PAGE = 1000
DECK = ["worker"] * 8 + ["zygote"] * 2 + ["front"] * 2 + ["supervisor"]
# How many requests one death may cost. A zygote may hold the session's worker of each front.
COSTS = {"worker": 1, "zygote": 2, "front": CLIENTS, "supervisor": CLIENTS}


@dataclass(slots=True)
class Blow:
    """One kill. Times are of ``time.monotonic()``; ``back``: the first good answer to a later request."""

    what: str
    fell: float
    back: float = 0.0
    failures: list[Answer] = field(default_factory=list)

    @property
    def noticed(self) -> float:
        """From when on no request may fail for it."""
        return self.back if self.what == "supervisor" else self.fell + NOTICED_WITHIN

    def __str__(self) -> str:
        hows = dict(Counter(failure.how for failure in self.failures))
        return f"{self.what}: back after {self.back - self.fell:.2f} s, failed {hows}"


class Chaos:
    """One service at a time over the same data, its clients, and what strikes it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.ledger = Ledger()
        self.blows: list[Blow] = []
        self._directory = directory
        self._stack = stack
        self._chance = random.Random(SEED)
        self._up = asyncio.Event()
        self._over = False
        self._starts = 0
        self._deck: list[str] = []
        self._family: list[Process] = []
        self.service = self._start()
        self._up.set()

    async def run(self, seconds: float) -> None:
        """Strike for so long, then let every client finish what it has begun."""
        end = time.monotonic() + seconds
        await self._prepare()
        clients = [self._client(number) for number in range(CLIENTS)]
        tasks = [asyncio.create_task(self._live(client)) for client in clients]
        try:
            await asyncio.to_thread(self._answered)
            while time.monotonic() < end or len(self.blows) < len(DECK):
                await asyncio.sleep(self._chance.uniform(0.05, 0.6))  # the random point
                await self._strike()
                assert not self.ledger.faults, self.ledger.faults[:3]
        finally:
            self._over = True
            self._up.set()
            await asyncio.gather(*tasks)
            for client in clients:
                await client.close()
        self._blame()

    async def verify(self) -> None:
        """Compare all that is there with the ledger."""
        caller = Caller(self.ledger, lambda: self.service.url, SESSION)
        found: list[Body] = []
        while True:
            page = await caller.ask(Asked("GET", f"/notes?sort=id&limit={PAGE}&offset={len(found)}"))
            found += page.body["items"]
            if len(page.body["items"]) < PAGE:
                break
        self.ledger.expect(page.body["page"]["total"] == len(found), f"{len(found)} records: {page.how}")
        self.ledger.check_notes(found)
        for number in range(1, COUNTERS + 1):
            counter = await caller.ask(Asked("GET", f"/counters/{number}"))
            self.ledger.check_tally(number, counter.body["n"])
        own = (await caller.ask(Asked("GET", f"/_/sessions/{SESSION}"))).body["collections"]["notes"]
        self.ledger.expect(own["records"] == len(found), f"{len(found)} records, counted as {own['records']}")
        self.ledger.expect(own["next_id"] > max(self.ledger.ids), f"next id {own['next_id']} was given out")
        await caller.close()
        assert not self.ledger.faults, self.ledger.faults[:3]

    def restart(self) -> None:
        """Kill the supervisor and start another."""
        blow = self._blow("supervisor")
        assert blow is not None
        self._succeed()
        blow.back = time.monotonic()

    def _succeed(self) -> None:
        """Start another service at once; the children of the dead supervisor go with it."""
        family = self._family
        self.service = self._start()
        wait_until(lambda: not any(member.lives for member in family), "all of the old service are dead")

    @property
    def data(self) -> Path:
        """The session's file."""
        return data_file(self._directory / "data", SESSION)

    def _start(self) -> Service:
        self._starts += 1
        return self._stack.enter_context(
            serving(
                self._directory / f"service{self._starts}",
                LARS_DATA_ROOT=str(self._directory / "data"),
                LARS_FRONTS="2",
                LARS_POOL_SIZE="2",
            )
        )

    async def _prepare(self) -> None:
        caller = Caller(self.ledger, lambda: self.service.url, SESSION)
        for number in range(1, COUNTERS + 1):
            made = await caller.ask(Asked("POST", "/counters", {"id": number, "n": 0}))
            assert made.how == "201", made
        await caller.close()

    def _client(self, number: int) -> Client:
        chance = random.Random(f"{SEED}.{number}")
        return Client(self.ledger, lambda: self.service.url, SESSION, self._up, chance)

    async def _live(self, client: Client) -> None:
        while not self._over:
            await client.act()

    # -- blows -------------------------------------------------------------------------------------------

    async def _strike(self) -> None:
        """In a thread: the clients go on meanwhile, and there is something in flight when it falls."""
        blow = await asyncio.to_thread(self._blow, self._draw())
        if blow is None:
            return
        if blow.what == "supervisor":
            self._up.clear()
            await asyncio.to_thread(self._succeed)
            self._up.set()
            blow.back = time.monotonic()
        else:
            blow.back = await asyncio.to_thread(self._answered)

    def _draw(self) -> str:
        if not self._deck:
            self._deck = self._chance.sample(DECK, len(DECK))
        return self._deck.pop()

    def _blow(self, what: str) -> Blow | None:
        """None when there is just now nobody to kill."""
        victims = self._victims(what)
        if not victims:
            return None
        victim = self._chance.choice(victims)
        if what == "supervisor":
            self._family = tree(victim)
        blow = Blow(what, time.monotonic())
        victim.kill()
        self.blows.append(blow)
        return blow

    def _victims(self, what: str) -> list[Process]:
        """Who serves the session. Of zygotes and fronts none while the other is missing: one that has died
        several times is replaced later, on purpose."""
        if what == "supervisor":
            return [self.service.supervisor]
        if what == "front":
            fronts = [front for front in self.service.fronts if catches(front, signal.SIGTERM)]
            return fronts if len(fronts) == 2 else []
        bound = holders(self.data)
        if what == "worker":
            return bound
        forked = {zygote: children(zygote) for zygote in self.service.zygotes}
        if sum(map(bool, forked.values())) < 2:
            return []
        return [zygote for zygote, workers in forked.items() if set(workers) & set(bound)]

    def _answered(self) -> float:
        """When a request that is sent from now on is first answered well. Asked in a thread: the clients' own
        event loop is behind in time with what it has been answered."""
        wait_until(self._serves, "an answer")
        return time.monotonic()

    def _serves(self) -> bool:
        with httpx.Client(base_url=self.service.url, timeout=PATIENCE, verify=NO_TLS) as client:
            try:
                return client.get("/counters/1", headers={"X-Session-ID": SESSION}).status_code == 200
            except httpx.TransportError:
                return False

    def _blame(self) -> None:
        """Give every failure to the last blow that it can be from."""
        for failure in self.ledger.failures:
            causes = [
                blow for blow in self.blows if blow.fell <= failure.came and failure.sent <= blow.noticed
            ]
            if self.ledger.expect(bool(causes), f"failed without a cause: {failure}"):
                causes[-1].failures.append(failure)


def catches(victim: Process, number: signal.Signals) -> bool:
    """Whether it handles this signal: a front does when it serves (proc_pid_status(5), SigCgt)."""
    try:
        status = Path(f"/proc/{victim.pid}/status").read_text()
    except OSError:
        return False
    (mask,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(mask >> (number - 1) & 1)


def report(chaos: Chaos) -> None:
    """To stdout: what was asked, what was killed, what came of it."""
    ledger = chaos.ledger
    doubtful = sum(len(note.possible) > 1 for note in ledger.notes.values())
    tallies = ledger.tallies.values()
    lines = [
        f"seed {SEED}",
        f"requests: {ledger.counts.total()} {dict(ledger.counts.most_common())}",
        f"records: {len(ledger.notes)} ({doubtful} in doubt), ids given out: {len(ledger.ids)}",
        f"increments acknowledged: {sum(len(tally.acknowledged) for tally in tallies)}",
        f"increments in doubt: {sum(len(tally.doubtful) for tally in tallies)}",
        f"blows: {dict(Counter(blow.what for blow in chaos.blows))}",
        *map(str, chaos.blows),
        f"faults: {ledger.faults[:10]}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


@pytest.mark.timeout(120 + 90 * MINUTES)
async def test_nothing_is_lost_whatever_is_killed(tmp_path: Path) -> None:
    with ExitStack() as stack:
        chaos = Chaos(tmp_path, stack)
        try:
            await chaos.run(60 * MINUTES)
            await chaos.verify()
            chaos.restart()
            await chaos.verify()
        finally:
            report(chaos)
        assert {blow.what for blow in chaos.blows} == set(COSTS)
        for blow in chaos.blows:
            assert len(blow.failures) <= COSTS[blow.what], str(blow)
            assert blow.what == "supervisor" or blow.back - blow.fell < BACK_WITHIN, str(blow)
        assert chaos.service.stop() == 0
        with sqlite3.connect(chaos.data) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
