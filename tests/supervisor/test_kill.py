"""SIGKILL to each kind of process while a load runs: the service answers again within two seconds, only what
was in flight is lost, each with a clear error, and what died is replaced and logged."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.supervisor.load import CLIENTS, Load
from tests.supervisor.processes import Process, children
from tests.supervisor.serving import Service, serving, wait_until

BACK_WITHIN = 2.0
POOL = 4
RESET = {"ReadError", "RemoteProtocolError", "WriteError"}
SLEEPER = """
import threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
time.sleep(30)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all: what a test kills, it sees replaced."""
    with serving(tmp_path_factory.mktemp("killed"), LARS_FRONTS="1", LARS_POOL_SIZE=str(POOL)) as service:
        yield service
        assert service.popen.poll() is None, service.errors


@pytest.fixture
def sleeper(service: Service) -> Iterator[list[httpx.Response]]:
    """A program that is running, and its answer, once there is one."""
    answers: list[httpx.Response] = []

    def ask() -> None:
        try:
            answers.append(service.execute(SLEEPER))
        except httpx.TransportError as error:
            answers.append(httpx.Response(0, text=type(error).__name__))

    client = threading.Thread(target=ask)
    client.start()
    wait_until(lambda: busy(service), "the program runs")
    yield answers
    client.join(20)
    assert not client.is_alive()


def busy(service: Service) -> list[Process]:
    """Workers that run the sleeper: no other has as many threads."""
    return [worker for worker in service.workers if worker.threads == 4]


def logged(service: Service, event: str, pid: int) -> bool:
    return any(line["pid"] == pid and line["exit_code"] == -9 for line in service.events(event))


async def test_a_killed_front_costs_what_was_in_flight_on_it(service: Service) -> None:
    (front,) = service.fronts
    load = Load(service.url)
    struck = await load.strike(front.kill)
    assert load.back_after(struck) < BACK_WITHIN
    assert set(load.failures()) <= RESET
    assert load.failures().total() <= CLIENTS
    assert load.failed_after(struck).total() <= CLIENTS
    assert logged(service, "front_died", front.pid)
    assert len(service.fronts) == 1


async def test_a_killed_front_leaves_no_program_behind(
    service: Service, sleeper: list[httpx.Response]
) -> None:
    (worker,) = busy(service)
    (front,) = service.fronts
    front.kill()
    wait_until(lambda: not worker.lives, "the program that nobody waits for ends", BACK_WITHIN)
    wait_until(lambda: sleeper, "the client hears of it")
    assert sleeper[0].text in RESET
    wait_until(service.answers, "the service answers")


@pytest.mark.parametrize("which", [0, 1])
async def test_a_killed_zygote_costs_what_ran_in_its_workers(service: Service, which: int) -> None:
    wait_until(lambda: len(service.zygotes) == 2, "both zygotes stand")
    zygote = service.zygotes[which]
    load = Load(service.url)
    struck = await load.strike(zygote.kill)
    assert load.back_after(struck) < BACK_WITHIN
    assert set(load.failures()) <= {"502 worker_lost"}
    assert load.failures().total() <= CLIENTS
    wait_until(lambda: logged(service, "zygote_died", zygote.pid), "the death is logged")
    wait_until(lambda: len(service.zygotes) == 2, "it is replaced")


async def test_a_killed_zygote_is_a_502_to_the_program_in_it(
    service: Service, sleeper: list[httpx.Response]
) -> None:
    wait_until(lambda: len(service.zygotes) == 2, "both zygotes stand")
    (zygote,) = (zygote for zygote in service.zygotes if set(busy(service)) & set(children(zygote)))
    zygote.kill()
    wait_until(lambda: sleeper, "the client hears of it", BACK_WITHIN)
    assert (sleeper[0].status_code, sleeper[0].json()["code"]) == (502, "worker_lost")


async def test_with_both_zygotes_killed_requests_wait_for_new_ones(service: Service) -> None:
    wait_until(lambda: len(service.zygotes) == 2, "both zygotes stand")

    def blow() -> None:
        for zygote in service.zygotes:
            zygote.kill()

    load = Load(service.url)
    struck = await load.strike(blow)
    assert load.back_after(struck) < BACK_WITHIN
    assert set(load.failures()) <= {"502 worker_lost"}
    assert load.failures().total() <= 2 * CLIENTS


def test_a_killed_idle_worker_costs_nothing(service: Service) -> None:
    assert service.answers()
    service.settle(POOL)
    first = service.workers
    for worker in first:
        worker.kill()
        wait_until(lambda: len(service.workers) == POOL, "it is replaced")
    wait_until(lambda: not any(worker.lives for worker in first), "the last of them is dead")
    service.settle(POOL)
    assert not set(first) & set(service.workers)
    assert all(service.answers() for _ in range(2 * POOL))


async def test_workers_killed_under_load_cost_their_own_run(service: Service) -> None:
    def blow() -> None:
        for worker in service.workers:
            if worker.lives:
                worker.kill()

    load = Load(service.url)
    await load.strike(blow)
    assert set(load.failures()) <= {"signal"}
    assert load.failures().total() <= CLIENTS


def test_a_killed_busy_worker_is_a_200_with_the_verdict_signal(
    service: Service, sleeper: list[httpx.Response]
) -> None:
    (worker,) = busy(service)
    worker.kill()
    wait_until(lambda: sleeper, "the client hears of it", BACK_WITHIN)
    body = sleeper[0].json()
    assert (sleeper[0].status_code, body["verdict"], body["exit_code"]) == (200, "signal", 137)
    assert "SIGKILL" in body["detail"]
