"""No secret is anywhere but in its owner's hands and, while a request lasts, in the front that judges it. No
key of a language model is anywhere but in the planner."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from tests.access.keyed import Keyed, keyed_service
from tests.service_process import descendants
from tests.support import wait_until

TOKENS = {
    "LARS_AUTH_TOKEN": "planted-rest-token-5d1a6c",
    "STARGATE_API_KEY": "planted-write-token-9b7e21",
    "LARS_AUDIT_KEY": "planted-audit-key-0123456789abcdef",
    "LARS_DATABASE_URL": "sqlite+aiosqlite:///{}/planted-name.db",
}
MODEL_KEYS = {
    "OPENAI_API_KEY": "planted-openai-key-41c09d",
    "ANTHROPIC_API_KEY": "planted-anthropic-key-8e33b7",
    "TOGETHER_API_KEY": "planted-together-key-d20f5a",
    "ANTHROPIC_AUTH_TOKEN": "planted-anthropic-token-90ab1e",  # read by an SDK, and by nothing here
}
MODEL_NEEDLES = [text.encode() for text in MODEL_KEYS.values()]
MARK = "a-text-that-only-a-program-has-77f0"
SLEEPER = f"mark = '{MARK}'; import time; print(mark, flush=True); time.sleep(30)"


@dataclass(frozen=True, slots=True)
class Planted:
    """A service whose secrets have been used in every way, right and wrong, while programs run."""

    keyed: Keyed
    said: str  # all that callers were told

    @property
    def needles(self) -> list[bytes]:
        """What must be nowhere. Of a key the secret: its id may be shown."""
        secret = self.keyed.all.split("_")[3]
        tokens = [TOKENS[name] for name in TOKENS if name != "LARS_DATABASE_URL"]
        return [*(text.encode() for text in (secret, *tokens)), *MODEL_NEEDLES]

    def children(self) -> set[int]:
        """Every process below the main one: fronts, zygotes, workers, the planner."""
        return {pid for pid, _ in descendants(self.keyed.service.pid)}

    def jailed(self) -> set[int]:
        """Those of them that run or have run anything foreign, or fork what does."""
        fronts = self.running("service.front")
        assert fronts
        return self.children() - fronts - self.running("sandbox_runtime.planner")

    def running(self, module: str) -> set[int]:
        """Those that run this module."""
        return {pid for pid in self.children() if module.encode() in read(f"/proc/{pid}/cmdline")}


def read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def memory(pid: int) -> Iterator[bytes]:
    """What the process has mapped (proc_pid_mem(5))."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
            for line in maps:
                span, mode = line.split()[:2]
                begin, end = (int(part, 16) for part in span.split("-"))
                if mode.startswith("r") and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                    with contextlib.suppress(OSError, ValueError):
                        file.seek(begin)
                        yield file.read(end - begin)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    directory = tmp_path_factory.mktemp("planted")
    (directory / "data").mkdir()
    settings = {name: text.format(directory / "data") for name, text in TOKENS.items()}
    settings |= {**MODEL_KEYS, "LARS_FALLBACK_PROVIDER": "anthropic"}
    with keyed_service(
        directory, LARS_FRONTS="2", LARS_LOG_LEVEL="debug", LARS_SHUTDOWN_SECONDS="0.5", **settings
    ) as keyed:
        runs = [Thread(target=keyed.ask, args=(keyed.all, "/execute", "POST"), kwargs={"json": body})
                for body in [{"code": SLEEPER, "timeout": 20}] * 2]  # fmt: skip
        for run in runs:
            run.start()
        said = "".join(use(keyed))
        yield Planted(keyed, said)
    for run in runs:
        run.join()


def use(keyed: Keyed) -> Iterator[str]:
    """Send every secret to everywhere, as a key and as a key with a typo."""
    own = {"X-Session-ID": "planted"}
    tokens = [keyed.all, *(TOKENS[name] for name in ("LARS_AUTH_TOKEN", "STARGATE_API_KEY"))]
    for token in (*tokens, *(token + "x" for token in tokens), keyed.all[:-1]):
        for method, path in (
            ("GET", "/openapi.json"),
            ("GET", "/members"),
            ("GET", "/_/keys"),
            ("GET", "/_/nothing"),
            ("POST", "/execute"),
            ("PUT", "/execute"),
            ("GET", "/capabilities"),
        ):
            for header in (
                {"X-API-Key": token},
                {"Authorization": f"Bearer {token}"},
                {"Authorization": token},
            ):
                answer = keyed.ask(None, path, method, headers={**own, **header}, json={"code": "print(1)"})
                yield answer.text + str(answer.headers)
    yield keyed.ask(keyed.all, "/members", "POST", headers=own, json={"name": "Ada"}).text
    yield keyed.ask(keyed.all, "/execute", "POST", json={"code": "import os; print(dict(os.environ))"}).text


