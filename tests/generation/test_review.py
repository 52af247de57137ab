"""POST /execute with ``validate_code``: the model's review, what of it runs, and what is said without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from sandbox_runtime.planning import Failure, Standing
from service.access.scopes import Scope
from service.app import create_app
from service.limits.rates import Rates
from service.limits.store import open_store
from service.settings import Settings
from service.state import ServiceState, new_passage, new_state
from tests.execution.replies import MEMBERS, problem
from tests.generation.desk import GENERATE, SETTINGS, Desk
from tests.generation.scripted_planner import ScriptedPlanner
from tests.service.access.keys import new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")
SAFE = "Code is safe to execute."
FOUND = "import os\nos.system('x')"


def found(assessment: str, code: str | None = None) -> dict[str, Any]:
    """What the planner hands on of a model's reply."""
    return {"assessment": assessment, "code": code}


async def test_a_better_program_runs(desk: Desk) -> None:
    desk.planner.begin(found("The loop never ends; mine does.", "result = 'better'"))
    body = await desk.reviewed("result = 'mine'", policy="restricted")
    assert (body["original_code"], body["executed_code"]) == ("result = 'mine'", "result = 'better'")
    assert (body["result"], body["validation_result"]) == ("better", "The loop never ends; mine does.")
    assert set(body) == MEMBERS
    (ask,) = desk.planner.asks
    assert (ask.task, ask.repair) == ("review", None)
    assert ask.given == {"code": "result = 'mine'", "policy": "restricted", "findings": ""}


@pytest.mark.parametrize("code", [None, "", "result = 'mine'\n"])
async def test_a_program_that_is_good(desk: Desk, code: str | None) -> None:
    desk.planner.begin(found("Nothing is wrong.", code))
    body = await desk.reviewed("result = 'mine'")
    assert (body["result"], body["executed_code"]) == ("mine", "result = 'mine'")
    assert body["validation_result"] == "Nothing is wrong."


async def test_static_findings_are_of_what_ran(desk: Desk) -> None:
    desk.planner.begin(found("Fine."), found("Fine.", FOUND), found("Better.", "result = 1"))
    said = (await desk.reviewed(FOUND))["validation_result"]
    assert said.startswith("Fine. Static findings: Line 2: ")
    assert (await desk.reviewed("result = 2"))["validation_result"] == said
    assert (await desk.reviewed(FOUND))["validation_result"] == "Better."


@pytest.mark.parametrize(
    ("better", "why"), [("import os", "the policy refused it: "), ("x = (", "it does not compile:")]
)
async def test_what_cannot_run_is_not_used(desk: Desk, better: str, why: str) -> None:
    """The original runs, with all of its time."""
    desk.planner.begin(found("Mine is better.", better))
    body = await desk.reviewed("result = 1", policy="restricted")
    assert (body["result"], body["executed_code"]) == (1, "result = 1")
    told = "Mine is better. The original ran, and not what the model wrote: "
    assert body["validation_result"].startswith(f"{told}{why}")


async def test_a_better_program_that_fails_is_the_outcome(desk: Desk) -> None:
    desk.planner.begin(found("Mine is better.", "1 / 0"))
    body = await desk.reviewed("result = 1")
    assert (body["verdict"], body["executed_code"]) == ("exception", "1 / 0")


async def test_a_program_that_is_refused_anyway(desk: Desk) -> None:
    """A review makes nothing run that the policy refuses."""
    desk.planner.begin(found("It is safe.", "import sys"))
    answer = await desk.post("/execute", code="import os", policy="restricted", validate_code=True)
    assert "os" in problem(answer, 403, "policy_refused")["detail"]


async def test_a_reply_of_no_use_is_asked_for_again(desk: Desk) -> None:
    desk.planner.begin(Failure("llm_bad_reply", "no JSON", reply="Well."), found("Fine."))
    assert (await desk.reviewed("result = 1"))["validation_result"] == "Fine."
    assert desk.planner.asks[1].repair is not None
    assert (desk.planner.asks[1].repair.reply, len(desk.planner.asks)) == ("Well.", 2)


async def test_a_model_without_a_word(desk: Desk) -> None:
    desk.planner.begin(found(""))
    said = (await desk.reviewed("result = 1"))["validation_result"]
    assert said == "The model reviewed it without a word."


@pytest.mark.parametrize("code", ["llm_timeout", "llm_unreachable", "llm_bad_reply"])
async def test_a_review_that_fails(desk: Desk, code: str) -> None:
    """The original runs, the static findings are told, and that there was no review."""
    desk.planner.begin(*[Failure(code, "some reason")] * 2)
    desk.planner.delay = 0.2
    body = await desk.reviewed("result = 1", timeout=0.2)
    assert (body["result"], body["executed_code"]) == (1, "result = 1")
    assert body["validation_result"] == f"{SAFE} No model reviewed it: the review failed with {code}."


async def test_no_review_is_asked_for(desk: Desk) -> None:
    """Then no model is."""
    body = await desk.reviewed("result = 1", validate_code=False)
    assert (body["validation_result"], desk.planner.asks) == (None, [])


async def test_a_review_takes_nothing_of_the_programs_time(desk: Desk) -> None:
    desk.planner.begin(found("Fine."))
    desk.planner.delay = 0.4
    assert (await desk.reviewed("result = 1", timeout=0.2))["result"] == 1


@asynccontextmanager
async def other(desk: Desk, **settings: str) -> AsyncIterator[tuple[ServiceState, httpx.AsyncClient]]:
    """Another front over the same sandbox, without a planner yet."""
    state = new_state(
        Settings.from_env({"LARS_DATA_ROOT": str(desk.state.settings.data_root), **settings}),
        desk.sandbox.pool,
        new_passage(desk.state.settings, await open_store("memory")),
    )
    transport = httpx.ASGITransport(create_app(state))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield state, client
    state.planning.line.close()


