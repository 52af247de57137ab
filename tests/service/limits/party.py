"""One process of several that share a table: ``python -m tests.service.limits.party DESCRIPTOR COMMAND ...``

count LIMIT SECONDS UNTIL   admit requests to a window, as fast as it goes, until then; print when each was
times LIMIT TRIES AT        after a line of stdin the same so often, all at that time; print how many were
hold LIMIT RUNS             begin so many runs, print how many could be, and wait for the end of stdin
again LIMIT                 begin one run, print whether it could be, and once more after each line of stdin
grip                        hold the lock of a key, say so, and wait for the end of stdin
once                        say that it stands; after a line of stdin make one request, and say so
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from service.limits.limiter import Limiter
from service.limits.memory_store import MemoryStore
from service.limits.quotas import quotas_of
from service.limits.rates import Rates, Window
from service.limits.shared_table import SharedTable
from tests.service.limits.clock import principal

NAME = "key:one"


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def count(store: MemoryStore, limit: int, seconds: int, until: float) -> None:
    ledger = store.ledger(quotas_of(NAME, Rates((Window(limit, seconds, ""),))))
    admitted = []
    while time.time() < until:
        standing = await ledger.admit(False)
        if not standing.refused:
            admitted.append(standing.now)
    say(admitted)


async def times(store: MemoryStore, limit: int, tries: int, at: float) -> None:
    store.clock = lambda: at
    say("stands")
    sys.stdin.readline()
    ledger = store.ledger(quotas_of(NAME, Rates((Window(limit, 60, ""),))))
    say(sum([not (await ledger.admit(False)).refused for _ in range(tries)]))


async def hold(store: MemoryStore, limit: int, runs: int) -> None:
    ledger = store.ledger(quotas_of(NAME, Rates(concurrent=limit)))
    say(sum([not (await ledger.admit(True)).refused for _ in range(runs)]))
    sys.stdin.read()


async def again(store: MemoryStore, limit: int) -> None:
    ledger = store.ledger(quotas_of(NAME, Rates(concurrent=limit)))
    say(not (await ledger.admit(True)).refused)
    while sys.stdin.readline():
        say(not (await ledger.admit(True)).refused)


async def grip(store: MemoryStore) -> None:
    with store.table.locked(store.table.stripe(NAME)):
        say("held")
        sys.stdin.read()


async def once(store: MemoryStore) -> None:
    say("stands")
    sys.stdin.readline()
    await Limiter(store).admit(principal("1/hour", name=NAME), runs=True)
    say("admitted")


async def main() -> None:
    descriptor, command, *numbers = sys.argv[1:]
    store = MemoryStore(SharedTable(int(descriptor)))
    commands = {"count": count, "times": times, "hold": hold, "again": again, "grip": grip, "once": once}
    await commands[command](store, *(json.loads(number) for number in numbers))  # type: ignore[operator]
    await store.close()


asyncio.run(main())
