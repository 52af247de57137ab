"""The planner's process as the supervisor has it: what it says, whom it answers, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime import wire
from sandbox_runtime.planner.providers.opening import open_models
from sandbox_runtime.planning import RETIRE, Provider
from tests.planner import mocks
from tests.planner.asking import GENERATE, KEY, PLAN, PROGRAM, at, certificates, config_of
from tests.planner.process import ROOT, SECONDS, Planner, hello, planner
from tests.planning.providers.replies import Fails, Says, Trickles
from tests.planning.providers.server import CERTIFICATE, FakeProvider
from tests.support import wait_until

MOCK = "tests.planner.mocks"
CALLED = "is called with one argument, the prompt as a text"


def test_providers_are_asked_with_their_keys(tmp_path: Path) -> None:
    """All three stand; two are asked; nothing of keys and prompts is in the log. One that has no key is told
    of, with the variable to set."""
    with FakeProvider(Fails(401, KEY)) as one, FakeProvider(Says(PROGRAM)) as two:
        config = config_of(
            at(one, "openai"), at(two, "anthropic"), Provider("together", key="TOGETHER_API_KEY")
        )
        with planner(tmp_path, config, {"KEY": KEY}) as running:
            assert running.standing.ready == ("openai", "anthropic")
            assert running.standing.why == {"together": "together has no key: set TOGETHER_API_KEY"}
            with running.front() as front, running.front() as other:
                answers = [front.ask("generate", GENERATE), other.ask("generate", GENERATE)]
            log = running.log.read_bytes()
    assert [answer.output is not None for answer in answers] == [True, True]
    assert {request.headers["authorization"] for request in two.requests} == {f"Bearer {KEY}"}
    assert KEY.encode() not in log
    assert b"print one" not in log


def test_names_and_certificates_work_in_confinement(tmp_path: Path) -> None:
    """Over TLS to a host that has to be resolved, with a certificate that the environment trusts; the same
    certificate without is not taken."""
    with FakeProvider(Says(PROGRAM), tls=True) as fake:
        url = fake.base_url("openai").replace("127.0.0.1", "localhost")
        config = config_of(Provider("openai", "", url, "responses", "KEY"), hosts=(("localhost", fake.port),))
        codes = []
        for environ in ({"SSL_CERT_FILE": str(CERTIFICATE)}, {}):
            with planner(tmp_path, config, {"KEY": KEY}, environ) as running, running.front() as front:
                failure = front.ask("generate", GENERATE).failure
                codes.append((failure.code, "certificate" in failure.detail) if failure else None)
    assert codes == [None, ("llm_unreachable", True)]
    assert fake.models_called == 1


def test_missing_package_is_told(tmp_path: Path) -> None:
    """With what installs it. Each is hidden by one of its name that cannot be imported."""
    for package in ("openai", "opentelemetry"):
        (tmp_path / f"{package}.py").write_text("raise ModuleNotFoundError('hidden', name=__name__)\n")
    environ = {"PYTHONPATH": str(tmp_path)}
    config = config_of(Provider("openai", key="KEY"), otlp="http://127.0.0.1:9")
    with planner(tmp_path, config, {"KEY": KEY}, environ) as running:
        assert running.standing.ready == ()
        assert running.standing.why == {
            "openai": "the package openai is not installed: start with scripts/start_api.sh --with-llm, "
            "or pip install 'lars[openai]' in the environment of LARS",
            "otlp": "the package opentelemetry is not installed: start with scripts/start_api.sh --with-llm, "
            "or pip install 'lars[otel]' in the environment of LARS",
        }
        with running.front() as front:
            failure = front.ask("generate", GENERATE).failure
    assert failure is not None
    assert failure.code == "planner_not_configured"
    assert "pip install 'lars[openai]'" in failure.detail


def test_mock_takes_the_place_of_every_provider(tmp_path: Path) -> None:
    """It gets the whole prompt; many questions at once, each answered by its number; figures name it."""
    with FakeProvider() as fake:
        config = config_of(at(fake, "openai"), mock=f"{MOCK}.echo")
        with planner(tmp_path, config, {"KEY": KEY}) as running, running.front() as front:
            assert running.standing.ready == ("mock",)
            numbers = [front.send("generate", {**GENERATE, "query": f"print {n}"}) for n in range(100, 116)]
            answers = [front.receive() for _ in numbers]
            figures = front.ask("figures", {}).output
    found = {answer.id: answer.output for answer in answers if answer is not None}
    assert found == {
        number: {"code": f"print('print {100 + at}')", "assessment": "made up"}
        for at, number in enumerate(numbers)
    }
    assert figures is not None
    assert [(row["provider"], row["model"], row["calls"]) for row in figures["models"]] == [
        ("mock", "mock", 16)
    ]
    assert fake.requests == []


@pytest.mark.parametrize(
    ("handler", "code", "detail"),
    [
        ("patient", "", ""),
        ("failing", "llm_failed", "LLM_MOCK_HANDLER raised LookupError: no fixture for print one?"),
    ],
)
def test_mock_may_await_and_may_fail(tmp_path: Path, handler: str, code: str, detail: str) -> None:
    """What it raises is told by its type and message."""
    with planner(tmp_path, config_of(mock=f"{MOCK}.{handler}")) as running, running.front() as front:
        answer = front.ask("generate", GENERATE)
    failure = answer.failure
    assert (failure.code, failure.detail) == (code, detail) if failure else answer.output is not None
    assert bool(failure) == bool(code)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tests.planner.nowhere.f", "ModuleNotFoundError: No module named 'tests.planner.nowhere'"),
        (f"{MOCK}.absent", f"AttributeError: module '{MOCK}' has no attribute 'absent'"),
        (f"{MOCK}.NOT_A_FUNCTION", f"TypeError: {MOCK}.NOT_A_FUNCTION is an int, no function"),
        (
            f"{MOCK}.nothing",
            f"TypeError: {MOCK}.nothing() {CALLED}: too many positional arguments",
        ),
        (
            f"{MOCK}.two",
            f"TypeError: {MOCK}.two(prompt, context) {CALLED}: missing a required argument: 'context'",
        ),
    ],
)
def test_mock_that_cannot_be_used(path: str, said: str) -> None:
    """It is told as what is not configured: at once, to the operator and to every caller."""
    opened = open_models(config_of(mock=path), {}, certificates())
    assert (opened.models, opened.why) == ((), {"mock": f"LLM_MOCK_HANDLER={path} cannot be used: {said}"})


def test_handler_that_cannot_be_imported_fails_the_start(tmp_path: Path) -> None:
    """The supervisor is told why, and may try again."""
    (tmp_path / "broken_handler.py").write_text("raise RuntimeError('no fixtures')\n")
    config, environ = config_of(mock="broken_handler.f"), {"PYTHONPATH": str(tmp_path)}
    process, control, body = hello(tmp_path / "log", config, {}, environ)
    with control:
        assert body == {"t": "failed", "message": "RuntimeError: no fixtures"}
        assert process.wait(SECONDS) == 3


@pytest.mark.parametrize("handler", [print, str.upper, mocks.patient])
def test_mock_takes_what_can_be_called_with_a_prompt(
    handler: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the names, and whatever else it may take."""
    monkeypatch.setattr(mocks, "handler", handler, raising=False)
    assert len(open_models(config_of(mock=f"{MOCK}.handler"), {}, certificates()).models) == 1


