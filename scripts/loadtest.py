"""What scripts/loadtest.sh runs: users of infra/locust against a service and a bare echo, and a report."""

from __future__ import annotations

import argparse
import csv
import http.client
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scripts.benchmark.processes import BenchError, baseline_app, data_root, make_key, service
from scripts.benchmark.report import Machine

KINDS = ("Execute", "Crud", "Functions", "Mixed", "Hostile")
_LOCUSTFILE = Path(__file__).resolve().parent.parent / "infra" / "locust" / "locustfile.py"
_ECHO_SECONDS = 20
_GRACE = 60.0  # seconds that locust may take to begin, to end and to write
_LOOK = 10.0  # seconds for the first answer
_STOP = 15  # seconds for requests that are in work at the end


@dataclass(frozen=True, slots=True)
class Load:
    """``users`` of each kind together, ``rate`` requests per second of each, for so many ``seconds``."""

    users: int
    rate: float
    seconds: int


@dataclass(frozen=True, slots=True)
class Line:
    """What was counted under one name. Times in milliseconds, from when a request was due."""

    name: str
    requests: int
    failures: int
    per_second: float
    p50: float
    p95: float
    p99: float


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every answer was as it should be; 1: some were not; 3: it could not be run."""
    options = _parser().parse_args(arguments)
    load = Load(options.users, options.rate, options.seconds)
    directory = Path(options.out or f"loadtest-{time.strftime('%Y%m%d-%H%M%S')}")
    signal.signal(signal.SIGTERM, _give_up)  # what was started is ended, too
    try:
        return _run(load, options.url, options.kinds or KINDS, directory)
    except (BenchError, OSError) as error:
        print(f"loadtest: {error}", file=sys.stderr)
        return 3


def _give_up(_number: int, _frame: object) -> NoReturn:
    raise BenchError("ended by SIGTERM")


def _run(load: Load, url: str | None, kinds: Sequence[str], directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    with _target(url) as (found, key):
        service_lines = _locust(found, key, kinds, load, directory / "lars")
    with baseline_app() as port:
        echo = Load(load.users, load.rate, min(load.seconds, _ECHO_SECONDS))
        echo_lines = _locust(f"http://127.0.0.1:{port}", None, ("Echo",), echo, directory / "echo")
    text = summary(load, service_lines, echo_lines)
    (directory / "summary.md").write_text(text)
    print(text)
    print(f"{directory}/: summary.md, lars.html, echo.html, and CSV files of both")
    return 1 if any(line.failures for line in service_lines) else 0


@contextmanager
def _target(url: str | None) -> Iterator[tuple[str, str | None]]:
    """The service that is named, or a fresh one with a key. BenchError where nothing answers."""
    if url is not None:
        url = url.rstrip("/")
        _look_at(url)
        yield url, os.environ.get("LARS_API_KEY")
        return
    with data_root() as root:
        key = make_key(root, ())
        with service({"LARS_DATA_ROOT": str(root)}) as running:
            yield f"http://127.0.0.1:{running.port}", key


def _look_at(url: str) -> None:
    """Refused connections are answers of no service, and quick ones: a table of them would mislead."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(f"{url}/health", timeout=_LOOK).close()
    except urllib.error.HTTPError:
        return  # it answers: what it wants is the users' affair
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise BenchError(f"nothing answers at {url}: {error}") from error


def _locust(url: str, key: str | None, kinds: Sequence[str], load: Load, prefix: Path) -> list[Line]:
    environ = {**os.environ, **({} if key is None else {"LARS_API_KEY": key})}
    command = [
        *(sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary"),
        *("--host", url, "--users", str(load.users), "--spawn-rate", str(max(1, load.users // 2))),
        *("--rate", str(load.rate), "--run-time", f"{load.seconds}s", "--stop-timeout", str(_STOP)),
        *("--html", f"{prefix}.html", "--csv", str(prefix), "--loglevel", "WARNING", *kinds),
    ]
    figures = Path(f"{prefix}_stats.csv")
    figures.unlink(missing_ok=True)  # of another run
    try:
        with prefix.with_suffix(".log").open("wb") as log:
            done = subprocess.run(
                command, env=environ, stdout=log, stderr=log, check=False, timeout=load.seconds + _GRACE
            )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"locust did not end in time; see {prefix}.log") from error
    if done.returncode not in (0, 1):  # 1: there were failures, which are counted
        raise BenchError(f"locust ended with {done.returncode}; see {prefix}.log")
    with figures.open(newline="") as file:
        lines = [_line(row) for row in csv.DictReader(file)]
    if not lines or not lines[-1].requests:
        raise BenchError(f"nothing was answered; see {prefix}.log")
    return lines


def _line(row: dict[str, str]) -> Line:
    """A row of locust's CSV; the last is that of all together."""
    times = [float(row[f"{percent}%"]) if row[f"{percent}%"] != "N/A" else 0.0 for percent in (50, 95, 99)]
    name = f"WRONG {row['Name']}" if row["Type"] == "WRONG" else row["Name"]
    count, failed = int(row["Request Count"]), int(row["Failure Count"])
    return Line(name, count, failed, float(row["Requests/s"]), *times)


def summary(load: Load, lines: Sequence[Line], echo: Sequence[Line]) -> str:
    """Markdown. Pure, but for what it says of the machine."""
    base = echo[-1]
    rows = [*lines, base]
    each = f"{load.users} users, {load.rate:g} requests per second of each (of hostile ones a fifth)"
    told = [
        f"{Machine.here().text()}",
        "",
        f"{each}, {load.seconds} s. Times in milliseconds, from when a request was due.",
        "",
        "| | requests | failures | per second | p50 | p95 | p99 | p50 ÷ echo |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(line, base) for line in rows),
    ]
    return "\n".join(told) + "\n"


def _row(line: Line, base: Line) -> str:
    name = "bare echo" if line is base else "all" if line.name == "Aggregated" else line.name
    ratio = f"{line.p50 / base.p50:.1f}" if base.p50 else "-"
    times = f"{line.p50:g} | {line.p95:g} | {line.p99:g}"
    return f"| {name} | {line.requests} | {line.failures} | {line.per_second:.1f} | {times} | {ratio} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadtest.sh", description="Sends load to LARS and reports how it did."
    )
    parser.add_argument(
        "--url", help="a running service (its key in LARS_API_KEY); else a fresh one is started"
    )
    parser.add_argument("--users", type=_number(1, 10_000), default=50, metavar="N")
    parser.add_argument(
        "--rate", type=_rate, default=2.0, metavar="R", help="requests per second of each user"
    )
    parser.add_argument("--seconds", type=_number(5, 3600), default=60, metavar="S")
    parser.add_argument("--out", metavar="DIR", help="where reports go (default: loadtest-DATE)")
    said = f"of users: {', '.join(KINDS)}; all of them by default"
    parser.add_argument("kinds", nargs="*", type=_kind, metavar="KIND", help=said)
    return parser


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.001 <= rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 0.001 to 1000")
    return rate


def _kind(text: str) -> str:
    if text not in KINDS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is none of {', '.join(KINDS)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
