"""The text of GET /metrics, for Prometheus. Pure.

prometheus-client only writes down what the service has counted itself. Its own registry has figures of one
process; here every front says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric

from service.functions.figure_store import Overview
from service.telemetry.function_metrics import function_families
from service.telemetry.model_metrics import model_families

_VERSIONS: Final = frozenset(("version=0.0.4", "version=1.0.0"))


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to tell. Who has more to tell adds it here, and its families to ``collect``. ``models``:
    of ``Planning.figures``."""

    functions: Overview
    models: Mapping[str, Any] | None = None

    def collect(self) -> Iterator[Metric]:
        """Every family, as prometheus-client asks a collector for them."""
        yield from function_families(self.functions)
        if self.models is not None:
            yield from model_families(self.models)


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
