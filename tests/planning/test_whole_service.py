"""The whole service with a provider behind it: real processes from the caller's socket to the provider's."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.planning.providers.forms import CHAT, MESSAGES, RESPONSES
from tests.planning.providers.replies import (
    QUOTA_USED,
    SPEND_LIMIT,
    Drops,
    Fails,
    Raw,
    Received,
    Redirects,
    Reply,
    Says,
    Trickles,
)
from tests.planning.providers.server import FakeProvider, Scripted
from tests.service_process import Service, running_service
from tests.support import wait_until

KEY = "sk-planted-0123456789"
IMPROVED = json.dumps(
    {
        "code": "def total(n: int) -> int:\n    return n * (n + 1) // 2\n",
        "assessment": "It adds no more: the sum has a formula.",
        "cases": json.dumps([{"arguments": {"n": 0}, "result": 0}, {"arguments": {"n": 10}}]),
    }
)
PRIMES = json.dumps({"code": "print(2, 3, 5)\nresult = [2, 3, 5]", "assessment": "It is safe and correct."})
CLOSING = json.dumps(
    {
        "action": "close",
        "resource": "projects",
        "block": 'record = store.update(ctx["segments"][1], {"closed": True})\n'
        "if record is None:\n"
        '    REPLY = make_response(404, {"error": "there is no such project"})\n'
        "else:\n"
        "    REPLY = make_response(200, record)\n",
    }
)
BETTER = json.dumps({"assessment": "It never ends; now it does.", "code": "print('ended')"})
REPLIES = {  # by how a prompt begins
    "You write plans": Says(CLOSING),
    "You write Python programs": Says(PRIMES, cached_tokens=40),
    "You review Python programs": Says(BETTER, cached_tokens=40),
    "You improve Python functions": Says(IMPROVED, cached_tokens=40),
}
AT_ONCE = {"retry-after": "0"}


def model(received: Received) -> Reply:
    """What a model would say to each of our prompts."""
    for beginning, reply in REPLIES.items():
        if received.prompt.startswith(beginning):
            return reply
    return Fails(400, f"a prompt that begins with {received.prompt[:40]!r}")


@dataclass(frozen=True, slots=True)
class Running:
    """A service with a provider, and a client of it."""

    service: Service
    provider: FakeProvider
    client: httpx.Client

    def generate(self, **fields: Any) -> httpx.Response:
        return self.client.post("/generate-and-execute", json={"query": "the first primes", **fields})

    def planner(self) -> int:
        """The pid of its process."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments, parent = path.read_bytes().split(b"\0"), (path.parent / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if (
                b"sandbox_runtime.planner" in arguments
                and int(parent.rsplit(")", 1)[1].split()[1]) == self.service.pid
            ):
                return int(path.parent.name)
        raise AssertionError("there is no planner")


@contextmanager
def running(
    directory: Path, environ: Mapping[str, str], *script: Scripted, without: frozenset[str] = frozenset()
) -> Iterator[Running]:
    """``environ`` may name the provider's place as {openai}, {anthropic}, {together} and {host}."""
    with FakeProvider(*(script or (model,)), without=without) as provider:
        places = {name: provider.base_url(name) for name in ("openai", "anthropic", "together")}
        settings = {name: text.format(host=provider.host, **places) for name, text in environ.items()}
        settings = {
            "LARS_DEFAULT_SESSION": "mine",
            "LARS_SANDBOX_LLM_ALLOWED_HOSTS": provider.host,
            **settings,
        }
        with running_service(directory, settings) as service, service.client() as client:
            yield Running(service, provider, client)


