"""SIGHUP replaces every process but the supervisor while requests go on."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
from pathlib import Path

import httpx

from tests.supervisor.asking import Tally, ask_on
from tests.supervisor.serving import Service, serving, wait_until

IN_SESSION = {"X-Session-ID": "one"}


def port_of(service: Service) -> int:
    return int(service.url.rpartition(":")[2])


async def write_notes(service: Service, tally: Tally) -> int:
    """One after the other into one session, each then read; how many."""
    async with httpx.AsyncClient(base_url=service.url, headers=IN_SESSION, timeout=20) as client:
        for number in itertools.count(1):
            made = await client.post("/notes", json={"number": number})
            read = await client.get(f"/notes/{number}")
            if (made.status_code, read.status_code, read.json().get("number")) != (201, 200, number):
                tally.lost.append(f"note {number}: {made.text} {read.text}")
            if tally.over:
                return number
    raise AssertionError


async def run_programs(service: Service, tally: Tally) -> None:
    """One after the other, until it is over."""
    async with httpx.AsyncClient(base_url=service.url, timeout=20) as client:
        while not tally.over:
            ran = await client.post("/execute", json={"code": "result = 42"})
            if ran.status_code != 200 or ran.json()["result"] != 42:
                tally.lost.append(ran.text)


async def test_everything_is_replaced_under_load_without_a_failed_request(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_FRONTS="2", LARS_ZYGOTES="1") as service:
        before = {*service.fronts, *service.zygotes}
        slow: list[httpx.Response] = []
        program = "import time; time.sleep(3); result = 1"
        client = threading.Thread(target=lambda: slow.append(service.execute(program)))
        client.start()
        wait_until(lambda: len(service.workers) > 4, "the program runs")
        tally = Tally()
        callers = [asyncio.create_task(ask_on(port_of(service), tally, once=n > 1)) for n in range(3)]
        others = asyncio.gather(write_notes(service, tally), run_programs(service, tally))
        for _ in range(2):
            service.popen.send_signal(signal.SIGHUP)
        await asyncio.to_thread(
            wait_until,
            lambda: service.events("renewal_ends") and tally.answers.total() > 2000,
            "all is replaced",
            40.0,
        )
        tally.over = True
        written, _ = await others
        await asyncio.gather(*callers)
        client.join(20)
        wait_until(lambda: not any(process.lives for process in before), "the former ones have ended")
        assert (tally.lost, tally.turned_away, set(tally.answers)) == ([], 0, {200})
        assert written > 5
        assert (len(service.fronts), len(service.zygotes)) == (2, 1)
        assert len(service.events("renewal_begins")) == 1, "two signals in a row are one"
        assert service.events("front_died") == service.events("zygote_died") == []
        assert service.stop() == 0
    assert [(each.status_code, each.json()["result"]) for each in slow] == [(200, 1)]