def test_no_answer_has_a_secret(planted: Planted) -> None:
    assert "key_unknown" in planted.said
    assert "scope_missing" in planted.said
    assert [needle for needle in planted.needles if needle in planted.said.encode()] == []


def test_no_log_has_a_secret(planted: Planted) -> None:
    log = read(planted.keyed.service.log)
    assert log.count(b'"event":"request"') > 50
    assert [needle for needle in planted.needles if needle in log] == []


def test_no_file_has_a_secret(planted: Planted) -> None:
    """The control database, its log, the audit log, plans, sessions."""
    files = [path for path in planted.keyed.data.rglob("*") if path.is_file()]
    assert {"planted-name.db", "data.db"} <= {path.name for path in files}
    assert [(path, needle) for path in files for needle in planted.needles if needle in read(path)] == []


def test_no_child_has_a_secret_in_its_environment_or_its_arguments(planted: Planted) -> None:
    assert len(planted.children()) >= 4
    for pid in planted.children():
        for name in ("environ", "cmdline", "comm", "status"):
            with contextlib.suppress(PermissionError):  # what only root may see
                text = read(f"/proc/{pid}/{name}")
                assert [needle for needle in (*planted.needles, b"planted-name") if needle in text] == []


def test_the_main_process_has_no_key_of_a_model_in_its_environment(planted: Planted) -> None:
    """Nor in its command line; and it is the process that was started."""
    for name in ("environ", "cmdline"):
        text = read(f"/proc/{planted.keyed.service.pid}/{name}")
        assert text
        assert [needle for needle in MODEL_NEEDLES if needle in text] == []
    environ = read(f"/proc/{planted.keyed.service.pid}/environ")
    assert b"LARS_DEFAULT_PROVIDER=openai\0" in environ, "what the keys had decided"


def test_every_front_knows_which_model_is_asked(planted: Planted) -> None:
    for front in planted.running("service.front"):
        assert b"LARS_DEFAULT_PROVIDER=openai\0" in read(f"/proc/{front}/environ")
        assert b"LARS_LLM_KEYS_FD" not in read(f"/proc/{front}/environ")


def test_control_the_main_process_shows_what_its_operator_gave_it(planted: Planted) -> None:
    """That is how the search would find one."""
    environ = read(f"/proc/{planted.keyed.service.pid}/environ")
    assert TOKENS["STARGATE_API_KEY"].encode() in environ


@pytest.mark.skipif(os.geteuid() != 0, reason="the memory of a jailed process is for root only")
def test_no_jailed_process_has_a_secret_in_its_memory(planted: Planted) -> None:
    jailed = planted.jailed()
    texts = {pid: list(memory(pid)) for pid in jailed}
    marked = {pid for pid, parts in texts.items() if any(MARK.encode() in part for part in parts)}
    assert len(marked) >= 2, "the search must find what is there"
    found = [
        (pid, needle)
        for pid, parts in texts.items()
        for needle in planted.needles
        if any(needle in part for part in parts)
    ]
    assert found == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the memory of the planner is for root only")
def test_keys_of_models_are_in_the_memory_of_the_planner_alone(planted: Planted) -> None:
    ready = "planner_ready"
    wait_until(lambda: ready in [line["event"] for line in planted.keyed.service.log_lines()], ready)
    planner = planted.running("sandbox_runtime.planner")
    assert len(planner) == 1
    holders = {
        pid: {needle for part in memory(pid) for needle in MODEL_NEEDLES if needle in part}
        for pid in {planted.keyed.service.pid, *planted.children()}
    }
    assert {pid for pid, found in holders.items() if found} == planner
    assert MODEL_NEEDLES[0] in holders[planner.pop()]


def test_no_core_can_be_dumped(planted: Planted) -> None:
    """core(5): a limit of 1 byte keeps the kernel from writing a file and from starting a program for it."""
    for pid in {planted.keyed.service.pid, *planted.children()}:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
            (line,) = [line for line in limits if line.startswith("Max core file size")]
            soft, hard = line.split()[4:6]
            assert {int(soft), int(hard)} <= {0, 1}


def test_a_front_that_crashes_leaves_no_core(tmp_path: Path) -> None:
    with keyed_service(tmp_path) as keyed:
        (front,) = [
            pid
            for pid, _ in descendants(keyed.service.pid)
            if b"service.front" in read(f"/proc/{pid}/cmdline")
        ]
        where = Path(f"/proc/{front}/cwd").resolve()
        before = set(where.glob("core*"))
        os.kill(front, signal.SIGSEGV)
        wait_until(lambda: not read(f"/proc/{front}/cmdline"), "the end of the front")
        assert set(where.glob("core*")) == before
        died = "front_died"
        wait_until(lambda: died in [line["event"] for line in keyed.service.log_lines()], died)
        assert keyed.ask(keyed.all, "/health").status_code == 200
