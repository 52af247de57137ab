"""What the processes of a service have counted, as families of metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from service.telemetry.board import Column, total
from service.telemetry.catalog import FAMILIES
from service.telemetry.families import Counter, Family, Histogram

Totals = Mapping[tuple[str, ...], list[float]]


def board_families(columns: Sequence[Column]) -> Iterator[Metric]:
    """Every family of the catalog. Of those with many sets of labels, the ones that were counted."""
    for family in FAMILIES:
        if family.by_process:
            yield _by_process(family, columns)
        elif isinstance(family, Histogram):
            yield _histogram(family, _told(family, columns))
        else:
            yield _plain(family, _told(family, columns))


def _told(family: Family, columns: Sequence[Column]) -> Totals:
    found = total(family, columns)
    if not family.sparse:
        return found
    return {values: cells for values, cells in found.items() if any(cells)}


def _plain(family: Family, totals: Totals) -> Metric:
    told = _family(family, family.labels)
    for values, (number,) in totals.items():
        told.add_metric(values, number)
    return told


def _by_process(family: Family, columns: Sequence[Column]) -> Metric:
    told = _family(family, ("process",))
    for column in columns:
        if column.lives:
            told.add_metric((column.name,), column.cells[family.at[()]])
    return told


def _family(family: Family, labels: Sequence[str]) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if isinstance(family, Counter) else GaugeMetricFamily
    return kind(family.name, family.said, labels=labels)


def _histogram(family: Histogram, totals: Totals) -> Metric:
    told = HistogramMetricFamily(family.name, family.said, labels=family.labels)
    names = (*(str(bound) for bound in family.bounds), "+Inf")
    for values, (seconds, *counts) in totals.items():
        told.add_metric(values, list(zip(names, accumulate(counts), strict=True)), seconds)
    return told
