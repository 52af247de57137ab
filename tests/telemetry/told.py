"""What GET /metrics tells, as Prometheus reads it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.service_process import Service

Sample = tuple[str, frozenset[tuple[str, str]]]


def families(text: str) -> dict[str, Metric]:
    """By the name that stands in the text, without a counter's suffix."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def samples(text: str) -> dict[Sample, float]:
    """Each value by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families(text).values()
        for sample in family.samples
    }


def counted(text: str) -> dict[Sample, float]:
    """Those that never grow less: counters, and buckets, counts and sums of histograms."""
    counters = {
        sample.name
        for family in families(text).values()
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }
    return {sample: value for sample, value in samples(text).items() if sample[0] in counters}


def value(text: str, name: str, **labels: str) -> float:
    """Of one sample; 0 where there is none."""
    return samples(text).get((name, frozenset(labels.items())), 0.0)


def scraped(service: Service) -> str:
    """On a connection of its own."""
    with service.client() as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return answer.text


def fronts(service: Service) -> list[int]:
    """Pids of the fronts that live."""
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"service.front" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextmanager
def only(service: Service, front: int) -> Iterator[None]:
    """No other one answers meanwhile."""
    others = [pid for pid in fronts(service) if pid != front]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)
