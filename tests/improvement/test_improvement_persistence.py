"""Improvements outlive the service, and nobody needs a key to see them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.access.keyed import with_key
from tests.functions.api import STARGATE, hash_of
from tests.improvement.improving import body_of, text_of
from tests.supervisor.serving import serving

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "improvement.md"
HASH = hash_of(__name__)
SETTINGS = {"LARS_FRONTS": "1", "LARS_ZYGOTES": "1", "LARS_POOL_SIZE": "1"}


def told(client: httpx.Client) -> list[Any]:
    """What anybody is told, and what calls answer."""
    status = client.get("/self-improve/status").json()
    shown = {name: status[name] for name in ("total_loaded", "agent_improvements", "scan_improvements")}
    for each in shown["agent_improvements"]:
        assert each.pop("latency")["p50_ms"] > 0
        assert each.pop("calls") >= 0
    calls = [client.get("/improved/agent/kept?a=1"), client.post("/improved/agent/kept", json={"a": 2})]
    return [shown, *((answer.status_code, answer.json()) for answer in calls)]


def do_as_shown(url: str) -> str:
    """The commands of docs/improvement.md, as a reader would paste them; the answer to the last."""
    (block,) = re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    commands = block.replace("http://127.0.0.1:8000", url).replace("curl ", "curl -sSf ")
    environ = {**os.environ, "STARGATE_API_KEY": STARGATE}
    done = subprocess.run(["bash", "-ec", commands], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("}{")[2]


def test_improvements_outlive_the_service(tmp_path: Path) -> None:
    """With type, path and version; where no key may load any more, that is told."""
    with (
        serving(tmp_path, **SETTINGS, STARGATE_API_KEY=STARGATE) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        key = with_key(STARGATE)
        for result in ("a + 1", "a * 10"):
            text = text_of("kept", result)
            assert client.put(f"/uploads/{HASH}/agent.py", content=text, headers=key).is_success
            body = body_of(HASH, "kept", "agent")
            assert client.post("/self-improve/load", json=body).status_code == 401
            assert client.post("/self-improve/load", json=body, headers=key).is_success
        assert client.post(f"/self-improve/rollback/{HASH}/kept", headers=key).is_success
        assert client.get("/improved/agent/kept?a=1").json() == 2
        assert do_as_shown(service.url) == '"invisible":0}'
        before = told(client)
        assert client.get("/self-improve/status").json()["status"] == "active"
        assert service.stop() == 0
    assert before[0]["agent_improvements"][0]["version"] == 1
    assert [each["function_name"] for each in before[0]["scan_improvements"]] == ["enhanced_scan"]
    assert before[1:] == [(200, 2), (200, 3)]
    with serving(tmp_path, **SETTINGS) as service, httpx.Client(base_url=service.url) as client:
        assert told(client) == before
        status = client.get("/self-improve/status").json()
        assert (status["status"], status["self_improvement_enabled"]) == ("disabled", False)
