"""What improvements there are, and how each does, as JSON shows it. Pure, but that others run in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from service.functions.figures import Tally, VersionKey, tally_view
from service.functions.values import Function, Improvement
from service.times import shown_time

_SLICE = 50  # improvements: a millisecond
View = dict[str, object]


@dataclass(frozen=True, slots=True)
class Standing:
    """``enabled``: there is a key that may load; ``capable``: there is a language model to write with;
    ``now``: seconds since the epoch."""

    enabled: bool
    capable: bool
    now: float


async def status_view(
    improvements: Sequence[Function], figures: Mapping[VersionKey, Tally], standing: Standing
) -> View:
    """GET /self-improve/status. Improvements in their order, by type."""
    lists: dict[str, list[View]] = {f"{kind}_improvements": [] for kind in get_args(Improvement)}
    for number, function in enumerate(improvements, 1):
        lists[f"{function.spec.improvement}_improvements"].append(improvement_view(function, figures))
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    return {
        "status": "active" if standing.enabled else "disabled",
        "total_loaded": len(improvements),
        **lists,
        "self_improvement_enabled": standing.enabled,
        "agent_development_capable": standing.capable,
        "timestamp": shown_time(standing.now),
    }


def improvement_view(function: Function, figures: Mapping[VersionKey, Tally]) -> View:
    """One of them, with the figures of its current version. ``module_id``: the digest of that version's
    text."""
    spec = function.spec
    tally = figures.get(VersionKey(spec.hash, spec.name, function.version), Tally())
    shown = tally_view(tally)
    rate = tally.success_rate
    return {
        "module_id": function.digest,
        "function_name": spec.name,
        "endpoint_path": spec.path,
        "loaded_at": shown_time(function.created),
        "visible_pixel_hash": spec.hash,
        "version": function.version,
        "calls": tally.calls,
        "success_rate": None if rate is None else round(rate, 4),
        "latency": {name: shown[name] for name in ("p50_ms", "p95_ms")},
    }
