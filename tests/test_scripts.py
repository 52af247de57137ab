"""The scripts that people and CI call: their command lines, and what they say of a service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.access.keyed import keyed_service
from tests.service_process import running_service

ROOT = Path(__file__).resolve().parent.parent


def is_sourced(script: Path) -> bool:
    """Whether it is a part of other scripts."""
    return script.read_text().startswith("# shellcheck shell=bash\n")


SHELL_SCRIPTS = [
    *sorted((ROOT / "scripts").glob("*.sh")),
    *sorted((ROOT / "infra" / "deploy").glob("*.sh")),
    *sorted((ROOT / "tests" / "deploy").glob("*.sh")),
    ROOT / ".ci" / "run",
]
COMMANDS = [
    *(path for path in SHELL_SCRIPTS if not is_sourced(path)),
    *(ROOT / "scripts" / name for name in ("test_api.py", "test_dynamic_api.py")),
]
INSTALL = "install --yes --no-install-recommends"
CI = (ROOT / ".ci" / "run").read_text()
NEEDED = re.findall(r"^for package in (.+); do$", CI, re.MULTILINE)[0].split()
NOBODY_LISTENS = "http://127.0.0.1:1"


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A script of ours to its end."""
    interpreter = [sys.executable] if script.endswith(".py") else []
    command = [*interpreter, str(ROOT / script), *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    """The URL of a server that gives every request the same reply."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 (the name http.server looks for)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_bash_can_parse_it(script: Path) -> None:
    """Also what no other test happens to run."""
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize("script", COMMANDS, ids=lambda path: path.name)
def test_commands_are_executable(script: Path) -> None:
    """A clone must be usable as it is."""
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda path: path.name)
def test_first_failure_ends_a_script(script: Path) -> None:
    """`set -euo pipefail` is in force, except in what is sourced: that must not change its caller's shell."""
    assert ("\nset -euo pipefail\n" in script.read_text()) != is_sourced(script)


def test_ci_is_check_then_test() -> None:
    """Nothing that a developer cannot run, and nothing after it."""
    assert CI.endswith("\n\nscripts/check.sh\nscripts/test.sh\n")


@pytest.mark.parametrize(
    ("installed", "calls"),
    [
        (NEEDED, []),
        (NEEDED[:3], ["update", f"{INSTALL} {' '.join(NEEDED[3:])}"]),
        (NEEDED[1:-1], ["update", f"{INSTALL} {NEEDED[0]} {NEEDED[-1]}"]),
    ],
    ids=["nothing", "much", "first and last"],
)
def test_ci_installs_what_is_missing(tmp_path: Path, installed: list[str], calls: list[str]) -> None:
    """The package manager is a stand-in that writes down what it is asked; check and test are too."""
    say = f'echo "$@" >>"{tmp_path}/calls"'
    names = " ".join(installed)
    known = f'case " {names} " in *" $name "*) echo "install ok installed" ;; *) exit 1 ;; esac'
    stand_ins = {
        "bin/apt-get": say,
        "bin/dpkg-query": f"for name; do :; done; {known}",
        "scripts/check.sh": f"set -- check; {say}",
        "scripts/test.sh": f"set -- test; {say}",
        ".ci/run": CI,
    }
    for name, text in stand_ins.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    search = f"{tmp_path}/bin:{os.environ['PATH']}"
    subprocess.run([tmp_path / ".ci" / "run"], env=os.environ | {"PATH": search}, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == [*calls, "check", "test"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prot", "9000"], "unknown option --prot."),
        (["9000"], "unknown option 9000."),
        (["--port"], "--port needs a value."),
        (["--port", "9000", "--env-file"], "--env-file needs a value."),
    ],
)
def test_start_api_refuses(arguments: list[str], sentence: str) -> None:
    """One sentence, then the usage; nothing is installed or started."""
    outcome = run("scripts/start_api.sh", *arguments, LARS_VENV="/proc/never")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(f"start_api.sh: {sentence}\n\nusage: scripts/start_api.sh [--host HOST]")


def test_help_of_the_load_test_names_every_option() -> None:
    """Those of its parser, before anything is installed."""
    outcome = run("scripts/loadtest.sh", "--users", "1", "--help", LARS_VENV="/proc/never")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    text = (ROOT / "scripts" / "loadtest.py").read_text()
    options = re.findall(r'^ +"(--[a-z]+)", |add_argument\("(--[a-z]+)"', text, re.MULTILINE)
    assert re.findall(r"^  (--[a-z]+)", outcome.stdout, re.MULTILINE) == ["".join(pair) for pair in options]


def test_start_api_help() -> None:
    """Help costs no installation."""
    outcome = run("scripts/start_api.sh", "--port", "1", "--help", LARS_VENV="/proc/never")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert re.findall(r"^  (--[a-z-]+)", outcome.stdout, re.MULTILINE) == [
        *("--host", "--port", "--env-file", "--with-llm")
    ]


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("scripts/run_api_tests.sh", ["--url", NOBODY_LISTENS]),
        ("scripts/run_api_tests.sh", [NOBODY_LISTENS, NOBODY_LISTENS]),
        ("scripts/test_api.py", ["--test-type", "everything"]),
        ("scripts/test_api.py", ["--url", "file:///etc/passwd"]),
        ("scripts/test_dynamic_api.py", ["--url", "ftp://host"]),
        ("scripts/test_dynamic_api.py", ["--uploads-dir", "/proc/never"]),
        ("scripts/test_dynamic_api.py", []),
        ("scripts/check.sh", ["--help"]),
        ("scripts/lock.sh", ["--upgrade"]),
        ("scripts/update_docs_assets.sh", ["5.35.0"]),
    ],
)
def test_wrong_usage(script: str, arguments: list[str]) -> None:
    """Exit code 2, the usage on stderr, nothing on stdout."""
    outcome = run(script, *arguments, LARS_API_KEY="", STARGATE_API_KEY="")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "usage: " in outcome.stderr


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("scripts/run_api_tests.sh", [NOBODY_LISTENS]),
        ("scripts/test_api.py", ["--url", NOBODY_LISTENS]),
        ("scripts/test_dynamic_api.py", ["--url", NOBODY_LISTENS]),
    ],
)
def test_no_service(script: str, arguments: list[str]) -> None:
    """One sentence with the remedy."""
    outcome = run(script, *arguments, LARS_API_KEY="a key")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert re.fullmatch(
        rf".*{NOBODY_LISTENS} does not answer.*: start the service with ./scripts/start_api.sh\n",
        outcome.stderr,
    )


