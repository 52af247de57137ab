"""What a running service tells of itself, whichever front is asked, and what is left when one is killed."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import service as package
from tests.service_process import running_service
from tests.support import wait_until
from tests.telemetry.conftest import Watched
from tests.telemetry.told import counted, families, fronts, only, samples, scraped, value

ROOT = Path(__file__).resolve().parents[2]
# What a scrape itself changes, or time.
_MOVES = re.compile(
    r"lars_(process_|connections_|data_root_|request|response_bytes|spans|forks|pool_workers)"
)


def test_what_was_asked_is_told(watched: Watched) -> None:
    """Each request of the fixture where it belongs."""
    text = scraped(watched.service)

    def told(name: str, **labels: str) -> float:
        return value(text, f"lars_{name}", **labels)

    assert told("requests_total", endpoint="execute", method="POST", status="2xx") == 2
    assert told("requests_total", endpoint="execute", method="GET", status="4xx") == 1
    assert told("requests_total", endpoint="generate", method="POST", status="2xx") == 1
    assert told("requests_total", endpoint="rest", method="POST", status="2xx") == 1
    assert told("requests_total", endpoint="rest", method="GET", status="2xx") == 2
    assert told("requests_total", endpoint="rest", method="other", status="4xx") == 1
    assert told("requests_total", endpoint="sessions", method="DELETE", status="2xx") == 1
    assert told("request_seconds_count", endpoint="execute") == 3
    assert 0.1 < told("request_seconds_sum", endpoint="execute") < 30
    assert told("request_bytes_count", endpoint="rest") == 4
    assert told("request_bytes_sum", endpoint="rest") == len('{"text":"one"}')
    assert told("request_cpu_seconds_total", endpoint="execute") > 0
    assert told("errors_total", code="method_not_allowed") == 2
    assert told("programs_total", verdict="ok") == 2
    assert told("programs_total", verdict="timeout") == 1
    assert told("worker_kills_total", domain="oneshot", reason="timeout") == 1
    for step in ("queue", "bind", "run"):
        assert told(f"{step}_seconds_count", domain="oneshot") == 3
    assert told("queue_seconds_count", domain="session") >= 3
    assert told("run_seconds_count", domain="session") == 3
    assert told("bind_seconds_count", domain="session") >= 1
    assert told("plan_cache_misses_total", source="builtin") >= 2
    assert (
        told("plan_cache_hits_total", source="builtin") + told("plan_cache_misses_total", source="builtin")
        == 3
    )
    assert told("sessions_created_total") == 1
    assert told("sessions_deleted_total", by="request") == 1
    assert told("forks_total", domain="oneshot") >= 3
    assert told("fork_failures_total", domain="oneshot") == 0
    assert told("improvement_runs", status="promoted") == 0
    assert told("model_calls_total", provider="mock", model="mock", outcome="ok") == 1


def test_what_there_is(watched: Watched) -> None:
    """Gauges, of all processes."""
    service = watched.service
    wait_until(lambda: value(scraped(service), "lars_fronts_ready") == 2, "two fronts")
    wait_until(
        lambda: value(scraped(service), "lars_pool_workers", domain="oneshot", state="idle") == 16, "workers"
    )
    text = scraped(service)
    assert (value(text, "lars_fronts"), value(text, "lars_zygotes")) == (2, 1)
    assert (value(text, "lars_planner_configured"), value(text, "lars_planner_up")) == (1, 1)
    assert value(text, "lars_connections_open") >= 1
    assert 0 < value(text, "lars_data_root_free_bytes") <= value(text, "lars_data_root_size_bytes")
    (build,) = families(text)["lars_build_info"].samples
    assert build.labels["version"] == package.__version__
    processes = {sample.labels["process"] for sample in families(text)["lars_process_open_fds"].samples}
    assert processes == {"supervisor", "front-1", "front-2"}
    for process in processes:
        assert 10 < value(text, "lars_process_open_fds", process=process) < 500
        assert 10e6 < value(text, "lars_process_resident_memory_bytes", process=process) < 1e9
        assert value(text, "lars_process_cpu_seconds_total", process=process) > 0.1
        started = value(text, "lars_process_start_time_seconds", process=process)
        assert abs(started - service.log.stat().st_ctime) < 600


def test_every_front_says_the_same(watched: Watched) -> None:
    """The other one stands still meanwhile: but for what a scrape itself makes, all is equal."""
    said = []
    for front in fronts(watched.service):
        with only(watched.service, front):
            found = samples(scraped(watched.service))
        said.append({sample: value for sample, value in found.items() if not _MOVES.match(sample[0])})
    assert len(said) == 2
    assert said[0] == said[1]
    assert len(said[0]) > 200


def test_every_metric_is_documented(watched: Watched) -> None:
    """In docs/metrics.md, with its type and its labels, and no other is."""
    shown = {
        name.strip("`"): (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in re.findall(
            r"^\| (`lars_\w+`) \| (\w+) \|([^|]*)\|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
        )
    }
    text = scraped(watched.service)
    told = {}
    for name, family in families(text).items():
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        told[f"{name}_total" if family.type == "counter" else name] = (family.type, labels)
    assert shown == told


def test_problems_of_plans(watched: Watched) -> None:
    """A plan answers them itself: they are counted and logged by their code as those of the front are, also
    where the answer has no body."""
    before = value(scraped(watched.service), "lars_errors_total", code="not_found")
    for method in ("GET", "HEAD"):
        answer = watched.client.request(method, "/notes/999", headers={"X-Session-ID": "other"})
        assert answer.status_code == 404
        (line,) = watched.service.requests_logged(answer.headers["X-Request-ID"])
        assert line["error_code"] == "not_found"
    assert value(scraped(watched.service), "lars_errors_total", code="not_found") == before + 2


def test_who_waits_in_vain(tmp_path: Path) -> None:
    """Its wait is told as that of others: without it, what waits would seem the shorter the worse it is."""
    with (
        running_service(tmp_path, {"LARS_MAX_WORKERS": "1", "LARS_POOL_SIZE": "1"}) as service,
        ThreadPoolExecutor() as threads,
    ):
        first = threads.submit(service.execute, "import time\ntime.sleep(1.5)", timeout=5)
        busy = {"domain": "oneshot", "state": "busy"}
        wait_until(lambda: value(scraped(service), "lars_pool_workers", **busy) == 1, "a busy worker")
        answer = service.execute("result = 1", timeout=0.3)
        assert (answer.status_code, answer.json()["code"]) == (503, "queue_timeout")
        assert first.result().status_code == 200
        text = scraped(service)
        assert value(text, "lars_queue_seconds_count", domain="oneshot") == 2
        # Not quite its timeout: that began when the request came.
        assert 0.2 <= value(text, "lars_queue_seconds_sum", domain="oneshot") < 1
        (line,) = service.requests_logged(answer.headers["X-Request-ID"])
        assert line["queue_ms"] >= 200


def test_a_front_that_is_killed(tmp_path: Path) -> None:
    """Counters never go back, not for a moment; its gauges are gone with it; another takes its place."""
    with running_service(tmp_path, {"LARS_FRONTS": "2"}) as service:
        for _ in range(4):
            service.ran("result = 1")
        wait_until(lambda: value(scraped(service), "lars_fronts_ready") == 2, "two fronts")
        before, killed = counted(scraped(service)), fronts(service)[0]
        os.kill(killed, signal.SIGKILL)

        def replaced() -> bool:
            nonlocal before
            text = scraped(service)
            now = counted(text)
            assert {sample for sample, was in before.items() if now.get(sample, was) < was} == set()
            before = now
            return value(text, "lars_fronts_ready") == 2

        replaced()
        # Not by looking at figures all the time, which would keep the CPUs from the new one.
        wait_until(lambda: len({*fronts(service)} - {killed}) == 2, "another process")
        wait_until(replaced, "another front")
        text = scraped(service)
        assert value(text, "lars_restarts_total", kind="front", reason="died") == 1
        assert value(text, "lars_programs_total", verdict="ok") == 4
        processes = {sample.labels["process"] for sample in families(text)["lars_process_max_fds"].samples}
        assert processes == {"supervisor", "front-1", "front-2"}
