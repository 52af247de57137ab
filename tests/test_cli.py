"""The command ``lars``: run, doctor, and what it says when something is wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_runtime.layers import DEFAULT_FLOOR, Layer

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 50


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the default data root lies."""
    monkeypatch.setenv("HOME", str(tmp_path))


def lars(*arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """One command to its end, with no settings but these."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LARS_")}
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=ROOT,
        env=environ | settings,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def program(directory: Path, source: str) -> str:
    """The path of a file that holds it."""
    path = directory / "program.py"
    path.write_text(source, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("source", "code", "stdout", "stderr"),
    [
        ("print('hello é')", 0, "hello é\n", ""),
        ("import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)", 3, "out\n", "err\n"),
        ("result = {'a': [1, 2.5]}", 0, '{"a":[1,2.5]}\n', ""),
        ("print(1)\nresult = 2 ** 70", 0, f"1\n{2**70}\n", ""),
        (
            "x = (",
            1,
            "",
            "  File \"main.py\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed\n",
        ),
    ],
)
def test_run(tmp_path: Path, source: str, code: int, stdout: str, stderr: str) -> None:
    """The program's output and exit status are the command's; result is the last line of stdout."""
    outcome = lars("run", program(tmp_path, source), LARS_LOG_LEVEL="error")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (code, stdout, stderr)


def test_run_with_data(tmp_path: Path) -> None:
    """--data is JSON; the program finds it in data."""
    path = program(tmp_path, "result = sum(data['n'])")
    outcome = lars("run", path, "--data", '{"n": [1, 2, 36893488147419103232]}')
    assert (outcome.returncode, outcome.stdout) == (0, "36893488147419103235\n")


def test_run_from_standard_input() -> None:
    """A file named - is standard input."""
    assert lars("run", "-", stdin="print(6 * 7)").stdout == "42\n"


def test_run_is_jailed(tmp_path: Path) -> None:
    """The same jail as behind HTTP."""
    source = "import os, socket\nprint(os.path.exists('/proc/self'), os.getcwd())\nsocket.socket()"
    outcome = lars("run", program(tmp_path, source))
    assert (outcome.returncode, outcome.stdout) == (1, "False /tmp\n")
    assert "PermissionError" in outcome.stderr
    assert "lars: syscall: " in outcome.stderr


def test_run_under_a_narrow_mask(tmp_path: Path) -> None:
    """Programs can read what the private root is made of, whatever umask(2) the service was started with."""
    source = program(tmp_path, "print(open('/etc/passwd').read()[:7], open('/dev/null').read())")
    command = [sys.executable, "-m", "service", "run", source]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, umask=0o077, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "sandbox \n", "")


def test_run_at_a_limit(tmp_path: Path) -> None:
    """The reason is the last line of stderr."""
    path = program(tmp_path, "import time\nprint('kept')\ntime.sleep(30)")
    outcome = lars("run", path, LARS_TIMEOUT="0.5", LARS_LOG_LEVEL="error")
    assert (outcome.returncode, outcome.stdout) == (124, "kept\n")
    assert outcome.stderr.startswith("lars: timeout: ")


@pytest.mark.parametrize(
    ("source", "arguments", "settings", "words"),
    [
        ("import os", [], {"LARS_EXECUTE_POLICY": "restricted"}, "line 1, column 8"),
        ("pass", ["--data", "{"], {}, "--data is not JSON"),
        ("pass", ["--data", "9" * 5000], {}, "4300 digits"),
        ("#" * 2000, [], {"LARS_MAX_CODE_BYTES": "1k"}, "LARS_MAX_CODE_BYTES"),
    ],
)
def test_run_refuses(
    tmp_path: Path, source: str, arguments: list[str], settings: dict[str, str], words: str
) -> None:
    """Exit status 2, one sentence, nothing ran."""
    outcome = lars("run", program(tmp_path, source), *arguments, LARS_LOG_LEVEL="error", **settings)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("lars: ")
    assert words in outcome.stderr


def test_run_of_no_file(tmp_path: Path) -> None:
    """The file is named."""
    outcome = lars("run", str(tmp_path / "none.py"))
    assert outcome.returncode == 2
    assert "none.py" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_run_of_what_is_no_text(tmp_path: Path) -> None:
    """Python source is UTF-8."""
    path = tmp_path / "binary.py"
    path.write_bytes(b"\xff\xfe")
    outcome = lars("run", str(path))
    assert outcome.returncode == 2
    assert "binary.py" in outcome.stderr


def test_doctor() -> None:
    """A line for every layer; exit status 0 when the service can start."""
    outcome = lars("doctor")
    assert outcome.returncode == 0, outcome.stderr
    head, *lines, last = outcome.stdout.splitlines()
    assert head.split()[:3] == ["layer", "in", "force"]
    states = {line.split()[0]: line.split()[1] for line in lines}
    assert set(states) == set(Layer)
    assert {states[layer] for layer in DEFAULT_FLOOR} == {"yes"}
    assert last == "the service can start"


def _unavailable() -> str:
    """The layer that no host gives yet."""
    return Layer.CGROUP_LIMITS.value


def test_doctor_below_the_floor() -> None:
    """Exit status 1; the layer, the reason and the remedy are told."""
    outcome = lars("doctor", LARS_SANDBOX_FLOOR=_unavailable())
    assert outcome.returncode == 1
    assert f"below LARS_SANDBOX_FLOOR: {_unavailable()}: " in outcome.stdout
    assert outcome.stdout.endswith("the service would not start\n")


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["run", "-"]])
def test_below_the_floor_nothing_runs(arguments: list[str]) -> None:
    """The layer is named."""
    outcome = lars(*arguments, stdin="print('ran')", LARS_SANDBOX_FLOOR=_unavailable())
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "LARS_SANDBOX_FLOOR" in outcome.stderr
    assert _unavailable() in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"LARS_PORT": "http"}, ["LARS_PORT='http'", "unset it for the default (8000)"]),
        ({"LARS_TIMEOUT": "90", "LARS_TIMEOUT_MAX": "60"}, ["LARS_TIMEOUT=90", "LARS_TIMEOUT_MAX=60"]),
        ({"LARS_SANDBOX_FLOOR": "seccomp,moat"}, ["LARS_SANDBOX_FLOOR", "seccomp"]),
    ],
)
@pytest.mark.parametrize("command", [["serve"], ["doctor"], ["run", "-"]], ids=lambda c: c[0])
def test_bad_setting(command: list[str], settings: dict[str, str], words: list[str]) -> None:
    """Exit status 1; the name, the value and the remedy in one sentence each."""
    outcome = lars(*command, **settings)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("lars: ")
    assert [word for word in words if word not in outcome.stderr] == []


def test_check_of_the_settings() -> None:
    """As they would be, and no more: nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        good = lars("serve", "--check", "--port", port)
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    bad = lars("serve", "--check", "--workers", "many")
    assert bad.returncode == 1
    assert "LARS_FRONTS='many'" in bad.stderr


def test_busy_port() -> None:
    """Said before anything starts, with the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        outcome = lars("serve", "--host", "127.0.0.1", "--port", str(port))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    sentence = f"port {port} on 127.0.0.1 is in use; stop what holds it, or choose another with --port"
    assert outcome.stderr == f"lars: {sentence}\n"


def test_unknown_host() -> None:
    """The host is named."""
    outcome = lars("serve", "--host", "192.0.2.1", "--port", "0")
    assert outcome.returncode == 1
    assert "192.0.2.1" in outcome.stderr


@pytest.mark.parametrize(
    ("name", "hint"), [("LARS_TIMOUT", "; did you mean LARS_TIMEOUT?"), ("LARS_XYZZY_QQ", "")]
)
def test_unknown_setting_is_warned_of(name: str, hint: str) -> None:
    """With the nearest name where one is near; the command goes on."""
    outcome = lars("run", "-", stdin="print(1)", **{name: "1"})
    assert (outcome.returncode, outcome.stdout) == (0, "1\n")
    assert f"lars: warning: {name} is not a setting{hint}\n" in outcome.stderr


def test_env_file(tmp_path: Path) -> None:
    """The file sets, the environment wins; a missing file is one sentence."""
    path = tmp_path / "lars.env"
    path.write_text("LARS_MAX_CODE_BYTES=1k\n", "utf-8")
    big = "#" * 2000
    assert lars("run", "-", "--env-file", str(path), stdin=big).returncode == 2
    assert lars("run", "-", "--env-file", str(path), stdin=big, LARS_MAX_CODE_BYTES="1m").returncode == 0
    missing = lars("doctor", "--env-file", str(tmp_path / "none"))
    assert missing.returncode == 1
    assert "none" in missing.stderr
    assert "Traceback" not in missing.stderr


@pytest.mark.parametrize("arguments", [["serv"], ["run"], ["doctor", "x"], ["serve", "--prot", "1"]])
def test_wrong_usage(arguments: list[str]) -> None:
    """Exit status 2 and the usage on stderr."""
    outcome = lars(*arguments)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "usage: lars" in outcome.stderr
