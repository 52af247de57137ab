"""What GET /metrics says of calls to models, as readers of its formats read it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from service.functions.figure_store import Overview
from service.telemetry.metrics import Measured, render

OPEN = "application/openmetrics-text; version=1.0.0"
ROW: dict[str, Any] = {
    "provider": "openai",
    "model": "model-1",
    "outcome": "ok",
    "calls": 4,
    "input_tokens": 700,
    "output_tokens": 30,
    "cached_tokens": 500,
    "cost": 0.25,
    "seconds": 9.5,
    "buckets": [[0.5, 1], [1, 1], [2.5, 3]],
}
FAMILIES = {"lars_model_calls", "lars_model_tokens", "lars_model_cost_dollars", "lars_model_call_seconds"}


def samples(accept: str, *rows: dict[str, Any]) -> dict[str, list[Any]]:
    """By family."""
    text, media_type = render(Measured(Overview((), 0, 0), {"models": list(rows)}), accept)
    parse = openmetrics.text_string_to_metric_families if "openmetrics" in media_type else None
    families = (parse or text_string_to_metric_families)(text.decode())
    return {family.name: family.samples for family in families if family.name in FAMILIES}


@pytest.mark.parametrize("accept", ["", OPEN], ids=["plain", "openmetrics"])
def test_every_figure_is_told(accept: str) -> None:
    found = samples(accept, ROW, {**ROW, "outcome": "llm_timeout", "calls": 1, "buckets": []})
    assert set(found) == FAMILIES
    labels = {"provider": "openai", "model": "model-1", "outcome": "ok"}
    calls, failed = found["lars_model_calls"]
    assert (calls.name, calls.labels, calls.value) == ("lars_model_calls_total", labels, 4)
    assert (failed.labels["outcome"], failed.value) == ("llm_timeout", 1)
    tokens = {s.labels["kind"]: s.value for s in found["lars_model_tokens"] if s.labels["outcome"] == "ok"}
    assert tokens == {"input": 700, "output": 30, "cached": 500}
    cost = found["lars_model_cost_dollars"][0]
    assert (cost.name, cost.value) == ("lars_model_cost_dollars_total", 0.25)


@pytest.mark.parametrize("accept", ["", OPEN], ids=["plain", "openmetrics"])
def test_the_histogram_ends_with_all_calls(accept: str) -> None:
    found = samples(accept, ROW)["lars_model_call_seconds"]
    buckets = {float(s.labels["le"]): s.value for s in found if s.name.endswith("_bucket")}
    assert buckets == {0.5: 1, 1.0: 1, 2.5: 3, math.inf: 4}
    totals = {s.name.rpartition("_")[2]: s.value for s in found if "le" not in s.labels}
    assert totals == {"count": 4, "sum": 9.5}


@pytest.mark.parametrize("accept", ["", OPEN], ids=["plain", "openmetrics"])
def test_a_cost_that_is_not_known_is_not_told(accept: str) -> None:
    """It would be read as 0 dollars; the calls are told."""
    found = samples(accept, {**ROW, "cost": None}, {**ROW, "outcome": "llm_failed", "cost": 0.0})
    costs = found["lars_model_cost_dollars"]
    assert [(sample.labels["outcome"], sample.value) for sample in costs] == [("llm_failed", 0.0)]
    assert len(found["lars_model_calls"]) == 2


def test_nothing_is_told_without_a_planner() -> None:
    text, _ = render(Measured(Overview((), 0, 0)), "")
    assert b"lars_model" not in text
