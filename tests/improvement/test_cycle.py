"""Rewrites that are admitted, refused and rolled back by a running service, on its own evidence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.functions.api import hash_of
from tests.improvement.cycles import (
    Cycles,
    Model,
    fast,
    improving_service,
    right,
    shown_calls,
    slow,
    stages,
    verdicts,
)
from tests.planning.providers.replies import Received

PERCENT = 50
CALLS = 6
RECORDED = range(12)
AUTOMATIC = {
    "LARS_AUTO_DEPLOY": "true",
    "LARS_CANARY_PERCENT": str(PERCENT),
    "LARS_CANARY_CALLS": str(CALLS),
    "LARS_MAX_EXEC_MS": "3000",
}


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cycles]:
    """A service that deploys what its evidence admits."""
    with improving_service(tmp_path_factory.mktemp("cycles"), Model(), AUTOMATIC) as up:
        yield up


def test_a_better_one_is_promoted(cycles: Cycles) -> None:
    """Every step is there with its evidence, in the record, in the audit log and in the stream; callers never
    see another answer."""
    cycles.serve("better", slow("better"), *RECORDED)
    run = cycles.improve("better", fast("better"))
    assert run["status"] == "monitoring", run
    with cycles.client.stream("GET", f"/self-improve/runs/{run['run_id']}/events") as events:
        answers = Counter[str]()
        while cycles.run(run["run_id"])["status"] == "monitoring":
            for n in range(20):
                answer = cycles.call("better", n)
                assert answer.json() == right(n)
                answers[answer.headers["x-function-version"]] += 1
        told = list(events.iter_lines())
    run = cycles.run(run["run_id"])
    assert run["status"] == "promoted", run
    assert answers["2"] >= CALLS
    done = ["analyze", "identify", "develop", "test", "approve", "deploy", "monitor", "promote"]
    assert stages(run) == done
    data = [json.loads(line.removeprefix("data: ")) for line in told if line.startswith("data: ")]
    assert data[:-1] == run["steps"]
    assert (data[-1]["status"], told[-2].startswith("data: ")) == ("promoted", True)
    evidence = run["candidate"]["evidence"]
    assert evidence["verdict"] == "admitted"
    assert evidence["times_ms"]["ratio"] < 0.9
    assert "-    for _ in range(20_000):\n" in run["candidate"]["diff"]
    assert run["candidate"]["assessment"] == "Number 1."
    assert run["tokens"] == 120
    about = cycles.about("better")
    assert (about["version"], about["canary"], about["recording"] is not None) == (2, None, True)


def memorised(received: Received) -> str:
    """Right for what the model was shown, and for nothing else."""
    table = shown_calls(received.prompt)
    return f"TABLE = {table!r}\n\ndef learned(n: int) -> int:\n    return TABLE.get(n, 0)\n"


BAD = {
    "wrong": (fast("wrong", "if n == 7: return 1"), "differs"),
    "slower": (
        slow("slower")
        .replace("range(20_000)", "range(200_000)")
        .replace("+= n", "+= n / 10")
        .replace("return total", "return round(total)"),
        "slower",
    ),
    "judged": (fast("judged", "import os"), "policy_refused"),
    "loops": (fast("loops", "while n == 5: pass"), "timeout"),
    "other": (fast("other").replace("n: int", "n: float"), "signature_changed"),
    "broken": ("def broken(n: int) -> int\n", "module_failed"),
    "same": (slow("same"), "no_gain"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_worse_one_is_refused(cycles: Cycles, name: str) -> None:
    """With the evidence; nobody is served by it."""
    text, verdict = BAD[name]
    cycles.serve(name, slow(name), *RECORDED)
    run = cycles.improve(name, text)
    assert (run["status"], verdicts(run)) == ("refused", [verdict]), run
    assert run["reason"]
    assert run["steps"][-1]["stage"] == "end"
    assert cycles.about(name)["version"] == 1
    assert (
        cycles.client.get(f"/_/functions/{hash_of(name)}/{name}/versions").json()["versions"][0]["version"]
        == 1
    )


def test_one_that_only_knows_what_it_was_shown(cycles: Cycles) -> None:
    """It is caught by calls that the model has never seen, and the model is not told of them in its next
    attempt."""
    cycles.serve("learned", slow("learned"), *RECORDED)
    run = cycles.improve("learned", memorised, fast("learned"))
    assert verdicts(run) == ["differs", "admitted"]
    (refused, _) = (step["evidence"] for step in run["steps"] if step["stage"] == "test")
    assert refused["calls"]["differing"]["shown"] == 0
    assert refused["calls"]["differing"]["held_back"] > 0
    first, second = cycles.model.prompts["learned"]
    shown = shown_calls(first)
    assert 0 < len(shown) <= len(RECORDED) // 2
    told_later = {int(number) for number in re.findall(r"\b\d+\b", second.replace(first, ""))}
    assert not told_later & ({right(n) for n in RECORDED if n} - set(shown.values()))


def test_one_that_fails_as_a_canary_is_rolled_back(cycles: Cycles) -> None:
    """What no recorded call has shown; only callers of the canary's share met it."""
    cycles.serve("fails", slow("fails"), *RECORDED)
    run = cycles.improve("fails", fast("fails", "if n > 100: raise ValueError(n)"))
    assert run["status"] == "monitoring", run
    failed = 0
    while cycles.run(run["run_id"])["status"] == "monitoring":
        answer = cycles.call("fails", 101)
        if answer.status_code != 200:
            failed += 1
            assert answer.json()["exception"]["type"] == "ValueError"
        else:
            assert answer.json() == right(101)
    run = cycles.run(run["run_id"])
    assert run["status"] == "rolled_back", run
    assert "calls failed" in run["reason"]
    monitor = next(step["evidence"] for step in run["steps"] if step["stage"] == "monitor")
    assert 0 < monitor["canary"]["function_error"] <= failed
    assert (monitor["live"]["function_error"], stages(run)[-1]) == (0, "rollback")
    assert cycles.about("fails")["version"] == 1
    for _ in range(30):
        assert cycles.call("fails", 101).json() == right(101)


