"""The planner's process: met by every front, replaced when it dies, done without while it cannot be had."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.commands.diagnosis import planner_lines
from service.planner_spec import planner_spec
from service.settings import Settings
from service.supervisor.planner import PlannerSpec
from tests.supervisor.processes import Process, children
from tests.supervisor.serving import ROOT, Service, running, wait_until
from tests.telemetry.told import value

PLANNED = (sys.executable, str(ROOT / "tests" / "supervisor" / "planned.py"))


@contextmanager
def planned(directory: Path, case: str, **variables: str) -> Iterator[Service]:
    """A service that serves, whose planner does as the case says."""
    own = {"LLM_MOCK_HANDLER": f"stand.in.{case}", "LARS_POOL_SIZE": "1", "LARS_ZYGOTES": "1"}
    with running((*PLANNED, "20", "all"), directory, **own, **variables) as service:
        service.wait_ready()
        yield service


@contextmanager
def alone(directory: Path, case: str, launch: float = 20.0) -> Iterator[Service]:
    """A supervisor that has nothing but a planner."""
    command = (*PLANNED, f"{launch:g}", "planner")
    with running(command, directory, LLM_MOCK_HANDLER=f"stand.in.{case}") as service:
        yield service


def planners(service: Service) -> list[Process]:
    return [child for child in children(service.supervisor) if "planner_program" in child.command]


def said(service: Service) -> dict[str, Any]:
    """What a front knows of the planner and of what it can ask."""
    body = httpx.get(f"{service.url}/capabilities", timeout=20).json()
    return {**body["models"], **body["planner"]}


def wait_met(service: Service) -> None:
    wait_until(lambda: said(service)["standing"], "a front that has met the planner")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    own = {"OPENAI_ORG_ID": "org-1", "OTEL_SERVICE_NAME": "x", "SOMETHING": "else", "LARS_RATE": "none"}
    with planned(tmp_path_factory.mktemp("planned"), "stands", **own) as running_service:
        yield running_service


def test_a_front_meets_it_and_tells_what_it_says(service: Service) -> None:
    wait_met(service)
    told = said(service)
    layers = {name for name, why in told.pop("layers").items() if not why}
    assert {"no_new_privs", "capabilities", "not_dumpable", "rlimits", "seccomp"} <= layers
    assert (told["standing"], told["ready"], told["why"]) == (True, ["mock"], {"openai": "no key"})
    assert "language model: stand.in.stands in its place (LLM_MOCK_HANDLER)" in service.output
    assert service.events("planner_ready")[0]["providers"] == ["mock"]
    (why,) = service.events("planner_without_provider")
    assert (why["provider"], why["reason"]) == ("openai", "no key")
    figures = httpx.get(f"{service.url}/metrics", timeout=20).text
    for state, count in (("ready", 1), ("unusable", 1)):
        assert value(figures, "lars_planner_providers", state=state) == count


def test_it_has_little_of_the_environment_and_nothing_of_the_service(service: Service) -> None:
    (planner,) = planners(service)
    text = Path(f"/proc/{planner.pid}/environ").read_bytes() if os.geteuid() == 0 else b""
    names = {part.partition(b"=")[0].decode() for part in text.split(b"\0") if part}
    assert names <= {
        *("PATH", "LANG", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("OPENAI_ORG_ID", "OTEL_SERVICE_NAME"),
    }
    if os.geteuid() == 0:
        assert {"OPENAI_ORG_ID", "OTEL_SERVICE_NAME"} <= names
        wait_met(service)
        assert planner.descriptors == 5, "stdin, stdout, stderr, the supervisor's and the front's line"
    assert os.getpgid(planner.pid) == planner.pid, "Ctrl-C is not for it"


def test_a_new_front_meets_it(service: Service) -> None:
    wait_met(service)
    (front,) = service.fronts
    front.kill()
    wait_until(lambda: [each for each in service.fronts if each != front], "another front")
    wait_until(service.answers, "a program that runs")
    wait_met(service)
    assert len(planners(service)) == 1


def test_it_is_replaced_with_all_else_and_ends_when_no_front_needs_it(service: Service) -> None:
    wait_met(service)
    (first,) = planners(service)
    service.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: service.events("renewal_ends"), "the renewal")
    wait_until(lambda: not first.lives, "its end")
    assert len(planners(service)) == 1
    wait_met(service)
    assert service.events("planner_died") == []


def test_one_that_is_killed_is_replaced_and_met_again(service: Service) -> None:
    wait_met(service)
    (first,) = planners(service)
    first.kill()
    wait_until(lambda: service.events("planner_died"), "a line in the log")
    assert service.answers()
    wait_until(lambda: [each for each in planners(service) if each != first], "another planner")
    wait_met(service)
    (died,) = service.events("planner_died")
    assert (died["pid"], died["exit_code"], died["restart_in"]) == (first.pid, -signal.SIGKILL, 0)


def test_doctor_says_what_a_planner_can_do() -> None:
    settings = Settings.from_env({"LLM_MOCK_HANDLER": "stand.in.stands"})
    head, *others = planner_lines(_stand_in(settings))
    assert head.startswith("the planner can ask mock; in force: no_new_privs, capabilities, not_dumpable")
    assert others[-1] == "the planner cannot ask openai: no key"


def test_doctor_says_why_there_is_no_planner() -> None:
    settings = Settings.from_env({"LLM_MOCK_HANDLER": "stand.in.refuses"})
    assert planner_lines(_stand_in(settings)) == ["the planner could not start: there is no such handler"]
    assert planner_lines(_stand_in(Settings.from_env({}))) == []


def _stand_in(settings: Settings) -> PlannerSpec | None:
    spec = planner_spec(settings, {"PYTHONPATH": str(ROOT)})
    return None if spec is None else replace(spec, module="tests.supervisor.planner_program")


def test_the_service_serves_without_one_that_cannot_start(tmp_path: Path) -> None:
    with planned(tmp_path, "refuses") as service:
        wait_until(lambda: len(service.events("planner_could_not_start")) >= 3, "three tries")
        assert service.answers()
        told = said(service)
        assert (told["standing"], told["ready"], told["layers"]) == (False, [], {})
        failed = service.events("planner_could_not_start")
        assert {line["reason"] for line in failed} == {"there is no such handler"}
        assert [line["restart_in"] for line in failed[:3]] == [0, 0, 0.2]
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("case", "launch", "reason"),
    [
        ("babbles", 20.0, "unexpected message b'nonsense'"),
        ("ends", 20.0, "it ended with exit code 7 before it stood; its last lines say why"),
        ("waits", 0.2, "it did not stand within 0.2 s"),
    ],
)
def test_why_it_could_not_start_is_told(tmp_path: Path, case: str, launch: float, reason: str) -> None:
    with alone(tmp_path, case, launch) as service:
        wait_until(lambda: service.events("planner_could_not_start"), "a failure")
        assert service.events("planner_could_not_start")[0]["reason"] == reason
        assert service.stop() == 0


@pytest.mark.parametrize("case", ["stands", "stands_for_ever"])
def test_it_ends_with_the_service(tmp_path: Path, case: str) -> None:
    """One that does not is killed."""
    with alone(tmp_path, case) as service:
        wait_until(lambda: service.events("planner_ready"), "a planner")
        (planner,) = planners(service)
        assert service.stop() == 0
        assert not planner.lives


def test_it_dies_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with alone(tmp_path, "stands_for_ever") as service:
        wait_until(lambda: service.events("planner_ready"), "a planner")
        (planner,) = planners(service)
        assert service.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: not planner.lives, "the planner's end")


def test_one_that_hangs_is_replaced(tmp_path: Path) -> None:
    """It stands and takes whatever it is sent, but says no more that it is alive."""
    with alone(tmp_path, "hangs") as service:
        wait_until(lambda: len(service.events("planner_ready")) > 1, "another planner")
        assert service.events("planner_died")[0]["reason"] == "it did not answer for 0.5 s"
