"""Runs of improvement outlive the processes that work on them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.improvement.cycles import Cycles, Model, fast, improving_service, right, slow, stages
from tests.planning.providers.replies import Trickles
from tests.supervisor.processes import children, process
from tests.support import wait_until

CALLS = 5
SHARE = 0.05
USUAL = {"LARS_CANARY_CALLS": str(CALLS)}


def fronts(cycles: Cycles) -> set[int]:
    """Their pids."""
    return {child.pid for child in children(process(cycles.service.pid)) if "service.front" in child.command}


def test_a_restart_and_the_end_of_a_front(tmp_path: Path) -> None:
    """What waits for a person still does; what was being written is interrupted, and its function free; what
    is watched is watched on by another front. Without a word of a person nobody gets a candidate."""
    model = Model()
    with improving_service(tmp_path, model, USUAL) as cycles:
        cycles.serve("waits", slow("waits"), *range(12))
        waiting = cycles.improve("waits", fast("waits"))
        assert waiting["status"] == "awaiting_approval", waiting
        assert "LARS_AUTO_DEPLOY" in waiting["reason"]
        assert cycles.about("waits")["canary"] is None
        cycles.serve("hangs", slow("hangs"), *range(12))
        model.scripts["hangs"] = [Trickles()]
        hanging = cycles.start("hangs")["run_id"]
        wait_until(lambda: stages(cycles.run(hanging)) == ["analyze", "identify"], "a question to the model")
    model.scripts["hangs"] = [slow("hangs")]
    with improving_service(tmp_path, model, {**USUAL, "LARS_AUTO_ENHANCE_INTERVAL": "0.5"}) as cycles:
        interrupted = cycles.until(hanging)
        assert (interrupted["status"], interrupted["reason"] != "") == ("interrupted", True)
        _approve(cycles, waiting["run_id"])
        _by_itself(cycles)
        _watch(cycles, waiting["run_id"])


def _approve(cycles: Cycles, run_id: str) -> None:
    """It is as it was, and one word makes it a canary."""
    found = cycles.run(run_id)
    assert (found["status"], found["candidate"]["code"]) == ("awaiting_approval", fast("waits"))
    approved = cycles.client.post(f"/self-improve/runs/{run_id}/approve", json={"note": "go"})
    assert (approved.status_code, approved.json()["status"]) == (200, "deploying")
    assert cycles.until(run_id, "monitoring")["status"] == "monitoring"
    assert cycles.about("waits")["canary"] == {"version": 2, "weight": 5}


def _watch(cycles: Cycles, run_id: str) -> None:
    """Two fronts, of which the one that watches may be the one that ends."""
    answers = Counter[str]()
    for n in range(40):
        answers[cycles.call("waits", n % 12).headers["x-function-version"]] += 1
    killed = fronts(cycles)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(fronts(cycles) - killed) == len(killed), "other fronts")
    cycles.client.close()
    with cycles.new_client() as client:
        _go_on(replace(cycles, client=client), run_id, answers)


def _go_on(cycles: Cycles, run_id: str, answers: Counter[str]) -> None:
    while cycles.run(run_id)["status"] == "monitoring":
        for n in range(12):
            answer = cycles.call("waits", n)
            assert answer.json() == right(n)
            answers[answer.headers["x-function-version"]] += 1
    run = cycles.run(run_id)
    assert (run["status"], cycles.about("waits")["version"]) == ("promoted", 2), run
    assert answers["2"] < 0.5 * answers["1"]


def _by_itself(cycles: Cycles) -> None:
    """The service begins runs that nobody asked for, on what takes longest."""

    def own() -> list[Any]:
        runs = cycles.client.get("/self-improve/runs").json()["runs"]
        return [run for run in runs if run["automatic"] and run["target"] is not None]

    wait_until(lambda: bool(own()), "a run of the service's own")
    run = cycles.until(own()[0]["run_id"])
    assert (run["started_by"], run["target"]["function_name"]) == ("service", "hangs")
    assert run["status"] == "refused", run


def test_a_stream_ends_with_the_service(tmp_path: Path) -> None:
    """Whole, at once, and without the last event: the client goes on elsewhere."""
    model = Model()
    with improving_service(tmp_path, model, {**USUAL, "LARS_DRAIN_SECONDS": "60"}) as cycles:
        cycles.serve("hangs", slow("hangs"), *range(12))
        model.scripts["hangs"] = [Trickles()]
        run_id = cycles.start("hangs")["run_id"]
        wait_until(lambda: stages(cycles.run(run_id)) == ["analyze", "identify"], "a question to the model")
        with cycles.client.stream("GET", f"/self-improve/runs/{run_id}/events") as events:
            told = []
            for line in events.iter_lines():
                told.append(line)
                if told.count("event: step") == 2 and not line:
                    os.kill(cycles.service.pid, signal.SIGTERM)
    assert [line for line in told if line.startswith("event: ")] == ["event: step", "event: step"]
