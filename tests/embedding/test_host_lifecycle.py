"""When the functions of a host begin and end: never before they are asked for, never after their host."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.embedding.hosting import HASH, STARLETTE, documented, hosted
from tests.supervisor.processes import tree
from tests.supervisor.serving import environment, wait_until

# In a process of its own: what it does with the process is to be seen.
IDLE = """
import logging, os, signal, sys, threading
def state():
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)]
    descriptors = len(os.listdir("/proc/self/fd"))
    return handlers, list(logging.getLogger().handlers), threading.active_count(), descriptors
before = state()
from service.functions import create_dynamic_app
assert "starlette" not in sys.modules and "sqlalchemy" not in sys.modules
create_dynamic_app()
assert state() == before, (state(), before)
with open("/proc/self/task/%d/children" % os.getpid()) as children:
    assert children.read() == ""
assert not os.path.exists(os.environ["LARS_DATA_ROOT"])
print("idle")
"""

# Made before the fork, begun after it; begun anew on the next loop; refused on a second one beside the first.
# The host wants to hear nothing of its children, so that nobody can wait for them.
LOOPS = """
import asyncio, os, signal, threading, time
import httpx
from starlette.applications import Starlette
from service.functions import create_dynamic_app

dynamic = create_dynamic_app()
app = Starlette()
app.mount("/dynamic", dynamic)

async def ask():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get("/dynamic/list-functions")).json()["count"]

def children():
    with open("/proc/self/task/%d/children" % os.getpid()) as found:
        return len(found.read().split())

async def beside():
    async with dynamic.running():
        assert children() == 1
        try:
            await asyncio.to_thread(asyncio.run, ask())
        except RuntimeError as error:
            assert "create_dynamic_app() once for each loop" in str(error), error
        else:
            raise AssertionError("a second loop was served")
        assert await ask() == 0
    assert children() == 0
    assert (await refused()) == "not_ready"

async def refused():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get("/dynamic/list-functions")).json()["code"]

if os.fork() == 0:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    assert asyncio.run(ask()) == 0
    assert children() == 0   # asyncio.run has cancelled it, and waited
    asyncio.run(beside())
    assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN
    deadline = time.monotonic() + 10
    while threading.active_count() > 1:   # those of anyio have been told to end
        assert time.monotonic() < deadline
    print("forked", flush=True)
    os._exit(0)
assert os.wait()[1] == 0
"""


def run(directory: Path, source: str) -> str:
    """What the program prints."""
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=directory,
        env=environment(directory, LARS_ZYGOTES="1"),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_nothing_happens_before_a_request(tmp_path: Path) -> None:
    assert run(tmp_path, IDLE) == "idle\n"


def test_one_loop_after_another_and_never_two(tmp_path: Path) -> None:
    assert "forked\n" in run(tmp_path, LOOPS)


def test_a_killed_host_leaves_nothing_and_its_successor_has_every_function(tmp_path: Path) -> None:
    with hosted(tmp_path, STARLETTE) as host:
        assert host.load("add", "/add").status_code == 200
        assert host.ask("GET", "/add", params={"a": "1"}).json() == 2
        family = tree(host.process)
        assert len(family) > 3
        host.process.kill()
        wait_until(lambda: not any(member.lives for member in family), "its processes end", 2)
    with hosted(tmp_path, documented()) as host:
        assert host.ask("GET", f"/function/{HASH}/add", params={"a": "2"}).json() == 3
        family = tree(host.process)
        assert len(family) > 3
        host.popen.terminate()
        host.popen.wait(10)
        assert not any(member.lives for member in family)  # it has waited for them
        assert "Application shutdown complete" in host.log


def test_without_workers_a_lifespan_fails_with_the_reason(tmp_path: Path) -> None:
    with hosted(tmp_path, documented(), LARS_SANDBOX_FLOOR="cgroup_limits") as host:
        assert host.popen.wait(20) != 0
        assert "isolation is below LARS_SANDBOX_FLOOR: cgroup_limits" in host.log


def test_without_workers_a_request_is_told_so(tmp_path: Path) -> None:
    """And the host goes on."""
    with hosted(tmp_path, STARLETTE, LARS_SANDBOX_FLOOR="cgroup_limits") as host:
        answer = host.ask("GET", "/list-functions")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert host.hello() == 200
        wait_until(lambda: not host.supervisors, "no process is left")
        assert "isolation is below LARS_SANDBOX_FLOOR" in host.log


def test_under_a_server_of_its_own_it_knows_the_lifespan(tmp_path: Path) -> None:
    with hosted(tmp_path, STARLETTE, "dynamic") as host:
        wait_until(lambda: "startup complete" in host.log, "it stands")
        assert len(host.zygotes) == 1
        assert host.ask("GET", "/list-functions").json()["count"] == 0
        family = tree(host.process)
        host.popen.terminate()
        host.popen.wait(10)
        assert not any(member.lives for member in family)
