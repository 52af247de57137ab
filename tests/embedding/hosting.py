"""A real uvicorn that serves an application of somebody else, with the functions mounted in it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.supervisor.processes import Process, children, process, tree
from tests.supervisor.serving import environment, wait_until

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-key-of-whoever-loads-functions-0123456789"
KEYED = {"Authorization": f"Bearer {KEY}"}
HASH = "ab" * 20
MODULE = '''
import time

def add(a: int, b: int = 1) -> int:
    """Adds."""
    return a + b

def wait(seconds: float) -> str:
    """Takes its time."""
    time.sleep(seconds)
    return "done"
'''
_AT = re.compile(r"running on (http://\S+)")

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from service.functions import create_dynamic_app

async def hello(_):
    return PlainTextResponse("the host")

dynamic = create_dynamic_app()
app = Starlette(routes=[Route("/hello", hello), Mount("/deep/inside", dynamic)])
"""


def documented() -> str:
    """The example of docs/functions.md."""
    text = (ROOT / "docs" / "functions.md").read_text("utf-8")
    return text.partition("\n## In another application\n")[2].partition("```python\n")[2].partition("```")[0]


class Host:
    """A uvicorn that runs, or has run."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path, mounted: str) -> None:
        self.popen = popen
        self.process = process(popen.pid)
        self._log = log
        self._mounted = mounted

    @property
    def data(self) -> Path:
        """LARS_DATA_ROOT."""
        return self._log.parent / "data"

    @property
    def log(self) -> str:
        """All that it has written."""
        return self._log.read_text("utf-8")

    @property
    def url(self) -> str:
        """Where it serves; waits until it does."""
        wait_until(lambda: _AT.search(self.log) or self.popen.poll() is not None, "the host serves")
        found = _AT.search(self.log)
        assert found, self.log
        return found[1]

    @property
    def supervisors(self) -> list[Process]:
        """Its living children: it has no others."""
        return children(self.process)

    @property
    def zygotes(self) -> list[Process]:
        """Living ones; a launcher is in no PID namespace of its own."""
        found = [child for parent in self.supervisors for child in children(parent)]
        return [child for child in found if child.is_first_in_its_namespace]

    def ask(self, method: str, path: str, **options: object) -> httpx.Response:
        """Something of the functions, on a connection of its own."""
        return httpx.request(method, f"{self.url}{self._mounted}{path}", timeout=20, **options)  # type: ignore[arg-type]

    def hello(self) -> int:
        """The status of what the host itself serves."""
        return httpx.get(f"{self.url}/hello", timeout=20).status_code

    def load(self, name: str, path: str) -> httpx.Response:
        """Load a function of MODULE, which is uploaded for it."""
        put = self.ask("PUT", f"/uploads/{HASH}/tools.py", content=MODULE, headers=KEYED)
        assert put.status_code in {200, 201}, put.text
        spec = {"visible_pixel_hash": HASH, "function_name": name, "module_name": "tools"}
        return self.ask("POST", "/load-function", json={**spec, "endpoint_path": path}, headers=KEYED)


@contextmanager
def hosted(directory: Path, source: str, app: str = "app", **variables: str) -> Iterator[Host]:
    """The ``app`` of ``source`` in uvicorn, then SIGTERM; no process of it is left. ``source`` mounts the
    functions somewhere."""
    directory.mkdir(exist_ok=True)
    (directory / "host_application.py").write_text(source, "utf-8")
    own = {"LARS_ZYGOTES": "1", "STARGATE_API_KEY": KEY, "PYTHONPATH": str(directory)}
    log = directory / "log"
    with log.open("wb") as stream:
        popen = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", f"host_application:{app}", "--port", "0"],
            cwd=directory, env=environment(directory, **(own | variables)), stdin=subprocess.DEVNULL,
            stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    mounted = re.search(r'ount\("([^"]+)"', source) if app == "app" else None
    host = Host(popen, log, mounted[1] if mounted else "")
    family = [host.process]
    try:
        yield host
    finally:
        if popen.poll() is None:
            family += tree(host.process)
            popen.send_signal(signal.SIGTERM)
        popen.wait(20)
        wait_until(lambda: not any(member.lives for member in family), "its processes end", 5)