def test_forgotten_question_ends_its_request(tmp_path: Path) -> None:
    """The provider sees its connection go; the next question is answered. So when a front goes."""
    with (
        FakeProvider(Trickles(0.01), Trickles(0.01), Says(PROGRAM)) as fake,
        planner(tmp_path, config_of(at(fake, "openai")), {"KEY": KEY}) as running,
        running.front() as front,
        running.front() as other,
    ):
        number = front.send("generate", GENERATE)
        wait_until(lambda: fake.models_called == 1, "the first request")
        front.end.sendall(wire.encode_json(wire.Kind.FORGET, {"id": number}))
        wait_until(lambda: fake.connections == 0, "its end")
        other.send("generate", GENERATE)
        wait_until(lambda: fake.models_called == 2, "the second request")
        other.end.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: fake.connections == 0, "its end")
        assert front.ask("generate", GENERATE).output is not None


def test_one_whose_place_another_has_ends_with_its_last_line(tmp_path: Path) -> None:
    """It answers what it was asked, and more, until no front has a line to it."""
    with (
        FakeProvider(Says(PROGRAM), Says(PROGRAM)) as fake,
        planner(tmp_path, config_of(at(fake, "openai")), {"KEY": KEY}) as running,
        running.front() as front,
    ):
        with running.front() as other:
            number = other.send("generate", GENERATE)
            running.control.send(RETIRE)
            answer = other.receive()
            assert answer is not None
            assert (answer.id, answer.failure) == (number, None)
        assert front.ask("generate", GENERATE).output is not None
        assert running.process.poll() is None
        front.end.shutdown(socket.SHUT_RDWR)
        assert running.process.wait(SECONDS) == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff\x20",
        wire.encode(wire.Kind.RESULT, b"{}"),
        wire.encode(wire.Kind.ASK, b"[]"),
        wire.encode_json(wire.Kind.ASK, {"id": 1}),
        wire.encode_json(wire.Kind.FORGET, {"id": "x"}) + wire.encode(wire.Kind.ASK, b"{"),
    ],
)
def test_garbage_ends_one_line(running_mock: Planner, garbage: bytes) -> None:
    """And no other."""
    with running_mock.front() as front, running_mock.front() as bad:
        bad.end.sendall(garbage)
        assert bad.receive() is None
        assert front.ask("plan", PLAN).calls[0].outcome == "ok"


