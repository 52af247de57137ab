"""What is told of a service besides what its processes count: version, disk, runs of improvement."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from service import __version__
from service.improvement.runs.values import Active, Ended

_STATUSES: Final = (*get_args(Active), *get_args(Ended))


def build_family() -> Metric:
    """What runs."""
    family = GaugeMetricFamily("lars_build_info", "What runs; always 1.", labels=("version", "python"))
    family.add_metric((__version__, platform.python_version()), 1)
    return family


def runs_family(by_status: Mapping[str, int]) -> Metric:
    """Those that are kept."""
    said = "Runs of improvement that are kept, by status."
    family = GaugeMetricFamily("lars_improvement_runs", said, labels=("status",))
    for status in _STATUSES:
        family.add_metric((status,), by_status.get(status, 0))
    return family


def disk_families(root: Path) -> Iterator[Metric]:
    """Of the file system that has the data, statvfs(3). None while there is no such directory."""
    try:
        found = os.statvfs(root)
    except OSError:
        return
    size, free = "Size of the file system that LARS_DATA_ROOT is on.", "What of it the service may still use."
    yield GaugeMetricFamily("lars_data_root_size_bytes", size, found.f_blocks * found.f_frsize)
    yield GaugeMetricFamily("lars_data_root_free_bytes", free, found.f_bavail * found.f_frsize)
