"""What is told of improvements: the members that callers know, and how each does."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from service.functions.figures import CallOutcome, Tally, VersionKey
from service.functions.values import Function, FunctionSpec, Improvement
from service.improvement.status import Standing, improvement_view, status_view
from tests.functions.api import ADD, Api, hash_of, value
from tests.improvement.improving import TYPES, improved, listed, status

SPEC = FunctionSpec(hash_of(__name__), "better", "m", "/improved/scan/better", "GET", "scan")
FUNCTION = Function(SPEC, 2, "d" * 64, '{"parameters":[]}', None, True, 0.0, 9.0, 1, "tester")
KEY = VersionKey(SPEC.hash, SPEC.name, 2)
MEMBERS = [
    "status",
    "total_loaded",
    "scan_improvements",
    "agent_improvements",
    "api_improvements",
    "self_improvement_enabled",
    "agent_development_capable",
    "timestamp",
]
NONE = {"p50_ms": None, "p95_ms": None}


async def test_nothing_is_loaded() -> None:
    """Every member is there."""
    view = await status_view([], {}, Standing(enabled=False, capable=True, now=0.0))
    assert list(view) == MEMBERS
    assert list(view.values()) == ["disabled", 0, [], [], [], False, True, "1970-01-01T00:00:00Z"]


async def test_many() -> None:
    """Each is in the list of its type, in order."""
    many = [
        replace(
            FUNCTION, spec=replace(SPEC, name=f"f{number}", improvement=get_args(Improvement)[number % 3])
        )
        for number in range(200)
    ]
    view = await status_view(many, {}, Standing(enabled=True, capable=False, now=0.0))
    assert (view["status"], view["total_loaded"]) == ("active", 200)
    for offset, kind in enumerate(TYPES):
        shown = view[f"{kind}_improvements"]
        assert isinstance(shown, list)
        assert [each["function_name"] for each in shown] == [f"f{n}" for n in range(offset, 200, 3)]


@pytest.mark.parametrize(
    ("outcomes", "rate"),
    [
        ({}, None),
        ({"caller_error": 3, "platform_error": 2}, None),
        ({"ok": 2, "function_error": 1, "caller_error": 7, "platform_error": 2}, 0.6667),
        ({"function_error": 1}, 0.0),
        ({"ok": 1}, 1.0),
    ],
)
def test_the_rate_is_of_calls_that_ran(outcomes: dict[CallOutcome, int], rate: float | None) -> None:
    """All calls are counted; those of another version are not."""
    tally = Tally(outcomes)
    figures = {KEY: tally, KEY._replace(version=1): Tally({"ok": 99})}
    view = improvement_view(FUNCTION, figures)
    assert (view["calls"], view["success_rate"], view["version"]) == (sum(outcomes.values()), rate, 2)
    assert view["latency"] == NONE


def test_what_is_told_of_each(api: Api, contract: str) -> None:
    """With figures of this caller's calls, at once; a function that improves nothing is not there."""
    before = status(api)
    improved(api, contract, "told", "100 // a", "agent")
    api.serve(hash_of(f"{contract} other"), ADD, "add")
    (fresh,) = listed(api, contract)["agent"]
    loaded_at = fresh.pop("loaded_at")
    digest = value(api.ask("GET", api.about(contract, "told")))["digest"]
    assert fresh == {
        "module_id": digest,
        "function_name": "told",
        "endpoint_path": "/improved/agent/told",
        "visible_pixel_hash": contract,
        "version": 1,
        "calls": 0,
        "success_rate": None,
        "latency": NONE,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", loaded_at)
    assert abs(datetime.fromisoformat(loaded_at).timestamp() - time.time()) < 20
    for a in (1, 2, 3, 0, "x"):
        api.ask("GET", "/improved/agent/told", params={"a": a})
    (called,) = listed(api, contract)["agent"]
    assert (called["calls"], called["success_rate"]) == (5, 0.75)
    assert 0 < called["latency"]["p50_ms"] <= called["latency"]["p95_ms"] < 2000
    after = status(api)
    assert list(after) == MEMBERS
    assert after["total_loaded"] == before["total_loaded"] + 1
    assert (after["status"], after["self_improvement_enabled"]) == ("active", True)
    assert after["agent_development_capable"] is False  # no language model is configured here
    assert datetime.fromisoformat(after["timestamp"]) <= datetime.now(UTC)


def test_the_document_has_it(api: Api, contract: str) -> None:
    """At its path with both methods, tagged, as it is now."""
    improved(api, contract, "described")
    path = "/improved/scan/described"
    item = value(api.ask("GET", "/openapi.json"))["paths"][path]
    assert set(item) == {"get", "post"}
    assert [each["tags"] for each in item.values()] == [["improvement: scan", contract[:12]]] * 2
    assert item["get"]["parameters"][0]["name"] == "a"
    schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == ["a"]
    api.unload(contract, "described")
    assert path not in value(api.ask("GET", "/openapi.json"))["paths"]