PROVIDERS = {
    "openai": ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{openai}"}, RESPONSES),
    "anthropic": ({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": "{anthropic}"}, MESSAGES),
    "together": ({"TOGETHER_API_KEY": KEY, "TOGETHER_BASE_URL": "{together}"}, CHAT),
    "compatible": ({"LARS_LLM_BASE_URL": "{openai}", "LARS_LLM_MODEL": "qwen3"}, CHAT),
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider(tmp_path: Path, name: str) -> None:
    """Generate, plan and review, each with one call; a planner that was killed is there again, and what it
    had planned needed it no more."""
    environ, path = PROVIDERS[name]
    with running(tmp_path, environ) as up:
        generated = up.generate().json()
        assert generated["stdout"] == "2 3 5\n"
        assert (generated["validation_result"], generated["exit_code"]) == ("It is safe and correct.", 0)
        assert (generated["model"]["calls"], generated["model"]["cached_tokens"]) == (1, 40)
        reviewed = up.client.post("/execute", json={"code": "while True: pass", "validate_code": True}).json()
        assert (reviewed["stdout"], reviewed["validation_result"]) == (
            "ended\n",
            "It never ends; now it does.",
        )
        assert reviewed["executed_code"] != reviewed["original_code"] == "while True: pass"
        assert up.client.post("/projects", json={"name": "a"}).headers["X-Plan-Source"] == "builtin"
        closed = up.client.post("/projects/1/close")
        assert (closed.json(), closed.headers["X-Plan-Source"]) == (
            {"id": 1, "name": "a", "closed": True},
            "llm",
        )
        assert up.provider.models_called == 3
        if name == "openai":
            os.kill(up.planner(), signal.SIGKILL)
        assert up.client.post("/projects/1/close").headers["X-Plan-Source"] == "cache"
        wait_until(lambda: planners(up.service) == (2 if name == "openai" else 1), "a planner", 40)
        assert up.generate().json()["result"] == [2, 3, 5]
        received = up.provider.requests
        models = up.client.get("/metrics").text
    assert {request.path for request in received} == {path}
    bearer = "Bearer none" if name == "compatible" else f"Bearer {KEY}"
    assert {request.headers["authorization"] for request in received} == {bearer}
    assert f'lars_model_calls_total{{model="{received[0].body["model"]}",outcome="ok"' in models
    assert KEY not in (up.service.log.read_text() + models)


def planners(service: Service) -> int:
    """How many have come to stand."""
    return sum(line["event"] == "planner_ready" for line in service.log_lines())


FAILURES: Mapping[str, tuple[int, tuple[Scripted, ...]]] = {
    "llm_unauthorized": (502, (Fails(401, "no such key"),)),
    "llm_model_unknown": (502, (Fails(404, "The model does not exist", code="model_not_found"),)),
    "llm_rate_limited": (503, (Fails(429, headers={"retry-after": "3600"}),)),
    "llm_failed": (502, (Fails(500, headers=AT_ONCE), Fails(503, headers=AT_ONCE))),
    "llm_refused": (422, (Says("I will not", stop="refusal"),)),
    "llm_truncated": (502, (Says('{"code": "pri', stop="length"),)),
    "llm_malformed": (502, (Raw(b"<html>"),)),
    "llm_request_refused": (502, (Fails(400, "too many stars"),)),
    "llm_bad_reply": (502, (Says("I think so."), Says('{"thoughts": "many"}'))),
    "llm_host_refused": (502, (Redirects("http://127.0.0.1:1/v1/responses"),)),
    "llm_unreachable": (502, (Drops(), Drops())),
    "llm_spend_limit": (503, (QUOTA_USED,)),
}


def test_every_failure_has_its_code(tmp_path: Path) -> None:
    """Over HTTP, each once, with a good answer between them; after the last nobody is asked for a while."""
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{openai}"}
    with running(tmp_path, environ) as up:
        told = {}
        for code, (_, script) in FAILURES.items():
            up.provider.script(*script, model)
            before = up.provider.models_called
            answer = up.generate()
            told[code] = (answer.status_code, answer.json().get("code"), up.provider.models_called - before)
            assert KEY not in answer.text
            if code != "llm_spend_limit":
                assert up.generate().status_code == 200, code
        assert told == {code: (status, code, len(script)) for code, (status, script) in FAILURES.items()}
        after = up.generate()
        assert (after.json()["code"], up.provider.models_called) == (
            "llm_spend_limit",
            up.provider.models_called,
        )
        assert int(after.headers["Retry-After"]) > 100
        assert up.client.post("/projects", json={"name": "a"}).status_code == 201
        refused = [line for line in up.service.log_lines() if line["event"] == "host_refused"]
    assert [line["origin"] for line in refused] == ["http://127.0.0.1:1"]


def test_time_is_up(tmp_path: Path) -> None:
    """A body that trickles ends with the deadline, not with the provider's patience."""
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{openai}", "LARS_LLM_TIMEOUT": "0.4"}
    with running(tmp_path, environ, Trickles()) as up:
        wait_until(lambda: up.generate().json()["code"] == "llm_timeout", "a planner that was asked", 20)
        answer = up.generate()
    assert (answer.status_code, answer.json()["code"]) == (504, "llm_timeout")
    assert answer.elapsed.total_seconds() < 3


def test_the_second_provider(tmp_path: Path) -> None:
    """It is asked when the first one's money is gone, with its own model and price."""
    environ = {
        **PROVIDERS["anthropic"][0],
        **PROVIDERS["together"][0],
        "LARS_FALLBACK_PROVIDER": "together",
        "LARS_FALLBACK_MODEL": "qwen3",
        "LARS_LLM_PRICES": "qwen3=1/2/0.5",
    }

    def either(received: Received) -> Reply:
        return SPEND_LIMIT if received.path == MESSAGES else model(received)

    with running(tmp_path, environ, either) as up:
        first, second = up.generate().json(), up.generate().json()
        assert [request.path for request in up.provider.requests] == [MESSAGES, CHAT, CHAT]
    assert first["stdout"] == second["stdout"] == "2 3 5\n"
    assert first["model"]["model"] == "qwen3"
    assert first["model"]["cost_usd"] == pytest.approx((60 * 1 + 40 * 0.5 + 20 * 2) / 1e6)


def test_no_value_leaves_the_house(tmp_path: Path) -> None:
    """Shapes are all that a provider learns of requests to sessions: ids, values, headers and records are in
    none of its requests. What a key may spend is in none either."""
    planted = (
        "v4lue-body",
        "v4lue-query",
        "v4lue-id",
        "v4lue-header",
        "v4lue-record",
        "v4lue-session",
        "271828",
    )
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "{openai}", "LARS_PLANNING": "llm"}
    with running(tmp_path, environ) as up:
        headers = {"X-Session-ID": "v4lue-session", "X-Custom": "v4lue-header", "If-Match": '"v4lue-header"'}
        up.client.post("/projects", json={"name": "v4lue-record", "n": 271828}, headers=headers)
        up.client.post("/projects/v4lue-id/close?a=v4lue-query", headers=headers)
        up.client.put(
            "/projects/v4lue-id", json={"name": "v4lue-body", "deep": [{"er": 271828}]}, headers=headers
        )
        up.client.get("/projects?limit=271828", headers=headers)
        up.client.get("/projects/v4lue-id/tasks", headers=headers)
        sent = [
            json.dumps(dict(request.body)) + str(dict(request.headers)) for request in up.provider.requests
        ]
    assert len(sent) >= 4
    assert "projects" in sent[0]
    assert [value for value in planted for text in sent if value in text] == []


def test_a_handler_in_the_place_of_a_model(tmp_path: Path) -> None:
    """LLM_MOCK_HANDLER answers, and nobody is asked."""
    environ = {
        "LLM_MOCK_HANDLER": "tests.planner.mocks.echo",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": "{openai}",
    }
    with running(tmp_path, environ) as up:
        answer = up.generate().json()
        assert up.provider.models_called == 0
    assert (answer["verdict"], answer["model"]["provider"]) == ("ok", "mock")


def test_nothing_is_configured(tmp_path: Path) -> None:
    """Said with what to set; all else works."""
    with running(tmp_path, {"LARS_DEFAULT_PROVIDER": "openai"}) as up:
        answer = up.generate()
        assert (answer.status_code, answer.json()["code"]) == (503, "planner_not_configured")
        assert "OPENAI_API_KEY" in answer.json()["detail"]
        planned = up.client.post("/projects/1/close")
        assert (planned.status_code, planned.json()["code"]) == (503, "planner_not_configured")
        reviewed = up.client.post("/execute", json={"code": "print(1)", "validate_code": True}).json()
        assert reviewed["validation_result"].startswith("Code is safe to execute. No model reviewed it")


def test_plan_with_numbers_beyond_floats(tmp_path: Path) -> None:
    """They are JSON, which not every reader takes: stored in a proof, and in a problem of the plan's own."""
    huge = "x = 10\nfor i in range(9):\n    x = x * x\n"
    stores = f"{huge}record = store.insert({{'x': x}})\nREPLY = make_response(201, None)"
    refuses = f"{huge}REPLY = make_response(404, {{'type': 'x', 'x': x}})"
    blocks = [
        json.dumps({"action": "x", "resource": "projects", "block": block}) for block in (stores, refuses)
    ]
    with running(tmp_path, PROVIDERS["openai"][0], *map(Says, blocks)) as up:
        assert up.client.post("/projects/1/grow").status_code == 201
        refused = up.client.post("/projects/1/shrink")
        assert (refused.status_code, refused.json()) == (404, {"type": "x", "x": 10**512})
