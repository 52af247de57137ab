"""A real Chromium without a window, spoken to by its own protocol (DevTools) over two pipes: what a page
shows, what it asks for, and what its content security policy has refused.

The browser resolves no name: what is not asked of 127.0.0.1 fails, and is seen.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 50.0
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"),
    *("--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-default-apps", "--disable-extensions", "--mute-audio"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,1000",
)


def program() -> str:
    """Debian's Chromium, or its like; where there is none, the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("Chromium is not installed: no chromium on PATH (apt install chromium)")
    return found


class Page:
    """One tab. ``requests``: every URL that it asked for; ``refused``: those that its policy kept from
    leaving; ``complaints``: errors and refusals in its console."""

    def __init__(self, sending: int, receiving: int) -> None:
        self.requests: list[str] = []
        self.refused: set[str] = set()
        self.complaints: list[str] = []
        self._asked: dict[str, str] = {}
        self._sending, self._receiving = sending, receiving
        self._number = 0
        self._unread = b""
        self._session = ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Log", "Runtime", "Page"):
            self._ask(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Begin to load it."""
        self._ask("Page.navigate", url=url)

    def heed_policy(self, heed: bool) -> None:
        """Whether pages that are opened from now on have a content security policy."""
        self._ask("Page.setBypassCSP", enabled=not heed)

    def evaluate(self, expression: str) -> Any:
        """The JSON value of an expression in the page."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Return when it is true in the page."""
        deadline = time.monotonic() + PATIENCE
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, (expression, self.complaints, self.text()[:2000])
            select.select([self._receiving], [], [], 0.02)

    def text(self) -> str:
        """All that it shows."""
        return str(self.evaluate("document.body?.innerText ?? ''"))

    def screenshot(self, file: Path) -> None:
        """As PNG."""
        file.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot")["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._sending, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result = answer["result"]
                assert isinstance(result, dict)
                return result
            self._note(answer)

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._receiving], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self._receiving, 1 << 20)
            assert more, "the browser has ended"
            self._unread += more
        first, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(first)
        assert isinstance(message, dict)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
                self._asked[told["requestId"]] = told["request"]["url"]
            case "Network.loadingFailed" if told.get("blockedReason") == "csp":
                self.refused.add(self._asked[told["requestId"]])
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"])[:1000])


@contextmanager
def browser() -> Iterator[Page]:
    """A tab of a browser of its own, which ends with the block, and leaves no file."""
    chromium = program()
    profile = Path(tempfile.mkdtemp(prefix="lars-chromium-"))
    command_end, sending = os.pipe()
    receiving, answer_end = os.pipe()
    try:
        with (profile / "log").open("wb") as log:
            process = subprocess.Popen(
                # The protocol's descriptors are 3 and 4.
                [
                    *("bash", "-c", f'exec 3<&{command_end} 4>&{answer_end}; exec "$@"', "bash"),
                    *(chromium, *_OPTIONS, f"--user-data-dir={profile / 'profile'}", "about:blank"),
                ],
                pass_fds=(command_end, answer_end),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"HOME": str(profile), "TMPDIR": str(profile)},
                start_new_session=True,
            )
        os.close(command_end)
        os.close(answer_end)
        try:
            yield Page(sending, receiving)
        finally:
            _end(process, sending)
    finally:
        os.close(sending)
        os.close(receiving)
        shutil.rmtree(profile, ignore_errors=True)


def _end(process: subprocess.Popen[bytes], sending: int) -> None:
    """Ask it to end, with the processes that it has started; what is left is killed."""
    os.write(sending, b'{"id": 0, "method": "Browser.close"}\0')
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE / 5)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its own session: nothing else is in the group
    process.wait()