def test_question_that_lacks_something_ends_its_line(running_mock: Planner) -> None:
    """Only a front that is out of step writes one."""
    with running_mock.front() as front:
        front.send("generate", {})
        assert front.receive() is None


@pytest.fixture(scope="module")
def running_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planner]:
    """One process for the tests that leave it as it is."""
    config = config_of(mock=f"{MOCK}.echo")
    with planner(tmp_path_factory.mktemp("mock"), config) as running:
        yield running


def test_prompts_are_logged_for_debugging_only(tmp_path: Path) -> None:
    """One JSON line with prompt and reply; without, none: test_providers_are_asked_with_their_keys."""
    with planner(tmp_path, config_of(mock=f"{MOCK}.echo", debug=True)) as running, running.front() as front:
        front.ask("generate", GENERATE)
        (line,) = running.lines()
    assert (line["event"], line["task"], line["outcome"]) == ("model_prompt", "generate", "ok")
    assert line["prompt"].endswith("print one")
    assert line["reply"] == '{"code":"print(\'print one\')","assessment":"made up"}'


def test_sigterm_ends_it_quietly(tmp_path: Path) -> None:
    """In the middle of a question."""
    with (
        FakeProvider(Trickles(0.01)) as fake,
        planner(tmp_path, config_of(at(fake, "openai")), {"KEY": KEY}) as running,
        running.front() as front,
    ):
        front.send("generate", GENERATE)
        wait_until(lambda: fake.models_called == 1, "the request")
        running.process.send_signal(signal.SIGTERM)
        assert front.receive() is None
        assert running.process.wait(SECONDS) == 0
        assert running.lines() == []


def test_it_dies_with_its_parent() -> None:
    """Killed, which gives no parent time to end its children. Another process keeps the control socket open:
    it is not by its end that the planner knows."""
    program = """
import os, pathlib, time
from sandbox_runtime.planning import PlannerConfig
from tests.planner.process import hello
config = PlannerConfig((), (), (), 1.0, 16, 1, mock="tests.planner.mocks.echo")
process, control, said = hello(pathlib.Path(os.devnull), config, {})
if os.fork():
    print(process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, process_group=0
    ) as parent:
        assert parent.stdout is not None
        try:
            pid = int(parent.stdout.readline())
            parent.kill()
            parent.wait()
            wait_until(lambda: _has_ended(pid), "the end of the planner", SECONDS)
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def _has_ended(pid: int) -> bool:
    """Or is a zombie, which whoever has become its parent reaps when it likes. proc_pid_stat(5)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"