async def test_without_a_model(desk: Desk) -> None:
    """The sentences of the static findings stand first, as they always did."""
    async with other(desk) as (_, client):
        for code, said in (("result = 1", SAFE), ("import socket", "Line 1: imports socket: ")):
            body = (await client.post("/execute", json={"code": code, "validate_code": True})).json()
            assert body["validation_result"].startswith(said)
            assert body["validation_result"].endswith(
                " No model reviewed it: no language model is configured."
            )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a planner that is not there."""
    monkeypatch.setattr("service.planning.line._PATIENCE", 0.02)


async def test_a_planner_that_is_down(desk: Desk, impatient: None) -> None:
    """It is told apart from none."""
    async with other(desk, **SETTINGS) as (_, client):
        body = (await client.post("/execute", json={"code": "1", "validate_code": True})).json()
        assert body["validation_result"].endswith("the review failed with planner_unavailable.")
        problem(await client.post(GENERATE, json={"query": "x"}), 503, "planner_unavailable")


async def test_a_planner_that_goes_meanwhile(desk: Desk, impatient: None) -> None:
    """Whoever waits for it is told; its successor answers."""
    async with other(desk, **SETTINGS) as (state, client):
        for _ in range(2):
            planner = ScriptedPlanner()
            planner.begin({"code": "result = 1", "assessment": ""})
            await planner.attach(state.planning.line)
            assert (await client.post(GENERATE, json={"query": "x"})).json()["result"] == 1
            await planner.leave()
            problem(await client.post(GENERATE, json={"query": "x"}), 503, "planner_unavailable")


@pytest.mark.parametrize(
    ("settings", "standing", "named"),
    [
        ({}, None, "set OPENAI_API_KEY, ANTHROPIC_API_KEY, TOGETHER_API_KEY or LARS_LLM_BASE_URL"),
        (SETTINGS, Standing((), {"openai": "set OPENAI_API_KEY"}, {}), "set OPENAI_API_KEY"),
    ],
)
async def test_nothing_is_configured(
    desk: Desk, settings: dict[str, str], standing: Standing | None, named: str
) -> None:
    """It is said what to set, whatever the body is; /capabilities tells the same."""
    async with other(desk, **settings) as (state, client):
        planner = ScriptedPlanner()
        if standing is not None:
            await planner.attach(state.planning.line, standing)
        answer = await client.post(GENERATE, content=b"no JSON")
        assert named in problem(answer, 503, "planner_not_configured")["detail"]
        told = (await client.get("/capabilities")).json()["models"]
        assert (told["configured"], told["ready"]) == (False, [])
        assert told["why"] == (dict(standing.why) if standing else {})
        await planner.leave()


async def test_models_are_a_capability(desk: Desk) -> None:
    told = (await desk.client.get("/capabilities")).json()["models"]
    assert told == {"configured": True, "provider": "openai", "ready": ["openai"], "why": {}}


async def test_figures_of_models(desk: Desk) -> None:
    """GET /metrics has the planner's; a front that has no planner has no such families."""
    numbers = {"calls": 2, "input_tokens": 7, "output_tokens": 3, "cached_tokens": 0, "cost": 0.5}
    row = {"provider": "openai", "model": "model-1", "outcome": "ok", **numbers}
    desk.planner.figures = {"models": [{**row, "seconds": 1.5, "buckets": [[1, 2]]}]}
    text = (await desk.client.get("/metrics")).text
    labels = 'model="model-1",outcome="ok",provider="openai"'
    assert f"lars_model_calls_total{{{labels}}} 2.0\n" in text
    standing, desk.state.planning.line.standing = desk.state.planning.line.standing, None
    assert "lars_model" not in (await desk.client.get("/metrics")).text
    desk.state.planning.line.standing = standing


async def test_keys(desk: Desk) -> None:
    """One without the scope generate gets static findings only, and generates nothing. Another pays with its
    tokens, until none are left."""
    plain, plain_text = new_key(scopes=(Scope.EXECUTE,))
    rich, rich_text = new_key(rates=Rates(tokens=150), scopes=(Scope.EXECUTE, Scope.GENERATE))
    async with other(desk, **SETTINGS) as (state, client):
        planner = ScriptedPlanner()
        await planner.attach(state.planning.line)
        state.passage.gate.keyring.update([plain, rich])
        planner.begin({"code": "result = 1", "assessment": ""}, found("Fine."), found("Never."))
        own = {"X-API-Key": plain_text.text}
        checked = {"code": "result = 1", "validate_code": True}
        body = (await client.post("/execute", json=checked, headers=own)).json()
        assert (
            body["validation_result"] == f"{SAFE} No model reviewed it: the key has not the scope generate."
        )
        problem(await client.post(GENERATE, json={"query": "x"}, headers=own), 403, "scope_missing")
        own = {"X-API-Key": rich_text.text}
        answer = await client.post(GENERATE, json={"query": "x"}, headers=own)
        assert (answer.status_code, planner.asks[0].tokens) == (200, 150)
        assert (await client.post("/execute", json=checked, headers=own)).json()[
            "validation_result"
        ] == "Fine."
        problem(await client.post(GENERATE, json={"query": "x"}, headers=own), 429, "rate_limited")
        body = (await client.post("/execute", json=checked, headers=own)).json()
        assert body["validation_result"].endswith("the review failed with rate_limited.")
        assert [ask.tokens for ask in planner.asks] == [150, 30]
        spent = {name: figures.tokens for (name, _), figures in state.passage.meter.take().items()}
        assert spent[f"key:{rich.id}"] == 240
        await planner.leave()
