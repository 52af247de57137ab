"""scripts/loadtest.sh: what it is told, what it leaves, and the table that it makes of locust's figures."""

from __future__ import annotations

import ast
import csv
import os
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from scripts.benchmark.processes import BenchError
from scripts.loadtest import KINDS, Line, Load, _line, _target, main, summary

ROOT = Path(__file__).resolve().parent.parent
LONG = 240  # seconds: locust is installed where that has not been done
ECHO = [Line("Aggregated", 1000, 0, 50.0, 2.0, 3.0, 4.0)]


@pytest.fixture(scope="module")
def locust() -> Path:
    """The interpreter that has it, in the environment that the script makes when it is first used."""
    environment = ROOT / ".venv-load"
    command = ["bash", "-c", ". scripts/_venv.sh && ensure_venv load"]
    environ = {**os.environ, "LARS_VENV": str(environment)}
    subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=LONG - 40)
    return environment / "bin" / "python"


def test_summary() -> None:
    """A row for each name, the failures beside, and how it compares with bare echo."""
    lines = [
        Line("POST /execute", 10, 1, 5.0, 5.0, 9.0, 12.5),
        Line("Aggregated", 10, 1, 5.0, 5.0, 9.0, 12.5),
    ]
    text = summary(Load(40, 2.0, 15), lines, ECHO)
    assert "40 users, 2 requests per second" in text
    assert "| POST /execute | 10 | 1 | 5.0 | 5 | 9 | 12.5 | 2.5 |\n" in text
    assert "| all | 10 | 1 |" in text
    assert text.endswith("| bare echo | 1000 | 0 | 50.0 | 2 | 3 | 4 | 1.0 |\n")


def test_a_row_of_locust() -> None:
    """Its names for percentiles, and what it has when nothing was answered."""
    row = {"Type": "POST", "Name": "POST /x", "Request Count": "7", "Failure Count": "2", "Requests/s": "3.5"}
    times = {"50%": "4", "95%": "9", "99%": "N/A"}
    assert _line({**row, **times}) == Line("POST /x", 7, 2, 3.5, 4.0, 9.0, 0.0)
    assert _line({**row, **times, "Type": "WRONG"}).name == "WRONG POST /x"


@pytest.mark.parametrize(
    "options",
    [
        ["--users", "0"],
        ["--users", "many"],
        ["--seconds", "4"],
        ["--rate", "nan"],
        ["--rate", "-1"],
        ["Nobody"],
    ],
)
def test_wrong_options(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Are named, and nothing is started."""
    with pytest.raises(SystemExit) as raised:
        main(options)
    assert raised.value.code == 2
    assert options[-1] in capsys.readouterr().err


def test_every_kind_of_user_is_there() -> None:
    """Those that the script offers are classes of the locustfile, which says nothing else of itself."""
    tree = ast.parse((ROOT / "infra" / "locust" / "locustfile.py").read_text())
    classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    assert {*KINDS, "Echo"} == {name for name in classes if not name.startswith("_")}


class Hanging(BaseHTTPRequestHandler):
    """Answers ten requests; what comes then waits until ``over``."""

    protocol_version = "HTTP/1.1"
    answered = 0
    over = Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        Hanging.answered += 1
        if Hanging.answered > 10:
            self.over.wait(60)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        pass


@pytest.mark.timeout(LONG)
def test_what_has_no_answer_until_the_end(locust: Path, tmp_path: Path) -> None:
    """A service that hangs from the middle on is not told as a good one: what it was asked last has failed,
    and so has what was due meanwhile. The files have all that was counted."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hanging) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        command = [
            *(str(locust), "-m", "locust", "-f", "infra/locust/locustfile.py", "--headless"),
            *("--host", f"http://127.0.0.1:{server.server_address[1]}", "--only-summary", "Echo"),
            *("--users", "1", "--rate", "20", "--run-time", "3s", "--stop-timeout", "1"),
            *("--csv", str(tmp_path / "told")),
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        Hanging.over.set()
        server.shutdown()
    with (tmp_path / "told_stats.csv").open(newline="") as file:
        lines = {line.name: line for line in map(_line, csv.DictReader(file))}
    echo, late, everything = lines["POST /echo"], lines["due, and never sent"], lines["Aggregated"]
    assert (echo.requests, echo.failures) == (11, 1), done.stderr
    assert late.requests == late.failures == everything.requests - 11
    assert 15 < late.requests < 90
    assert everything.p95 > 1000
    assert done.returncode == 1


@pytest.mark.timeout(LONG)
def test_a_fresh_service_under_all_kinds_of_users(locust: Path, tmp_path: Path) -> None:
    """Every answer is right, and the reports are there."""
    assert locust.exists()
    out = tmp_path / "report"
    command = ["scripts/loadtest.sh", "--users", "5", "--seconds", "5", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONG - 40)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {path.name for path in out.iterdir()}
    assert {"summary.md"} <= names
    assert {Path(name).suffix for name in names} >= {".html", ".csv", ".md"}
    rows = [row for row in (out / "summary.md").read_text().splitlines() if row.startswith("| ")]
    failures = {row.split("|")[1].strip(): int(row.split("|")[3]) for row in rows[1:]}
    assert failures.keys() >= {"POST /execute", "GET /items", "POST /function", "all", "bare echo"}
    assert set(failures.values()) == {0}


def test_nobody_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing answers, there is nothing to measure, and no table of quick refusals."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for wrong in (url, url.removeprefix("http://"), "http://127.0.0.1:x"):
        assert main(["--url", wrong, "--out", str(tmp_path / "there")]) == 3
        assert f"nothing answers at {wrong}" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert main(["--url", url, "--out", str(tmp_path / "file")]) == 3
    assert "file" in capsys.readouterr().err


class Refusing(BaseHTTPRequestHandler):
    """Without a key."""

    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        pass


def test_who_answers_anything_is_there() -> None:
    """Its URL is taken without a slash at its end, which would be doubled before each path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with _target(f"{url}/") as (found, _key):
            assert found == url
        server.shutdown()
    with pytest.raises(BenchError), _target(url):
        pass
