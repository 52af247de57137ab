"""The figures of functions as families of metrics, by version. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from service.functions.figure_store import Overview
from service.functions.figures import BOUNDS, OUTCOMES, Tally, VersionKey

_LABELS: Final = ("hash", "function", "version")
_ENDS: Final = range(15, 91, 5)  # buckets of BOUNDS that end one here: 0.1 ms to 10 s, three to a decade
_NAMES: Final = (*(str(BOUNDS[end]) for end in _ENDS), "+Inf")


def function_families(overview: Overview) -> Iterator[Metric]:
    """Calls, CPU and run times of the busiest versions, how many others were called, how many functions are
    loaded. One after the other: each is thousands of samples."""
    yield _calls(overview)
    yield _cpu(overview)
    yield _runs(overview)
    left_out = "Versions that were called, less often than those that are told."
    yield GaugeMetricFamily("lars_function_versions_left_out", left_out, overview.others)
    yield GaugeMetricFamily("lars_functions_loaded", "Functions that are served.", overview.loaded)


def _calls(overview: Overview) -> Metric:
    said = "Calls of a version, by how they ended."
    family = CounterMetricFamily("lars_function_calls", said, labels=(*_LABELS, "outcome"))
    for key, tally in overview.busiest:
        for outcome in OUTCOMES:
            family.add_metric((*_labels(key), outcome), tally.outcomes.get(outcome, 0))
    return family


def _cpu(overview: Overview) -> Metric:
    said = "CPU that workers used for calls of a version."
    family = CounterMetricFamily("lars_function_cpu_seconds", said, labels=_LABELS)
    for key, tally in overview.busiest:
        family.add_metric(_labels(key), tally.cpu)
    return family


def _runs(overview: Overview) -> Metric:
    said = "How long calls of a version ran."
    family = HistogramMetricFamily("lars_function_run_seconds", said, labels=_LABELS)
    for key, tally in overview.busiest:
        family.add_metric(_labels(key), _buckets(tally), tally.run)
    return family


def _labels(key: VersionKey) -> tuple[str, str, str]:
    return key.hash, key.name, str(key.version)


def _buckets(tally: Tally) -> list[tuple[str, float]]:
    """Names of bounds, each with the calls that did not take longer."""
    found = [0] * len(_NAMES)
    for bucket, number in tally.runs.items():
        found[bisect_left(_ENDS, bucket)] += number
    return list(zip(_NAMES, accumulate(found), strict=True))
