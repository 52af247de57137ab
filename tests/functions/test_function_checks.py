"""scripts/test_dynamic_api.py: it passes against a service as it should be, and names what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from itertools import product
from pathlib import Path

import httpx
import pytest

from scripts.dynamic_api.asking import Reply, Step, faults
from scripts.dynamic_api.checks import all_checks
from scripts.dynamic_api.sandbox import Sandbox
from service.functions.routes import ROUTES
from tests.functions.api import Api, value

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "test_dynamic_api.py"
BOX = Sandbox("a" * 40, "b" * 40, "/check")
STEPS = all_checks(BOX)
CLOSED = "call without a key"


def check(url: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script to its end, with no key but what ``variables`` have."""
    environ = os.environ | {"LARS_API_KEY": "", "STARGATE_API_KEY": ""} | variables
    command = [sys.executable, str(SCRIPT), "--url", url, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def lines(text: str, kind: str) -> list[str]:
    """The names of the checks that ended so."""
    return [line[6:].partition(":")[0] for line in text.splitlines() if line.startswith(f"{kind}  ")]


def test_all_pass_with_uploads(api: Api) -> None:
    """The key is not printed; nothing stays loaded."""
    outcome = check(api.service.url, LARS_API_KEY=api.keyed.all)
    assert (outcome.returncode, outcome.stderr) == (0, ""), outcome.stdout
    offered = [step.name for step in STEPS if step.name != CLOSED]
    assert lines(outcome.stdout, "PASS") == offered
    assert lines(outcome.stdout, "----") == [CLOSED]
    assert outcome.stdout.splitlines()[-1] == f"{len(offered)} passed, 0 failed, 1 not offered by this server"
    assert api.keyed.all not in outcome.stdout
    assert [path for path in paths(api) if path.startswith("/check")] == []


def test_all_pass_with_a_directory(api: Api) -> None:
    """Modules that an agent has written, none of which are there afterwards."""
    results = api.uploads / "results"
    results.mkdir(parents=True, exist_ok=True)
    before = {*results.iterdir()}
    outcome = check(api.service.url, "--uploads-dir", str(api.uploads), STARGATE_API_KEY=api.keyed.all)
    assert (outcome.returncode, outcome.stderr) == (0, ""), outcome.stdout
    written = {step.name for step in STEPS if step.name.startswith("upload of") and step.status < 400}
    written.add(CLOSED)  # calls are not public here
    assert lines(outcome.stdout, "PASS") == [step.name for step in STEPS if step.name not in written]
    assert {*results.iterdir()} == before
    assert [path for path in paths(api) if path.startswith("/check")] == []


def paths(api: Api) -> list[str]:
    """The endpoint_path of every function that is loaded."""
    return [one["endpoint_path"] for one in value(api.ask("GET", "/list-functions?limit=1000"))["functions"]]


def test_where_modules_do_not_arrive(api: Api, tmp_path: Path) -> None:
    """A directory that is not the service's: nothing can be loaded, and that is said."""
    outcome = check(api.service.url, "--uploads-dir", str(tmp_path), STARGATE_API_KEY=api.keyed.all)
    assert outcome.returncode == 1
    failed, passed = lines(outcome.stdout, "FAIL"), lines(outcome.stdout, "PASS")
    assert {"loading of hello_world", "GET /agent", "own endpoint by POST", "unloading"} <= {*failed}
    assert {"health before", "load without a key", "missing module", "health after"} <= {*passed}
    assert f"{len(passed)} passed, {len(failed)} failed" in outcome.stdout
    said = next(line for line in outcome.stdout.splitlines() if "loading of hello_world:" in line)
    assert said.startswith("FAIL  loading of hello_world: status 404, expected 200: ")
    assert "nothing has been uploaded" in said
    assert [*(tmp_path / "results").iterdir()] == []


def replies() -> Iterator[Reply]:
    """What a broken service might answer: any status, with nothing in it."""
    bodies: tuple[object, ...] = ({}, [], "", None)
    for status, body in product(HTTPStatus, bodies):
        yield Reply(status, body, {})


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_check_can_fail(step: Step) -> None:
    """No check takes an empty body, with whatever status."""
    assert all(faults(step, reply) for reply in replies())


def test_names_of_checks() -> None:
    """One name for one check, so that a line says which."""
    assert len({step.name for step in STEPS}) == len(STEPS)


def test_every_endpoint_is_asked() -> None:
    """Each route of dynamic functions, by each of its methods."""
    for route in ROUTES:
        for method in (route.methods or set()) - {"HEAD"}:
            asked = [step for step in STEPS if step.method == method and step.status < 400]
            assert any(route.path_regex.match(httpx.URL(step.path).path) for step in asked), (method, route)
