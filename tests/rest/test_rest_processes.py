"""What becomes of the processes behind sessions: killed, worn, at rest, too few; none is left over."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.rest.bound import Waiting, data_file, holders, write_locked
from tests.rest.clients import client_of, session_id
from tests.supervisor.processes import Process, tree
from tests.supervisor.serving import PATIENCE, Service, serving, wait_until

SPARE = 2  # session workers that a front keeps ready
SESSIONS = 300
BACK_WITHIN = 2.0


def bound(service: Service, *names: str) -> list[Process]:
    """Workers that hold the data of the sessions of these names; without names, of any."""
    root = service.directory / "data"
    files = [data_file(root, session_id(name)) for name in names] or root.glob("sessions/*/*/data.db")
    return holders(*files)


def post(service: Service, name: str, body: object = None) -> httpx.Response:
    """Create a record in the session of this name."""
    with client_of(service, name) as client:
        return client.post("/things", json=body or {})


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One front, so that a session has one worker."""
    with serving(tmp_path_factory.mktemp("processes"), LARS_FRONTS="1", LARS_POOL_SIZE="1") as service:
        yield service
        assert service.popen.poll() is None, service.errors


@pytest.fixture
def threads() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    """For requests that have to wait."""
    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        yield threads


def begin(
    service: Service, name: str, threads: concurrent.futures.ThreadPoolExecutor
) -> concurrent.futures.Future[httpx.Response]:
    """A request that is with the session's worker and waits there: call this while writers are locked out."""
    (worker,) = bound(service, name)
    waits = Waiting(worker)
    answer = threads.submit(post, service, name)
    wait_until(waits, "the worker waits for the lock")
    return answer


def test_a_worker_killed_at_rest_costs_nothing(service: Service) -> None:
    """What can no longer be handed to it is handed to the next, even if nobody has told of its death yet."""
    with client_of(service, "rest") as client:
        for number in range(1, 12):
            answer = client.post("/things", json={})
            assert (answer.status_code, answer.json()) == (201, {"id": number})
            (worker,) = bound(service, "rest")
            worker.kill()
            while worker.lives:  # a few hundred microseconds; to sleep would be to wait for the news of it
                continue


def test_a_worker_that_began_with_a_replay_serves_the_rest(service: Service) -> None:
    """A plan's text is sent to a worker once, and a replay does not run it."""
    with client_of(service, "replay") as client:
        for number in range(1, 4):
            kept = client.post("/things", json={}, headers={"Idempotency-Key": "kept"})
            assert (kept.status_code, kept.json()) == (201, {"id": 1})
            answer = client.post("/things", json={})
            assert (answer.status_code, answer.json()) == (201, {"id": number + 1})
            (worker,) = bound(service, "replay")
            worker.kill()
            wait_until(lambda: not bound(service, "replay"), "it is dead")


def test_a_killed_worker_costs_its_own_request(
    service: Service, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    assert post(service, "busy").json() == {"id": 1}
    (worker,) = bound(service, "busy")
    with write_locked(service.directory, "busy"):
        lost = begin(service, "busy", threads)
        waiting = [threads.submit(post, service, "busy") for _ in range(8)]
        assert post(service, "other").status_code == 201
        worker.kill()
        refused = lost.result(BACK_WITHIN)
        assert (refused.status_code, refused.json()["code"]) == (502, "worker_lost")
        wait_until(lambda: bound(service, "busy"), "the next worker has the session")
    answers = [answer.result(PATIENCE) for answer in waiting]
    assert {answer.status_code for answer in answers} == {201}
    assert sorted(answer.json()["id"] for answer in answers) == list(range(2, 10))


def test_sessions_outlive_the_zygotes(tmp_path: Path) -> None:
    """While zygotes wear out and others take their place, every request is answered."""
    few = {"LARS_MAX_WORKERS": "4", "LARS_POOL_SIZE": "1", "LARS_ZYGOTE_MAX_FORKS": "8"}
    with serving(tmp_path, LARS_FRONTS="2", **few) as service, ExitStack() as stack:
        clients = [stack.enter_context(client_of(service, f"worn{number}")) for number in range(3)]
        first, made = set(service.zygotes), 0
        while first & set(service.zygotes) or made < 50:
            assert service.answers()
            made += 1
            for client in clients:
                answer = client.post("/things", json={})
                assert (answer.status_code, answer.json()) == (201, {"id": made})
            assert made < 2000, "no zygote wears out"
        wait_until(lambda: len(service.zygotes) == 2, "the worn ones are gone")
        assert not service.events("zygote_died")


def test_workers_at_rest_are_let_go(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="1", LARS_SESSION_IDLE="0.3") as service:
        for number in range(10):
            assert post(service, f"idle{number}").json() == {"id": 1}
        assert bound(service)
        wait_until(lambda: not bound(service), "no session has a worker")
        service.settle(1 + SPARE)
        assert [post(service, f"idle{number}").json() for number in range(10)] == [{"id": 2}] * 10
        wait_until(lambda: not bound(service), "no session has a worker again")
        service.settle(1 + SPARE)


def test_a_worker_in_use_is_not_let_go(
    tmp_path: Path, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="1", LARS_SESSION_IDLE="0.1") as service:
        assert post(service, "used").json() == {"id": 1}
        wait_until(lambda: not bound(service, "used"), "its first worker is let go")
        with write_locked(tmp_path, "used"):
            answer = threads.submit(post, service, "used")
            wait_until(lambda: bound(service, "used"), "it has a worker")
            used = bound(service, "used")
            assert post(service, "rests").json() == {"id": 1}
            wait_until(lambda: not bound(service, "rests"), "the worker at rest is let go")
            wait_until(Waiting(*used), "the other one waits on")
            assert bound(service, "used") == used
        assert answer.result(PATIENCE).json() == {"id": 2}


def test_more_sessions_than_workers(tmp_path: Path, threads: concurrent.futures.ThreadPoolExecutor) -> None:
    names = [f"many{number}" for number in range(40)]
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="1", LARS_SESSION_WORKERS="2") as service:
        answers = list(threads.map(lambda name: post(service, name), names * 5))
        assert Counter(answer.status_code for answer in answers) == {201: 200}
        assert sorted(answer.json()["id"] for answer in answers) == sorted([1, 2, 3, 4, 5] * 40)
        assert len(bound(service)) <= 2 + SPARE