def test_query_that_is_not_offered() -> None:
    """Asked for by name, what the server does not have is a failure; it is said in so many words."""
    with server(404, b"{}") as url:
        outcome = run("scripts/test_api.py", "--test-type", "query", "--query", "6 * 7?", LARS_URL=url)
    assert (outcome.returncode, outcome.stderr) == (1, "")
    assert outcome.stdout == (
        "----  program from a question: /generate-and-execute is not offered by this server\n"
        "0 passed, 0 failed, 1 not offered by this server\n"
    )


def test_query_without_a_model() -> None:
    """The service says what to set, and the script passes it on; any other 503 is a failure."""
    body = b'{"code": "planner_not_configured", "detail": "set OPENAI_API_KEY"}'
    with server(503, body) as url:
        asked = run("scripts/test_api.py", "--test-type", "query", LARS_URL=url)
    with server(503, b'{"code": "llm_timeout", "detail": "it took too long"}') as url:
        slow = run("scripts/test_api.py", "--test-type", "query", LARS_URL=url)
    assert (asked.returncode, slow.returncode) == (1, 1)
    assert asked.stdout.startswith(
        "----  program from a question: /generate-and-execute is not offered by this server: "
        "set OPENAI_API_KEY\n"
    )
    assert "1 failed" in slow.stdout


