"""What GET /metrics says, as readers of its formats read it."""

from __future__ import annotations

import math

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from service.functions.figure_store import Overview
from service.functions.figures import OUTCOMES, Tally, VersionKey
from service.telemetry.metrics import Measured, render

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text"
# What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
HASH = "a" * 40
RUNS = (0.0, 0.00005, 0.0001, 0.00011, 0.002, 0.00215, 0.3, 10.0, 11.0, 5000.0)


def measured(*names: str) -> Measured:
    """One version of each of these functions, and one of each outcome."""
    tally = Tally({"caller_error": 3, "platform_error": 2}, cpu=1.25)
    for run in RUNS:
        tally.count("ok" if run < 1 else "function_error", run, 0.0, 1.0)
    return Measured(Overview(tuple((VersionKey(HASH, name, 12), tally) for name in names), 4, 7))


def read(text: bytes, media_type: str) -> dict[str, Metric]:
    """Families by name."""
    parse = (
        openmetrics.text_string_to_metric_families if OPEN in media_type else text_string_to_metric_families
    )
    return {family.name: family for family in parse(text.decode())}


@pytest.mark.parametrize("accept", ["", PROMETHEUS], ids=["plain", "openmetrics"])
def test_every_figure_is_told(accept: str) -> None:
    families = read(*render(measured("hello"), accept))
    labels = {"hash": HASH, "function": "hello", "version": "12"}
    calls = families["lars_function_calls"]
    assert calls.type == "counter"
    assert {sample.name for sample in calls.samples} == {"lars_function_calls_total"}
    assert [(sample.labels, sample.value) for sample in calls.samples] == [
        ({**labels, "outcome": outcome}, number)
        for outcome, number in zip(OUTCOMES, (7, 3, 3, 2), strict=True)
    ]
    (cpu,) = families["lars_function_cpu_seconds"].samples
    assert (cpu.name, cpu.labels, cpu.value) == ("lars_function_cpu_seconds_total", labels, 1.25)
    (loaded,) = families["lars_functions_loaded"].samples
    (others,) = families["lars_function_versions_left_out"].samples
    assert (loaded.value, others.value) == (7, 4)


@pytest.mark.parametrize("accept", ["", PROMETHEUS], ids=["plain", "openmetrics"])
def test_the_histogram_is_exact(accept: str) -> None:
    """Each bucket has just the calls that took no longer than it says."""
    runs = read(*render(measured("hello"), accept))["lars_function_run_seconds"]
    buckets = {
        float(sample.labels["le"]): sample.value for sample in runs.samples if sample.name.endswith("_bucket")
    }
    assert (min(buckets), sorted(buckets)[-2], max(buckets)) == (0.0001, 10.0, math.inf)
    assert buckets == {bound: sum(run <= bound for run in RUNS) for bound in buckets}
    totals = {sample.name: sample.value for sample in runs.samples if "le" not in sample.labels}
    assert totals == {
        "lars_function_run_seconds_count": len(RUNS),
        "lars_function_run_seconds_sum": pytest.approx(sum(RUNS)),
    }


@pytest.mark.parametrize("accept", ["", PROMETHEUS], ids=["plain", "openmetrics"])
def test_names_that_are_no_ascii(accept: str) -> None:
    """A function may be called so."""
    calls = read(*render(measured("größe", "名前"), accept))["lars_function_calls"]
    assert {sample.labels["function"] for sample in calls.samples} == {"größe", "名前"}


@pytest.mark.parametrize("accept", ["", PROMETHEUS], ids=["plain", "openmetrics"])
def test_nothing_was_called(accept: str) -> None:
    """There are no series of versions then, and no figures of the process that answers."""
    families = read(*render(Measured(Overview((), 0, 0)), accept))
    assert {name: [sample.value for sample in family.samples] for name, family in families.items()} == {
        "lars_function_calls": [],
        "lars_function_cpu_seconds": [],
        "lars_function_run_seconds": [],
        "lars_function_versions_left_out": [0],
        "lars_functions_loaded": [0],
    }


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("text/html", PLAIN),
        (OPEN, f"{OPEN}; version=1.0.0; charset=utf-8"),
        (PROMETHEUS, f"{OPEN}; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        (f"{OPEN};version=1.x", PLAIN),
        (f"{OPEN};version=x", PLAIN),
        (f"{OPEN};version=" + "9" * 5000, PLAIN),
        (f"{OPEN}; version=2.0.0", PLAIN),
        (f"{OPEN};version", PLAIN),
        ("text/plain;version=abc,;=;,", PLAIN),
        (f"{OPEN};version=x;version=1.0.0", PLAIN),
    ],
)
def test_the_format_is_what_the_caller_accepts(accept: str, media_type: str) -> None:
    """Whatever that is."""
    text, kind = render(measured("hello"), accept)
    assert kind == media_type
    assert text.endswith(b"# EOF\n") == kind.startswith(OPEN)
