"""The image in a real engine, deployed as scripts/deploy.sh does it. Run by scripts/docker_test.sh alone,
which provides the engine (``LARS_TEST_ENGINE``), the image and a network of its own.

The tests come in the order of a deployment and share its container.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox_runtime.layers import DEFAULT_FLOOR, Layer
from seccomp.container import JAIL, container_profile
from tests.service_process import NO_TLS
from tests.support import wait_until

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parent.parent.parent
ENGINE = os.environ["LARS_TEST_ENGINE"]
URL = "http://127.0.0.1:8000"
TOKEN, LOADER = "the-token-of-the-live-test", "the-loader-of-the-live-test"
ENV = f'# settings\nexport LARS_AUTH_TOKEN="{TOKEN}" # quoted\nSTARGATE_API_KEY={LOADER}\nLARS_PORT=9999\n'
HASH = "abcdef1234567890abcdef1234567890abcdef12"
PROFILE = ROOT / "infra" / "docker-seccomp.json"
# What scripts/deploy.sh has.
PRELUDE = (
    'set -euo pipefail; . "$1/scripts/_venv.sh"; '
    'eval "$(sed -n "/^say() {/,/^}/p; /^value_in() {/,/^}/p" "$1/scripts/deploy.sh")"'
)
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")

Done = subprocess.CompletedProcess[str]


def engine(*arguments: str, check: bool = True) -> Done:
    """The engine's command to its end."""
    done = subprocess.run([ENGINE, *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def deploy(command: str, *arguments: str) -> Done:
    """A function of infra/deploy/docker.sh in a shell of its own."""
    script = f'{PRELUDE}; . "$root/infra/deploy/docker.sh"; {command} "${{@:2}}"'
    return subprocess.run(
        ["bash", "-c", script, "deploy.sh", ROOT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def deployed(directory: Path, text: str = ENV) -> Done:
    """deploy_docker with these settings."""
    (directory / "lars.env").write_text(text)
    built = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {os.environ['LARS_TEST_BUILD_ARGUMENTS']}"],
        capture_output=True,
        text=True,
        check=True,
    )
    arguments = built.stdout.rstrip("\0").split("\0")
    return deploy("deploy_docker", "8000", str(directory / "lars.env"), *arguments)


def inspected(template: str) -> str:
    """What the engine says of the container."""
    return engine("container", "inspect", "lars", "--format", template).stdout.strip()


def client(key: str = TOKEN) -> httpx.Client:
    """A client of the container; close it."""
    headers = {"X-API-Key": key, "X-Session-ID": "live"}
    return httpx.Client(base_url=URL, headers=headers, timeout=40.0, trust_env=False, verify=NO_TLS)


def inside(program: str) -> str:
    """What a Python program in the container prints: one of ours, not jailed."""
    return engine("exec", "lars", "python", "-I", "-c", program).stdout.strip()


def ends(*arguments: str, profile: Path | None = PROFILE, command: str = "doctor") -> Done:
    """Another container of the image to its end."""
    options = () if profile is None else ("--security-opt", f"seccomp={profile}")
    return engine("run", "--rm", "--network", "none", *options, *arguments, "lars", command, check=False)


@pytest.fixture(scope="module", autouse=True)
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory that the settings of the container are in, which is removed with its data in the end."""
    directory = tmp_path_factory.mktemp("deploy")
    try:
        done = deployed(directory)
        assert done.returncode == 0, done.stdout
        assert "LARS is ready at http://127.0.0.1:8000\n" in done.stdout
        yield directory
    finally:
        deploy("uninstall_docker", "--purge")


@pytest.fixture(scope="module")
def key() -> str:
    """One that ``lars keys`` makes in the container, with all scopes."""
    made = engine("exec", "lars", "lars", "keys", "add", "--name", "live", "--env", "test")
    return made.stdout.split()[-1]


def test_every_layer_is_in_force() -> None:
    """But the cgroup's, which a container has none to delegate of."""
    with client() as http:
        layers = {row["layer"]: row for row in http.get("/capabilities").json()["layers"]}
    assert set(layers) == set(Layer)
    assert [name for name, row in layers.items() if not row["in_force"]] == [Layer.CGROUP_LIMITS]


def test_nothing_is_gained_in_the_container() -> None:
    """Not root, without a capability, under the profile; and the image has no compiler and no pip."""
    status = dict(line.split(":\t") for line in inside("print(open('/proc/1/status').read())").splitlines())
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    assert [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")] == [0, 0, 0]
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    found = inside("import shutil; print([p for p in ('gcc', 'cc', 'pip', 'curl') if shutil.which(p)])")
    assert found == "[]"
    assert inside("import importlib.util as u; print([u.find_spec(m) for m in ('pip', 'setuptools')])") == (
        "[None, None]"
    )


def test_only_the_volume_can_be_written() -> None:
    program = """
import errno
for path in ("/x", "/opt/lars/x", "/etc/x"):
    try:
        open(path, "w")
    except OSError as error:
        print(errno.errorcode[error.errno])
open("/var/lib/lars/x", "w").close()
print("written")"""
    assert inside(program).split() == ["EROFS", "EROFS", "EROFS", "written"]


@pytest.mark.parametrize(
    "script", ["scripts/test_api.py", "scripts/run_api_tests.sh", "scripts/test_dynamic_api.py"]
)
def test_services_answer(script: str, key: str) -> None:
    """Programs, generation (which says that it has no model), and functions; as a user would check it."""
    interpreter = [sys.executable] if script.endswith(".py") else []
    environ = os.environ | {"LARS_URL": URL, "LARS_API_KEY": LOADER if "dynamic" in script else key}
    done = subprocess.run(
        [*interpreter, ROOT / script], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_improvements_are_served() -> None:
    with client(LOADER) as http:
        module = "def plus(a: int) -> int: return a + 1\n"
        assert http.put(f"/uploads/{HASH}/better.py", content=module).status_code in (200, 201)
        members = {"module_name": "better", "function_name": "plus", "improvement_type": "api"}
        loaded = http.post("/self-improve/load", json={"visible_pixel_hash": HASH, **members})
        assert loaded.status_code == 200, loaded.text
        assert http.get("/improved/api/plus", params={"a": 41}).json() == 42


def test_it_is_healthy() -> None:
    """As the engine finds out with the image's own check; Podman's timer needs systemd, so it is asked."""
    if ENGINE == "podman":
        engine("healthcheck", "run", "lars")
    wait_until(lambda: inspected("{{.State.Health.Status}}") == "healthy", "a healthy container", 40)


def test_orphans_are_reaped() -> None:
    """The supervisor is PID 1, so whoever loses their parent is its child."""
    program = """
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    pid = os.fork()
    if pid:
        os.write(writer, str(pid).encode())
    os._exit(0)
os.wait()
orphan = f"/proc/{os.read(reader, 9).decode()}"
deadline = time.monotonic() + 10
while os.path.exists(orphan) and time.monotonic() < deadline:
    time.sleep(0.01)
print(os.path.exists(orphan))"""
    assert inside(program) == "False"


def member() -> Any:
    """What the session has, None where it has nothing."""
    with client() as http:
        answer = http.get("/members/1")
    return answer.json()["name"] if answer.status_code == 200 else None


def test_again_changes_nothing(container: Path) -> None:
    before = inspected("{{.Id}} {{.State.StartedAt}}")
    done = deployed(container)
    assert (done.returncode, "runs already" in done.stdout) == (0, True), done.stdout
    assert inspected("{{.Id}} {{.State.StartedAt}}") == before


def test_a_run_that_was_cut_off_leaves_the_good_one(container: Path) -> None:
    """As long as the one that is to take its place is not ready, the one that was put aside is kept."""
    engine("stop", "lars")
    engine("rename", "lars", "lars-before")
    done = deployed(container, ENV + "LARS_TIMEOUT_MAX=soon\n")
    assert done.returncode == 1
    assert "the one before runs again" in done.stdout, done.stdout
    assert deployed(container).returncode == 0
    assert len(engine("ps", "--all", "--quiet").stdout.split()) == 1


def test_other_settings_take_its_place_and_data_stay(container: Path, key: str) -> None:
    with client() as http:
        assert http.post("/members", json={"name": "Alice"}).status_code == 201
    before = inspected("{{.Id}}")
    done = deployed(container, ENV + "LARS_TIMEOUT_MAX=7\n")
    assert done.returncode == 0, done.stdout
    assert inspected("{{.Id}}") != before
    assert member() == "Alice"
    with client(key) as http:
        assert http.post("/execute", json={"code": "1", "timeout": 8}).status_code == 422
        assert http.post("/execute", json={"code": "print(1)", "timeout": 7}).json()["stdout"] == "1\n"
        assert http.get("/improved/api/plus", params={"a": 1}).json() == 2
    assert len(engine("ps", "--all", "--quiet").stdout.split()) == 1


def test_settings_that_are_wrong_leave_the_one_before(container: Path) -> None:
    done = deployed(container, ENV + "LARS_TIMEOUT_MAX=soon\n")
    assert done.returncode == 1
    assert "LARS_TIMEOUT_MAX" in done.stdout
    assert done.stdout.endswith("deploy.sh: the one before runs again.\n")
    wait_until(lambda: _answers("/readyz"), "the container before")
    assert member() == "Alice"


def test_a_line_that_is_no_setting_is_refused_before_anything_stops(container: Path) -> None:
    before = inspected("{{.Id}} {{.State.StartedAt}}")
    done = deployed(container, ENV + "what is this\n")
    assert done.returncode == 1
    assert "line 5" in done.stdout
    assert inspected("{{.Id}} {{.State.StartedAt}}") == before


def _answers(path: str) -> bool:
    try:
        with client() as http:
            return http.get(path).status_code == 200
    except httpx.TransportError:
        return False


def test_requests_in_flight_end_when_it_is_stopped(key: str) -> None:
    """SIGTERM drains: the answer comes, the exit status is 0; what was acknowledged is there afterwards."""
    answers: list[httpx.Response] = []
    code = "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass\nprint('whole')"

    def ask() -> None:
        with client(key) as http:
            answers.append(http.post("/execute", json={"code": code, "timeout": 6}))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: inside(_BUSY) == "True", "a program that runs")
    engine("stop", "lars")
    asking.join()
    assert answers[0].json()["stdout"] == "whole\n"
    assert inspected("{{.State.ExitCode}}") == "0"
    engine("start", "lars")
    wait_until(lambda: _answers("/readyz"), "the container again")
    assert member() == "Alice"


# A process of a zygote's PID namespace that has used 0.2 s of CPU: no worker has that before its program.
_BUSY = """
import glob
def used(pid):
    try:
        status, stat = open(f"/proc/{pid}/status").read(), open(f"/proc/{pid}/stat").read()
    except OSError:
        return 0
    numbers = status.partition("NSpid:")[2].splitlines()[0].split()
    return int(stat.rpartition(") ")[2].split()[11]) if len(numbers) == 2 and numbers[1] != "1" else 0
print(any(used(path[6:]) >= 20 for path in glob.glob("/proc/[0-9]*")))"""


def test_without_the_profile_it_does_not_start() -> None:
    """The control: the engine's own profile takes a layer of the floor, and the service says which."""
    done = ends("-e", f"LARS_AUTH_TOKEN={TOKEN}", *HARDENED, profile=None, command="serve")
    lost = "user_namespace" if ENGINE == "docker" else "private_root"
    assert done.returncode == 1, done.stderr
    assert lost in done.stderr
    assert "docs/docker.md" in done.stderr
    assert Layer(lost) in DEFAULT_FLOOR


@pytest.mark.parametrize("name", JAIL)
def test_each_call_of_the_profile_is_needed(name: str, tmp_path: Path) -> None:
    """The profile less one call of the jail loses a layer; so nothing is in it for nothing."""
    without = tmp_path / "seccomp.json"
    without.write_text(json.dumps(container_profile([name])))
    lost = [
        line.split()[0] for line in ends(*HARDENED, profile=without).stdout.splitlines() if " NO " in line
    ]
    assert set(lost) > {Layer.CGROUP_LIMITS}


def test_without_a_key_it_does_not_start() -> None:
    done = ends(command="serve")
    assert done.returncode == 1
    assert "there is no key" in done.stderr


def test_uninstalled_twice(container: Path) -> None:
    """The container goes, its data stay; a new one has them."""
    assert deploy("uninstall_docker").returncode == 0
    assert deploy("uninstall_docker").returncode == 0
    assert engine("ps", "--all", "--quiet").stdout == ""
    assert deployed(container).returncode == 0
    assert member() == "Alice"
    assert deploy("uninstall_docker", "--purge").returncode == 0
    assert engine("volume", "ls", "--quiet").stdout == ""
