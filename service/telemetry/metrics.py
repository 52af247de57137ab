"""The text of GET /metrics, for Prometheus. Pure, but for a look at the file system.

prometheus-client only writes down what the service has counted itself. Its own registry has figures of one
process; here every front says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from service.functions.figure_store import Overview
from service.telemetry.board import Column
from service.telemetry.board_metrics import board_families
from service.telemetry.function_metrics import function_families
from service.telemetry.model_metrics import model_families
from service.telemetry.service_metrics import build_family, disk_families, runs_family

_VERSIONS: Final = frozenset(("version=0.0.4", "version=1.0.0"))


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to tell. Who has more to tell adds it here, and its families to ``collect``. ``models``:
    of ``Planning.figures``; ``columns``: of the processes; ``runs``: of improvement, by status;
    ``data_root``: whose file system is looked at."""

    functions: Overview
    models: Mapping[str, Any] | None = None
    columns: Sequence[Column] = ()
    runs: Mapping[str, int] | None = None
    data_root: Path | None = None

    def collect(self) -> Iterator[Metric]:
        """Every family, as prometheus-client asks a collector for them."""
        yield from function_families(self.functions)
        if self.models is not None:
            yield from model_families(self.models)
        if self.columns:
            yield from board_families(self.columns)
            yield build_family()
        if self.runs is not None:
            yield runs_family(self.runs)
        if self.data_root is not None:
            yield from disk_families(self.data_root)


def render(measured: Measured, accept: str) -> tuple[bytes, str]:
    """The text, and its media type: OpenMetrics where ``accept``, the caller's, asks for it. Takes
    milliseconds for each hundred versions."""
    encode, media_type = choose_encoder(_readable(accept))
    return encode(measured), media_type


def _readable(accept: str) -> str:
    """Without the versions that there are not: the library compares any with numbers, and repeats them."""
    wanted = (
        kind
        for kind in accept.split(",")
        if all(part.strip() in _VERSIONS for part in kind.split(";") if "version" in part)
    )
    return ",".join(wanted)
