"""A service that is told to end finishes what it has accepted, also what nobody but the kernel has seen."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from pathlib import Path

import httpx

from tests.supervisor.asking import HEALTH, READY, Tally, answer, ask_on, send
from tests.supervisor.serving import Service, serving, wait_until

SLEEPER = "import threading, time\nfor _ in range(3): threading.Thread(target=time.sleep, args=(30,)).start()"


def port_of(service: Service) -> int:
    return int(service.url.rpartition(":")[2])


def test_what_lies_in_the_queue_is_served_and_readiness_is_taken_back(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_FRONTS="1") as service:
        port, (front,) = port_of(service), service.fronts
        begun, idle = send(port, READY[:20]), send(port, HEALTH)
        while b'{"status":"healthy"}' not in (told := idle.recv(4096)):
            assert told, "kept alive, and silent from now on"
        os.kill(front.pid, signal.SIGSTOP)
        queued = [send(port, READY if number % 2 else HEALTH) for number in range(60)]
        service.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: turned_away(port), "new callers are turned away")
        os.kill(front.pid, signal.SIGCONT)
        answers = [answer(connection) for connection in queued]
        begun.sendall(READY[20:])
        answers.append(answer(begun))
        assert answer(idle) == b""
        assert service.popen.wait(20) == 0
    assert {(each[9:12], b"\r\nconnection: close\r\n" in each) for each in answers[:60:2]} == {(b"200", True)}
    unready = (*answers[1:60:2], answers[60])
    assert {(each[9:12], b'"not_ready"' in each, b"drains" in each) for each in unready} == {
        (b"503", True, True)
    }


def turned_away(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.1).close()
    except (TimeoutError, ConnectionError):
        return True
    return False


async def test_under_load_every_caller_who_was_let_in_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_FRONTS="2") as service:
        tally = Tally()
        callers = [asyncio.create_task(ask_on(port_of(service), tally, once=n % 4 > 0)) for n in range(40)]
        await asyncio.to_thread(wait_until, lambda: tally.answers[200] > 400, "the load")
        service.popen.send_signal(signal.SIGTERM)
        await asyncio.gather(*callers)
        assert await asyncio.to_thread(service.popen.wait, 20) == 0
    assert tally.lost == []
    assert tally.turned_away == len(callers)
    assert set(tally.answers) == {200}


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, LARS_DRAIN_SECONDS="60") as service:
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(service.execute(SLEEPER, timeout=40)))
        client.start()
        wait_until(lambda: any(worker.threads == 4 for worker in service.workers), "the program runs")
        service.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: service.events("front_leaves"), "the drain")
        began = time.monotonic()
        service.popen.send_signal(signal.SIGINT)
        assert service.popen.wait(20) == 0
        assert time.monotonic() - began < 5
        client.join(20)
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(502, "worker_lost")]