def test_one_that_is_slow_as_a_canary_is_rolled_back(cycles: Cycles) -> None:
    """By its p95."""
    text = fast("drags", "for _ in range(1_000_000 if n > 100 else 0): n * n")
    cycles.serve("drags", slow("drags"), *RECORDED)
    run = cycles.improve("drags", text)
    assert run["status"] == "monitoring", run
    while cycles.run(run["run_id"])["status"] == "monitoring":
        assert cycles.call("drags", 102).json() == right(102)
    run = cycles.run(run["run_id"])
    assert (run["status"], "p95" in run["reason"]) == ("rolled_back", True), run


def test_a_mended_one_waits_for_a_person(cycles: Cycles) -> None:
    """Nobody knows whether an answer is right where there was none; and the person is the one who decides."""
    broken = slow("mended").replace("total = 0", "total = 0 // (n - 4) * 0")
    cycles.serve("mended", broken, *RECORDED)
    run = cycles.improve("mended", fast("mended"))
    assert (run["status"], run["goal"]) == ("awaiting_approval", "errors"), run
    assert "nobody has compared" in run["reason"]
    place = f"/self-improve/runs/{run['run_id']}/approve"
    refused = cycles.client.post(place, json={"approved": False, "note": "zero is no answer"})
    assert (refused.status_code, refused.json()["status"]) == (200, "refused")
    assert cycles.about("mended")["canary"] is None
    again = cycles.client.post(place)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_what_others_do_wins(cycles: Cycles) -> None:
    """A function that is loaded anew while it is improved is not touched."""
    contract = cycles.serve("raced", slow("raced"), *RECORDED)
    run = cycles.improve("raced", fast("raced"))
    assert run["status"] == "monitoring"
    newer = slow("raced").replace("20_000", "20_001")
    cycles.client.put(f"/uploads/{contract}/agent.py", content=newer).raise_for_status()
    body = {"visible_pixel_hash": contract, "function_name": "raced", "module_name": "agent"}
    cycles.client.post("/self-improve/load", json={**body, "improvement_type": "api"}).raise_for_status()
    run = cycles.until(run["run_id"])
    assert run["status"] == "superseded", run
    assert cycles.call("raced", 2).json() == 40_002


