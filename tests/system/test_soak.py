"""Mixed load for a while leaves a service as it was: memory, descriptors, processes, temporary files, times.

The suite's run takes some seconds and looks at what can be seen in them. The long form, which has the bounds
on memory and latency, is ``scripts/soak.sh --minutes N``, or this test with ``SOAK_MINUTES`` set.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from scripts.benchmark.load import Ask, Plan, Result
from scripts.benchmark.processes import load
from scripts.benchmark.stats import percentile
from tests.access.keyed import make_key, with_key
from tests.functions.api import ADD, hash_of, load_body
from tests.supervisor.serving import Service, serving, wait_until

MINUTES = float(os.environ.get("SOAK_MINUTES", "0.05"))
IS_LONG = MINUTES >= 3
THIRDS = 3
RATE = 150.0  # requests per second: about a third of what two cores can do
CONNECTIONS = 64
SESSIONS = 50 if IS_LONG else 5
HASH = hash_of(__name__)
NOTES = [{"id": number, "title": f"note {number}", "rank": number} for number in range(1, 11)]
IDLE = 4
GROWTH = 1.05  # of memory from the first third to the last, and
SLACK = 4 << 20  # bytes beside that, for each process
P99_GROWTH = 1.2
NOISE = 0.010  # seconds by which a p99 may differ without meaning anything


@dataclass(frozen=True, slots=True)
class State:
    """What a service has at rest. ``memory``: private bytes, of the supervisor, each front, each zygote."""

    processes: int
    descriptors: tuple[int, ...]
    memory: tuple[int, ...]
    temporary: tuple[str, ...]


def mix(key: str) -> tuple[Ask, ...]:
    """Programs that end in every way, records that change and do not grow in number, calls of a function."""
    asks: list[Ask] = []
    for number in range(SESSIONS):
        session, note = f"soak-{number}", f"/notes/{number % 10 + 1}"
        text = orjson.dumps({"title": f"note {number}", "rank": number}).decode()
        asks += [
            Ask("execute", "POST", "/execute", '{"code": "result = sum(range(1000))"}', key=key),
            Ask("put", "PUT", note, text, session, key),
            Ask("get", "GET", note, "", session, key),
            Ask("patch", "PATCH", note, '{"rank": 1}', session, key),
            Ask("list", "GET", "/notes?_limit=5", "", session, key),
            Ask("function", "POST", f"/function/{HASH}/add", '{"a": 5}', key=key),
        ]
        if number % 10 == 0:
            asks += [
                Ask("raise", "POST", "/execute", '{"code": "1/0"}', key=key),
                Ask("timeout", "POST", "/execute", '{"code": "while True: pass", "timeout": 0.1}', key=key),
                Ask("exit", "POST", "/execute", '{"code": "import os; os._exit(3)"}', key=key),
                Ask("unknown", "GET", "/execute/unknown", key=key),
            ]
    return tuple(asks)


def begin(service: Service, key: str, asks: tuple[Ask, ...]) -> None:
    """Records, the function, and every plan once."""
    with httpx.Client(base_url=service.url, headers=with_key(key), timeout=30.0) as client:
        client.put(f"/uploads/{HASH}/agent.py", content=ADD).raise_for_status()
        client.post("/load-function", json=load_body(HASH, "add")).raise_for_status()
        for number in range(SESSIONS):
            answer = client.post(f"/_/sessions/soak-{number}/import", json={"notes": NOTES})
            assert answer.status_code == 200, answer.text
    port = int(service.url.rpartition(":")[2])
    load(Plan(port, "/", "", CONNECTIONS, 10.0 if IS_LONG else 0.5, RATE, asks))


def at_rest(service: Service, directory: Path) -> State:
    """When it has as many idle workers as it keeps, and no others but those that are bound for a while."""
    wait_until(lambda: len(service.workers) >= IDLE, "idle workers")
    lasting = [service.supervisor, *service.fronts, *(service.zygotes if os.geteuid() == 0 else [])]
    return State(
        1 + len(service.fronts) + len(service.zygotes),
        tuple(process.descriptors for process in lasting[:1]),
        tuple(process.memory for process in lasting),
        tuple(sorted(path.name for path in (directory / "tmp").iterdir())),
    )


def told(result: Result) -> dict[str, int]:
    """Answers by status."""
    return {status: len(seconds) for status, seconds in sorted(result.latencies.items())}


def test_nothing_grows(tmp_path: Path) -> None:
    """Three stretches of the same load; after the last the service is what it was after the first."""
    seconds = MINUTES * 60 / THIRDS
    key = make_key(tmp_path / "data", "--scope", "*")
    settings = {"LARS_FRONTS": "2", "LARS_ZYGOTES": "2", "LARS_POOL_SIZE": str(IDLE // 2)}
    asks = mix(key)
    with serving(tmp_path, **settings) as service:
        begin(service, key, asks)
        port = int(service.url.rpartition(":")[2])
        results, states = [], []
        for _ in range(THIRDS):
            results.append(load(Plan(port, "/", "", CONNECTIONS, seconds, RATE, asks)))
            states.append(at_rest(service, tmp_path))
        first, last = states[0], states[-1]
        sys.stdout.write(f"\n{[told(result) for result in results]}\n{first}\n{last}\n")
        for result in results:
            assert set(result.latencies) == {"200", "404"}, told(result)
            assert result.unanswered == 0
        assert (last.processes, last.descriptors, last.temporary) == (first.processes, first.descriptors, ())
        if IS_LONG:
            _check_long(states, results)
        assert service.stop() == 0


def _check_long(states: list[State], results: list[Result]) -> None:
    first, last = states[0], states[-1]
    for before, after in zip(first.memory, last.memory, strict=True):
        assert after <= before * GROWTH + SLACK, (first.memory, last.memory)
    for name in results[0].named:
        early, late = (percentile(result.named[name], 0.99) for result in (results[0], results[-1]))
        sys.stdout.write(f"{name}: p99 {early * 1000:.1f} ms, then {late * 1000:.1f} ms\n")
        assert late <= max(early * P99_GROWTH, early + NOISE), name
