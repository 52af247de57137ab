"""POST /execute when one caller sends all it can: what another caller has of the service meanwhile."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.service_process import Service, running_service
from tests.support import wait_until

SETTINGS = {"LARS_MAX_WORKERS": "4", "LARS_POOL_SIZE": "1", "LARS_QUEUE_SIZE": "8"}
FLOOD = 12  # more than run and wait together, whoever sends them
SECONDS = 10
FULL = {
    True: "3 of the caller's own requests run and 7 wait",
    False: "4 programs run and 8 wait",
}
SLEEP = f"import time\ntime.sleep({SECONDS})"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Four workers, eight places in the queue."""
    with running_service(tmp_path_factory.mktemp("service"), SETTINGS) as running:
        yield running


@pytest.fixture(autouse=True)
def nobody_is_left(service: Service) -> Iterator[None]:
    """The next test begins when the callers of this one have left."""
    yield
    wait_until(lambda: code_of(ask(service, "", 5)) == "ok", "a worker is free")


@contextmanager
def sleepers(service: Service, key: str, count: int) -> Iterator[None]:
    """So many requests of this caller have been sent; they leave at the end, and their programs with them."""
    url = httpx.URL(service.url)
    body = json.dumps({"code": SLEEP, "timeout": 30}).encode()
    credential = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"POST /execute HTTP/1.1\r\nHost: localhost\r\n{credential}Content-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with ExitStack() as stack:
        for _ in range(count):
            address = (url.host, url.port or 80)
            stack.enter_context(socket.create_connection(address, timeout=20)).sendall(request)
        yield


@contextmanager
def flood(service: Service, key: str) -> Iterator[None]:
    """As many sleepers of this caller run and wait as may, and one more is refused."""
    with ExitStack() as stack:
        stack.enter_context(sleepers(service, key, FLOOD))

        def full() -> bool:
            answer = ask(service, key, 0.3)
            if code_of(answer) != "overloaded":  # some were refused while the first workers came
                stack.enter_context(sleepers(service, key, 1))
                return False
            return FULL[bool(key)] in answer.json()["detail"]

        wait_until(full, "a flood")
        yield


def code_of(response: httpx.Response) -> str:
    """An error's code, or ok."""
    return "ok" if response.status_code == 200 else str(response.json()["code"])


def ask(service: Service, key: str, timeout: float, code: str = "result = 1") -> httpx.Response:
    """The answer to a short program of this caller."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with service.client(headers=headers) as client:
        return client.post("/execute", json={"code": code, "timeout": timeout})


def test_a_flood_of_one_caller_does_not_keep_another_waiting(service: Service) -> None:
    """It is answered well before any of the sleepers ends, again and again, and the flood is refused."""
    with flood(service, "greedy"):
        began = time.monotonic()
        answers = [ask(service, "other", 20).json() for _ in range(5)]
        assert time.monotonic() - began < SECONDS / 2
        assert [answer["result"] for answer in answers] == [1] * 5
        refused = ask(service, "greedy", 20)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert FULL[True] in refused.json()["detail"]


def test_without_callers_to_tell_apart_the_flood_has_everything(service: Service) -> None:
    """The control: nobody says who they are, so all are one, and whoever comes later is refused."""
    with flood(service, ""):
        refused = ask(service, "", 1)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert FULL[False] in refused.json()["detail"]


def test_a_flood_without_a_key_and_a_caller_with_one(service: Service) -> None:
    """The exempt are exempt: a service that wants shares asks everybody for a key."""
    with flood(service, ""):
        refused = ask(service, "other", 1)
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")


NICER = """
import os, resource
def tried(function, *args):
    try:
        return function(*args)
    except OSError as error:
        return error.errno
result = [
    os.nice(0), tried(os.nice, -1), tried(os.setpriority, os.PRIO_PROCESS, 0, 0), os.nice(0),
    resource.getrlimit(resource.RLIMIT_NICE), tried(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1)),
]
"""


def test_the_third_program_at_once_is_nicer_and_stays_so(service: Service) -> None:
    """EPERM (1) and EACCES (13), nice(2) and setpriority(2): what was given up cannot be taken back."""
    with sleepers(service, "greedy", 2):
        wait_until(lambda: niceness_of(service, "greedy")[0] == 3, "two run beside the third")
        assert niceness_of(service, "greedy") == [3, 1, 13, 3, [0, 0], 1]
        assert niceness_of(service, "other")[0] == 0


def niceness_of(service: Service, key: str) -> list[object]:
    """What a program of this caller finds, and how its attempts to change it end."""
    found = ask(service, key, 20, NICER).json()["result"]
    assert isinstance(found, list)
    return found