def test_a_person_may_promote_and_roll_back(cycles: Cycles) -> None:
    """A canary that is watched."""
    for approved, status, version in ((True, "promoted", 2), (False, "rolled_back", 1)):
        name = f"by_hand_{version}"
        cycles.serve(name, slow(name), *RECORDED)
        run = cycles.improve(name, fast(name))
        place = f"/self-improve/runs/{run['run_id']}/approve"
        cycles.client.post(place, json={"approved": approved}).raise_for_status()
        run = cycles.until(run["run_id"])
        assert (run["status"], cycles.about(name)["version"]) == (status, version)
        assert "a person" in run["reason"]


def test_one_run_for_each_target(cycles: Cycles) -> None:
    """And none for what is not loaded, or without calls to compare with."""
    cycles.serve("single", slow("single"), *RECORDED)
    run = cycles.improve("single", fast("single"))
    target = f"{hash_of('single')}/single"
    again = cycles.client.post("/self-improve/auto-enhance", json={"target": target})
    assert (again.status_code, run["run_id"] in again.json()["detail"]) == (409, True)
    missing = cycles.client.post("/self-improve/auto-enhance", json={"target": f"{'0' * 40}/f"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    cycles.serve("unknown", slow("unknown"), *RECORDED, recorded=False)
    run = cycles.improve("unknown", fast("unknown"))
    assert (run["status"], "/self-improve/recording/" in run["reason"]) == ("nothing_to_do", True)
    assert "unknown" not in cycles.model.prompts


def test_tokens_are_bounded(cycles: Cycles) -> None:
    """Where no candidate could be written the run has failed; where some were, they decide."""
    cycles.serve("dear", slow("dear"), *RECORDED)
    failed = cycles.improve("dear", fast("dear"), budget_tokens=1000)
    assert (failed["status"], failed["tokens"]) == ("failed", 0)
    assert failed["reason"].startswith("llm_request_budget: ")
    wrong = [fast("dear", f"if n == 7: return {number}") for number in range(9)]
    refused = cycles.improve("dear", *wrong, budget_tokens=3000)
    assert (refused["status"], 0 < refused["tokens"] <= 3000) == ("refused", True), refused
    assert 1 <= len(verdicts(refused)) < len(wrong)
    assert stages(refused)[-1] == "end"


def test_what_was_done_is_written_down(cycles: Cycles) -> None:
    """The audit log has every step of a run, without code and without calls."""
    lines = [line for line in cycles.service.log_lines() if line["event"] == "audit"]
    actions = Counter(line["action"] for line in lines)
    assert actions["improve.start"] > 5
    assert {"improve.analyze", "improve.test", "improve.deploy", "improve.promote", "function.record"} <= set(
        actions
    )


def test_needs_the_right_to_change_functions(cycles: Cycles) -> None:
    """Whoever may only call is told nothing."""
    with cycles.service.client() as anybody:
        for method, path in (
            ("POST", "/self-improve/auto-enhance"),
            ("GET", "/self-improve/runs"),
            ("GET", "/self-improve/runs/run_x"),
            ("GET", "/self-improve/runs/run_x/events"),
            ("POST", "/self-improve/runs/run_x/approve"),
        ):
            assert anybody.request(method, path).status_code == 401
    assert cycles.client.get("/self-improve/runs/run_x").status_code == 404
    listed = cycles.client.get("/self-improve/runs", params={"limit": 2}).json()
    assert [len(listed["runs"]), listed["next"]] == [2, listed["runs"][1]["run_id"]]