@pytest.mark.parametrize(("key", "kept"), [("greedy", True), ("", False)])
def test_a_newcomer_takes_the_worker_of_whoever_has_most(tmp_path: Path, key: str, kept: bool) -> None:
    """Without a key for the one with many sessions, all are one caller's, and the longest unused goes."""
    three = {"LARS_FRONTS": "1", "LARS_POOL_SIZE": "1", "LARS_SESSION_WORKERS": "3"}
    own = {"Authorization": f"Bearer {key}"} if key else {}
    with serving(tmp_path, **three) as service:
        assert post(service, "mine").status_code == 201
        (worker,) = bound(service, "mine")
        for number in range(6):
            with client_of(service, f"many{number}", **own) as client:
                assert client.post("/things", json={}).status_code == 201
        wait_until(lambda: worker.lives == kept, "as it should be")
        assert len(bound(service)) <= 3 + SPARE


def test_a_session_waits_for_a_worker_that_comes_to_rest(
    tmp_path: Path, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    """All workers are in use when it comes, and none of their sessions is asked again."""
    names = [f"used{number}" for number in range(1 + SPARE)]
    one = {"LARS_FRONTS": "1", "LARS_POOL_SIZE": "1", "LARS_SESSION_WORKERS": "1"}
    with serving(tmp_path, **one) as service, ExitStack() as locks:
        for name in (*names, "late"):
            post(service, name)
        for name in names:
            locks.enter_context(write_locked(tmp_path, name))
        used = [threads.submit(post, service, name) for name in names]
        wait_until(lambda: len(bound(service, *names)) == len(names), "every worker is in use")
        late = threads.submit(post, service, "late")
        locks.close()
        assert [answer.result(PATIENCE).json() for answer in used] == [{"id": 2}] * len(names)
        assert late.result(PATIENCE).json() == {"id": 2}


def test_requests_end_before_the_service_does(
    tmp_path: Path, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="1") as service:
        post(service, "ends")
        family = tree(service.supervisor)
        with write_locked(tmp_path, "ends"):
            running = begin(service, "ends", threads)
            service.popen.send_signal(signal.SIGTERM)
            wait_until(lambda: refuses(service), "nothing more is accepted")
        assert running.result(PATIENCE).json() == {"id": 2}
        assert service.popen.wait(PATIENCE) == 0
        assert not any(member.lives for member in family)
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="1") as service:
        assert post(service, "ends").json() == {"id": 3}


def test_requests_that_do_not_end_are_answered(
    tmp_path: Path, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="1", LARS_SHUTDOWN_SECONDS="0.3") as service:
        post(service, "cut")
        family = tree(service.supervisor)
        with write_locked(tmp_path, "cut"):
            running = begin(service, "cut", threads)
            assert service.stop() == 0
            answer = running.result(PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (502, "worker_lost")
        assert not any(member.lives for member in family)


def refuses(service: Service) -> bool:
    try:
        httpx.get(f"{service.url}/health", timeout=PATIENCE)
    except httpx.TransportError:
        return True
    return False


async def test_two_thousand_requests_leave_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_FRONTS="1", LARS_POOL_SIZE="2", LARS_SESSION_IDLE="0.2") as service:
        (front,) = service.fronts
        assert await visit(service.url, 1) == {"201": SESSIONS}
        service.settle(2 + SPARE)
        before, memory = descriptors(service), front.memory
        for _ in range(2):
            assert await visit(service.url, 3) == {"201": 3 * SESSIONS}
        wait_until(lambda: descriptors(service) == before, f"descriptors as before, {before}")
        service.settle(2 + SPARE)
        assert front.memory < 1.5 * memory


async def visit(url: str, times: int) -> Counter[str]:
    """So many records in each session, one session after another; how many of each status."""
    statuses: Counter[str] = Counter()
    names = [session_id(f"visit{number}") for number in range(SESSIONS) for _ in range(times)]
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:

        async def one() -> None:
            while names:
                answer = await client.post("/things", json={}, headers={"X-Session-ID": names.pop()})
                statuses[str(answer.status_code)] += 1

        await asyncio.gather(*(one() for _ in range(16)))
    return statuses


def descriptors(service: Service) -> tuple[int, int, int]:
    """Of the supervisor, the front and all zygotes; into those only root may look."""
    (front,) = service.fronts
    zygotes = service.zygotes if os.geteuid() == 0 else []
    return service.supervisor.descriptors, front.descriptors, sum(z.descriptors for z in zygotes)
