"""``lars plan``: what it prints, and with which exit status."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from service.commands import model_planning
from service.commands.examination import Examiner
from service.planner_spec import planner_spec
from service.rest.context import Parts, RequestContext
from service.rest.proof.samples import Sample
from service.settings import Settings
from service.supervisor.planner import PlannerSpec
from tests.forked_commands import Commands, Done, forked_commands
from tests.rest.in_process import MODEL, Place
from tests.rest.stand_in import StandIn
from tests.rest.test_model_first import as_rules
from tests.supervisor.processes import children, process

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    with forked_commands() as running:
        yield running


def lars(commands: Commands, root: Path, *arguments: str) -> Done:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
    return commands.run(("plan", *arguments), {**clean, "LARS_DATA_ROOT": str(root), "TMPDIR": str(root)})


def test_a_plan_is_shown_and_tried(commands: Commands, tmp_path: Path) -> None:
    """Nothing is kept of it."""
    done = lars(commands, tmp_path, "post", "/orders", "--body", '{"total": 5}', "--prefer", "return=minimal")
    assert (done.returncode, done.stderr) == (0, "")
    for line in ("planner  builtin-", "verdict  allowed", "action   create", "reply    201; undone"):
        assert f"\n{line}" in done.stdout
    assert "    Location: /orders/4\n" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_as_json(commands: Commands, tmp_path: Path) -> None:
    arguments = ("GET", "/orders?_page=2&_limit=3", "--dialect", "json-server", "--json")
    done = lars(commands, tmp_path, *arguments)
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["refusal"]) == (0, "allowed", None)
    assert (report["plan"]["action"], report["proof"]["samples"]) == ("list", 3)
    assert (report["reply"]["status"], [row["id"] for row in report["reply"]["body"]]) == (200, ["k9"])
    assert len(report["key"]) == 64


def test_what_has_no_rule_is_refused(commands: Commands, tmp_path: Path) -> None:
    done = lars(commands, tmp_path, "POST", "/orders/1/cancel", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["refusal"]["code"]) == (1, "planner_required")
    assert report["refusal"]["missing"] == "the action 'cancel' on a record of 'orders'"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("POST", "/orders", "--body", "{"), 2, "the body is not JSON"),
        (("GET", "/a//b"), 2, "path: has an empty or dot segment"),
        (("GET", "/_/plans"), 2, "path: has a segment that cannot name a collection"),
        (("BREW", "/a"), 2, "invalid choice: 'BREW'"),
        (("GET", "/a", "--planner", "llm"), 1, "set OPENAI_API_KEY"),
    ],
)
def test_what_cannot_be_asked(
    arguments: tuple[str, ...], status: int, said: str, commands: Commands, tmp_path: Path
) -> None:
    done = lars(commands, tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def sample(method: str, path: str, query: str = "") -> Sample:
    parts = Parts(method, path.encode(), query.encode(), [(b"host", b"localhost")], session="proof")
    return Sample(RequestContext.from_parts(parts), b"")


@pytest.mark.asyncio(loop_scope="module")
async def test_with_a_model(place: Place) -> None:
    """What no rule covers, and what one covers; a refusal is a report too."""
    stand_in = StandIn()
    async with place.modelled(stand_in) as front:
        examiner, planning = Examiner(front.state), front.state.planning
        action = await examiner.by_model(sample("POST", "/orders/2/cancel", "why=x"), planning)
        assert (action.refusal, action.planner, action.samples) == (None, "openai/test-model", 6)
        assert action.reply is not None
        assert (action.reply.status, action.reply.body["done"]) == (200, "cancel")
        assert stand_in.asks[0].given["shape"]["query"] == []
        stand_in.respond = as_rules
        ruled = await examiner.by_model(sample("GET", "/orders/2"), planning)
        assert ruled.agreement == "it does what the built-in planner's does"
        stand_in.respond = lambda _: {"action": "a", "resource": "", "block": "import os"}
        refused = await examiner.by_model(sample("GET", "/orders"), planning)
        assert refused.as_json()["refusal"]["rule"] == "import"
        assert "verdict  refused: the plan was refused" in refused.as_text()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_planner_as_long_as_the_command(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with a line to it; none is left."""

    def spec(settings: Settings, environ: Mapping[str, str]) -> PlannerSpec | None:
        made = planner_spec(settings, environ)
        return None if made is None else replace(made, module="tests.rest.planner_program")

    monkeypatch.setattr(model_planning, "planner_spec", spec)
    environ = {**os.environ, **MODEL, "PYTHONPATH": str(ROOT)}
    async with place.fronts(1) as (front,):
        before = len(children(process(os.getpid())))
        settings = Settings.from_env(environ)
        async with model_planning.model_planning(settings, environ) as planning:
            assert len(children(process(os.getpid()))) == before + 1
            report = await Examiner(front.state).by_model(sample("POST", "/orders/2/cancel"), planning)
            assert (report.refusal, report.planner) == (None, "openai/test-model")
        assert len(children(process(os.getpid()))) == before
