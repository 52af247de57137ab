"""What a function does to its own worker stays there: other contracts, other callers and the next worker have
nothing of it. And fronts that are killed while functions are loaded leave nothing half done."""

from __future__ import annotations

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.access.keyed import command_of, connections_to_fronts
from tests.functions.hostile.served import Served, hash_of, refusal, said
from tests.functions.hostile.test_at_once import get, text_of
from tests.service_process import NO_TLS, alive, descendants
from tests.support import wait_until

SLEEPER = "import time\ndef f(n: int, seconds: float = 0.0):\n    time.sleep(seconds)\n    return n"
KILLS = int(os.environ.get("LARS_FRONT_KILLS", "2"))
POISON = """
import base64, datetime, decimal, json, uuid
from dataclasses import Field, dataclass
from enum import Enum
def f():
    done = 0
    for owner, name in [
        (json, 'loads'), (base64, 'b64encode'), (json.JSONDecoder, 'decode'), (json.JSONEncoder, 'encode'),
        (datetime.date, 'isoformat'), (decimal.Decimal, 'is_finite'), (Enum, 'name'), (uuid.UUID, 'hex'),
    ]:
        try:
            setattr(owner, name, lambda *a, **k: 'POISON')
            done += 1
        except (TypeError, AttributeError):
            pass
    return done > 0
"""
READER = """
import base64, datetime, json, uuid
def f(x: list[int], day: datetime.date):
    return [json.loads('[1]'), x, day, base64.b64encode(b'a').decode(), uuid.UUID(int=1)]
"""
READ = [[1], [2], "2024-01-01", "YQ==", "00000000-0000-0000-0000-000000000001"]
ARGUMENTS: dict[str, Any] = {"x": [2], "day": "2024-01-01"}


def test_a_function_that_sleeps_holds_its_own_contract_only(service: Served) -> None:
    for name in ("sleeps", "beside"):
        assert service.bring(name, SLEEPER).status_code == 200
        assert said(service.call(name, n=0)) == 0
    with ThreadPoolExecutor(6) as pool:
        slow = [pool.submit(service.call, "sleeps", n=n, seconds=0.15) for n in range(6)]
        quick = [said(service.call("beside", n=n)) for n in range(20)]
        running = [call for call in slow if not call.done()]
        assert quick == list(range(20))
        assert len(running) > 1  # in a row they take 0.9 s
        assert sorted(said(call.result()) for call in slow) == list(range(6))  # type: ignore[type-var]


def test_who_hangs_up_disturbs_nobody(service: Served) -> None:
    """Every caller that stays gets the answer to its own question."""
    name = "hung-up"
    assert service.bring(name, SLEEPER).status_code == 200
    url = httpx.URL(service.keyed.service.url)
    for n in range(15):
        leaver = HTTPConnection(url.host, url.port)
        with closing(leaver):
            body = json.dumps({"n": -n, "seconds": 0.02})
            leaver.request("POST", f"/function/{hash_of(name)}/f", body, {"Content-Type": "application/json"})
        assert said(service.call(name, n=n)) == n


def test_memory_that_grows_from_call_to_call_ends_with_its_worker(service: Served) -> None:
    text = "x = []\ndef f():\n    x.append(bytearray(16 << 20))\n    return len(x)"
    assert service.bring("grows", text).status_code == 200
    found = [said(service.call("grows")) for _ in range(20)]
    full = found.index((500, "function_error", "MemoryError"))
    assert 1 < full < 10
    assert found[: full + 2] == [*range(1, full + 1), found[full], 1]


def test_a_poisoned_library_is_its_contracts_own(service: Served) -> None:
    """Not another's; nor the judge's, who works elsewhere; nor the next worker's."""
    for name, text in (("poisons", POISON), ("clean", READER)):
        assert service.bring(name, text).status_code == 200
    assert service.bring("poisons", READER, module_name="reader", function="f").status_code == 200
    assert said(service.call("poisons", **ARGUMENTS)) == READ
    assert service.bring("poisons", POISON).status_code == 200
    assert said(service.call("poisons")) is True
    assert said(service.call("clean", **ARGUMENTS)) == READ
    assert refusal(service.bring("poisons", "import os\n")) == (403, "policy_refused", "import", 1)
    assert service.bring("poisons", READER).status_code == 200
    assert service.ask("DELETE", f"/unload-function/{hash_of('poisons')}/f").status_code == 200
    assert service.bring("poisons", READER).status_code == 200
    assert said(service.call("poisons", **ARGUMENTS)) == READ


@pytest.mark.timeout(120)
def test_killed_fronts_leave_nothing_half_loaded(fronts: Served) -> None:
    """Every load that was answered is there, whole; table and registry agree on every front; no worker of a
    front that was killed goes on."""
    name, service = "killed", fronts.keyed.service
    assert fronts.bring(name, text_of(0), method="GET").status_code == 200
    told: dict[int, int] = {0: 1}
    ending = threading.Event()

    def load() -> None:
        value = 1
        while not ending.is_set():
            with suppress(httpx.TransportError), _client(service.url) as client:
                served = Served(fronts.keyed, client)
                if served.upload(name, text_of(value)).is_success:
                    loaded = served.load(name, method="GET")
                    if loaded.status_code == 200:
                        told[value] = loaded.json()["loaded_version"]
            value += 1

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load)
        try:
            for _ in range(KILLS):
                known = len(told)
                wait_until(lambda known=known: len(told) > known + 1, "loads that are answered")  # type: ignore[misc]
                _kill_fronts(service.pid)
        finally:
            ending.set()
            loading.result(30)
    _all_agree(fronts, name, told)


def _kill_fronts(pid: int) -> None:
    """All of them; their workers must end, and others must come."""
    before = descendants(pid)
    front = {child for child in before if b"service.front" in command_of(child[0])}
    workers = {child for child in before - front if b"boot.py" in command_of(child[0])}
    lasting = {child for child in workers if descendants(child[0])}  # zygotes, which serve the next fronts
    for killed, _ in front:
        with suppress(ProcessLookupError):
            os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not alive(front | (workers - lasting)), "the end of fronts and workers", 20)
    wait_until(lambda: len(_fronts(pid)) == len(front), "other fronts", 20)


def _fronts(pid: int) -> set[int]:
    return {child for child, _ in descendants(pid) if b"service.front" in command_of(child)}


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=20, trust_env=False, verify=NO_TLS)


def _all_agree(served: Served, name: str, told: dict[int, int]) -> None:
    about = f"/_/functions/{hash_of(name)}/f"
    with _client(served.keyed.service.url) as client:
        fresh = Served(served.keyed, client)
        versions = fresh.ask("GET", f"{about}/versions", params={"limit": 1000}).json()["versions"]
        values = {each["version"]: _value_of(fresh, about, each["version"]) for each in versions}
        kept = fresh.ask("GET", about).json()
    assert told.items() <= {value: number for number, value in values.items()}.items()
    assert sorted(values) == list(range(1, len(values) + 1))
    with ExitStack() as stack:
        for one in connections_to_fronts(served.keyed.service, stack).values():
            assert get(one, f"/function/{hash_of(name)}/f") == (200, values[kept["version"]])


def _value_of(served: Served, about: str, version: int) -> int:
    """Its source is a whole module."""
    text = served.ask("GET", f"{about}/versions/{version}/source").text
    value = int(text.split()[3])
    assert text == text_of(value)
    return value