def test_query_that_is_offered() -> None:
    """Where a server has the endpoint, the reply's members are checked."""
    reply = (
        b'{"query": "6 * 7?", "generated_code": "print(42)", "stdout": "42\\n", "exit_code": 0, '
        b'"execution_time": 0.1, "validation_result": "It is safe."}'
    )
    with server(200, reply) as url:
        outcome = run("scripts/test_api.py", "--url", url, "--test-type", "query", "--query", "6 * 7?")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert (
        outcome.stdout == "PASS  program from a question\n1 passed, 0 failed, 0 not offered by this server\n"
    )


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (500, b'{"status": "healthy"}', 'status 500, expected 200: {"status": "healthy"}'),
        (200, b'{"status": "ill"}', 'status is "ill", expected "healthy"'),
        (200, b"{}", "no member status"),
        (200, b"healthy", "no member status"),
    ],
)
def test_fault_is_named(status: int, body: bytes, fault: str) -> None:
    """A FAIL line says what came and what should have."""
    with server(status, body) as url:
        outcome = run("scripts/test_api.py", "--url", url, "--test-type", "health")
    assert outcome.returncode == 1
    assert outcome.stdout.splitlines()[0] == f"FAIL  health: {fault}"


def test_every_check_can_fail(tmp_path: Path) -> None:
    """No check passes against a server that answers everything alike."""
    with server(200, b"{}") as url:
        python = run("scripts/test_api.py", "--url", url)
        curl = run("scripts/run_api_tests.sh", url, TMPDIR=str(tmp_path))
    assert "PASS" not in python.stdout.replace("PASS  readiness", "")
    assert "PASS" not in curl.stdout.replace("PASS  readyz", "")
    assert (python.returncode, curl.returncode) == (1, 1)


def test_curl_script_keeps_the_replies(tmp_path: Path) -> None:
    """Body and headers of each request, in a new directory that it names."""
    with server(200, b'{"stdout": "kept"}') as url:
        outcome = run("scripts/run_api_tests.sh", url, TMPDIR=str(tmp_path))
    (results,) = tmp_path.iterdir()
    assert outcome.stdout.splitlines()[-1].endswith(f"replies and headers are in {results}")
    names = re.findall(r"^(?:PASS|FAIL|----)  (\w+)", outcome.stdout, re.MULTILINE)
    assert {path.name for path in results.iterdir()} == {
        f"{name}{end}" for name in names for end in (".json", ".headers")
    }
    assert all(path.read_bytes() == b'{"stdout": "kept"}' for path in results.glob("*.json"))


def test_both_scripts_pass_against_the_service(tmp_path: Path) -> None:
    """What it does not offer is told, and is no failure."""
    with running_service(tmp_path) as service:
        python = run("scripts/test_api.py", "--url", service.url)
        curl = run("scripts/run_api_tests.sh", service.url, TMPDIR=str(tmp_path))
    assert (python.returncode, curl.returncode) == (0, 0), python.stdout + curl.stdout
    assert "FAIL" not in python.stdout + curl.stdout
    assert python.stdout.splitlines()[-1] == "20 passed, 0 failed, 1 not offered by this server"


def test_both_scripts_take_a_key_where_there_are_keys(tmp_path: Path) -> None:
    """From the environment, so that it is on no command line; the curl script leaves no file with it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with keyed_service(tmp_path) as keyed:
        url = keyed.service.url
        without = run("scripts/test_api.py", "--url", url, "--test-type", "code")
        python = run("scripts/test_api.py", "--url", url, LARS_API_KEY=keyed.all)
        curl = run("scripts/run_api_tests.sh", url, LARS_API_KEY=keyed.all, TMPDIR=str(scratch))
    assert "PASS" not in without.stdout
    assert (python.returncode, curl.returncode) == (0, 0), python.stdout + curl.stdout
    kept = [path for path in scratch.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if keyed.all in path.read_text()] == []
