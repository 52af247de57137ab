"""A service with a model behind it that writes what a test wants, and runs of improvement on it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.functions.api import MODULE, hash_of, value
from tests.planning.providers.replies import Received, Reply, Says, Trickles
from tests.planning.providers.server import FakeProvider
from tests.service_process import Service, running_service
from tests.support import wait_until

Json = dict[str, Any]
Writer = str | Trickles | Callable[[Received], str]
KEY = "stargate-key-of-the-tests-0123456789"
_HEADERS = {"Authorization": f"Bearer {KEY}"}
ENDED = ("promoted", "rolled_back", "refused", "nothing_to_do", "failed", "interrupted", "superseded")
SECONDS = 60.0
_CALL = re.compile(r'^\{"arguments":.*\}$', re.MULTILINE)


@dataclass(slots=True)
class Model:
    """Answers each prompt for an improvement with the next of what it was told to write of that function, the
    last again and again. ``prompts``: what it was shown, by function."""

    scripts: dict[str, Sequence[Writer]] = field(default_factory=dict)
    prompts: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, received: Received) -> Reply:
        prompt = received.prompt
        name = re.findall(r'"function": "(\w+)"', prompt)[-1]
        seen = self.prompts.setdefault(name, [])
        seen.append(prompt)
        script = self.scripts[name]
        code = script[min(len(seen), len(script)) - 1]
        if isinstance(code, Trickles):
            return code
        text = code if isinstance(code, str) else code(received)
        reply = {"code": text, "assessment": f"Number {len(seen)}.", "cases": '[{"arguments": {"n": 5}}]'}
        return Says(json.dumps(reply))


def shown_calls(prompt: str) -> dict[int, int]:
    """The recorded calls that the model was told of: what each ``n`` was answered with."""
    calls = [json.loads(line) for line in _CALL.findall(prompt)]
    return {int((call["arguments"] or call["query"])["n"]): call["result"] for call in calls}


@dataclass(frozen=True, slots=True)
class Cycles:
    """The service, its model, and a client with the key that may change functions."""

    service: Service
    model: Model
    client: httpx.Client

    def new_client(self) -> httpx.Client:
        """Another one; close it."""
        return self.service.client(headers=_HEADERS)

    def serve(self, name: str, text: str, *arguments: int, recorded: bool = True) -> str:
        """Load a function, have it recorded and called; its hash."""
        contract = hash_of(name)
        self.client.put(f"/uploads/{contract}/{MODULE}.py", content=text).raise_for_status()
        body = {"visible_pixel_hash": contract, "function_name": name, "module_name": MODULE}
        value(self.client.post("/self-improve/load", json={**body, "improvement_type": "api"}))
        if recorded:
            value(self.client.put(f"/self-improve/recording/{contract}/{name}"))
        for n in arguments:
            self.call(name, n)
        return contract

    def call(self, name: str, n: int) -> httpx.Response:
        """Ask it for ``n``; every other number comes in a query string."""
        if n % 2:
            return self.client.get(f"/improved/api/{name}", params={"n": n})
        return self.client.post(f"/improved/api/{name}", json={"n": n})

    def start(self, name: str, **members: Any) -> Json:
        """POST /self-improve/auto-enhance for this function."""
        answer = self.client.post(
            "/self-improve/auto-enhance", json={"target": f"{hash_of(name)}/{name}", **members}
        )
        assert answer.status_code == 202, answer.text
        begun: Json = answer.json()
        assert answer.headers["location"] == f"/self-improve/runs/{begun['run_id']}"
        return begun

    def run(self, run_id: str) -> Json:
        """GET it."""
        found: Json = value(self.client.get(f"/self-improve/runs/{run_id}"))
        return found

    def until(self, run_id: str, *statuses: str) -> Json:
        """The run when it has one of these statuses, or has ended."""
        wanted = (*statuses, *ENDED)
        wait_until(lambda: self.run(run_id)["status"] in wanted, f"one of {wanted}", SECONDS)
        return self.run(run_id)

    def improve(self, name: str, *script: Writer, **members: Any) -> Json:
        """Have the model write these candidates, run, and wait until it is over, deployed or waits."""
        self.model.scripts[name] = script
        begun = self.start(name, max_candidates=len(script), **members)
        return self.until(begun["run_id"], "awaiting_approval", "monitoring")

    def about(self, name: str) -> Json:
        """The function as it is now."""
        found: Json = value(self.client.get(f"/_/functions/{hash_of(name)}/{name}"))
        return found


def slow(name: str) -> str:
    """The sum of so many times n, the long way."""
    return f"""
def {name}(n: int) -> int:
    total = 0
    for _ in range(20_000):
        total += n
    return total
"""


def fast(name: str, before: str = "") -> str:
    """The same at once."""
    return f"def {name}(n: int) -> int:\n    {before or 'pass'}\n    return 20_000 * n\n"


def right(n: int) -> int:
    """What both say."""
    return 20_000 * n


def verdicts(run: Json) -> list[str]:
    """Of its candidates, in order."""
    return [step["evidence"]["verdict"] for step in run["steps"] if step["stage"] == "test"]


def stages(run: Json) -> list[str]:
    """What was done, in order."""
    return [step["stage"] for step in run["steps"]]


@contextmanager
def improving_service(directory: Path, model: Model, settings: Mapping[str, str]) -> Iterator[Cycles]:
    """``directory`` may be one that such a service has been in before."""
    with FakeProvider(model) as provider:
        environ = {
            "OPENAI_API_KEY": "sk-planted-0123456789",
            "OPENAI_BASE_URL": provider.base_url("openai"),
            "LARS_SANDBOX_LLM_ALLOWED_HOSTS": provider.host,
            "STARGATE_API_KEY": KEY,
            "LARS_PUBLIC": "functions:call, functions:read",
            "LARS_FRONTS": "2",
            **settings,
        }
        with (
            running_service(directory, environ) as service,
            service.client(headers=_HEADERS) as client,
        ):
            yield Cycles(service, model, client)
