"""What the planner has counted of its calls to models, as families of metrics. Pure.

It counts since it was started: another one counts from nothing, as every counter of a process does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

_LABELS: Final = ("provider", "model", "outcome")
_KINDS: Final = ("input", "output", "cached")
Rows = Sequence[Mapping[str, Any]]


def model_families(figures: Mapping[str, Any]) -> Iterator[Metric]:
    """Calls, tokens, cost and durations by provider, model and outcome. ``figures``: ``models`` is a list of
    objects with these three and ``calls``, ``input_tokens``, ``output_tokens``, ``cached_tokens``, ``cost``
    (US dollars, null where it is not known), ``seconds`` (their sum) and ``buckets``: [[seconds, calls that
    took no longer], ...]."""
    rows: Rows = figures["models"]
    yield _calls(rows)
    yield _tokens(rows)
    yield _cost(rows)
    yield _seconds(rows)


def _calls(rows: Rows) -> Metric:
    family = CounterMetricFamily("lars_model_calls", "Calls to a model, by how they ended.", labels=_LABELS)
    for row in rows:
        family.add_metric(_labels(row), row["calls"])
    return family


def _tokens(rows: Rows) -> Metric:
    said = "Tokens of these calls. Those of the kind cached are among those of the kind input."
    family = CounterMetricFamily("lars_model_tokens", said, labels=(*_LABELS, "kind"))
    for row in rows:
        for kind in _KINDS:
            family.add_metric([*_labels(row), kind], row[f"{kind}_tokens"])
    return family


def _cost(rows: Rows) -> Metric:
    said = "US dollars for these calls, where prices are known."
    family = CounterMetricFamily("lars_model_cost_dollars", said, labels=_LABELS)
    for row in rows:
        if row["cost"] is not None:  # 0 would be a price
            family.add_metric(_labels(row), row["cost"])
    return family


def _seconds(rows: Rows) -> Metric:
    said = "How long these calls took, until the whole answer was there or given up."
    family = HistogramMetricFamily("lars_model_call_seconds", said, labels=_LABELS)
    for row in rows:
        buckets = [(str(float(bound)), calls) for bound, calls in row["buckets"]]
        family.add_metric(_labels(row), [*buckets, ("+Inf", row["calls"])], row["seconds"])
    return family


def _labels(row: Mapping[str, Any]) -> list[str]:
    return [str(row[name]) for name in _LABELS]
