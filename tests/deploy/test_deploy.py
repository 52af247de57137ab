"""scripts/deploy.sh: its command line, and --mode local from start to end. What --mode systemd does is seen
in a booted system: scripts/systemd_test.sh."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support import wait_until
from tests.test_ordinary_user import AS_NOBODY, NOBODY, PACKAGES, dependencies, interpreter

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "scripts" / "deploy.sh"
LOCKS = ("requirements.lock", "requirements-llm.lock", "pyproject.toml", ".env.template")
IN_OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def refusal(*arguments: str) -> tuple[int, str]:
    """Exit status and first line of what is said; nothing is installed for it."""
    environment = os.environ | {"LARS_VENV": "/proc/never", "HOME": "/proc/never"}
    done = subprocess.run([DEPLOY, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr.partition("\n")[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--mode", "kubernetes"], "--mode is kubernetes, not local, docker or systemd."),
        (["--mode"], "--mode needs a value."),
        (["--mod=local"], "unknown option --mod=local."),
        (["9000"], "unknown option 9000."),
        (["--port", "0"], "--port is 0, not a number from 1 to 65535."),
        (["--port=65536"], "--port is 65536, not a number from 1 to 65535."),
        (["--port", "http"], "--port is http, not a number from 1 to 65535."),
        (["--rollback"], "--rollback is for --mode systemd."),
        (["--uninstall", "--purge"], "--purge is not for --mode local: remove the data yourself."),
        (["--mode=systemd", "--purge"], "--purge is for --uninstall."),
        (["--mode=systemd", "--rollback", "--uninstall"], "--uninstall and --rollback exclude each other."),
        (["--uninstall", "--port", "9000"], "--uninstall takes neither --port nor --env-file."),
    ],
)
def test_wrong_usage(arguments: list[str], sentence: str) -> None:
    """Exit status 2, one sentence, the usage."""
    assert refusal(*arguments) == (2, f"deploy.sh: {sentence}")


@pytest.mark.parametrize("name", ["/nowhere/env", "/proc"])
def test_settings_that_cannot_be_read(name: str) -> None:
    status, sentence = refusal("--env-file", name)
    assert status == 1
    assert sentence.startswith(f"deploy.sh: --env-file {name} is no file that ")


def test_help() -> None:
    """Every option, for nothing."""
    done = subprocess.run([DEPLOY, "--help"], capture_output=True, text=True, check=True)
    options = re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE)
    assert options == ["--mode", "--port", "--env-file", "--rollback", "--uninstall", "--purge"]


def test_systemd_is_for_root_and_for_systemd() -> None:
    """Root here is root of a namespace of its own, whose /run is empty: nothing can be installed."""
    command = f"mount -t tmpfs none /run && exec {DEPLOY} --mode systemd"
    without = subprocess.run([*IN_OWN_MOUNTS, command], capture_output=True, text=True, check=False)
    assert without.returncode == 1
    assert without.stderr == (
        "deploy.sh: systemd does not run this machine (there is no /run/systemd/system): use --mode local or "
        "--mode docker.\n"
    )
    ordinary = [*AS_NOBODY, "bash", DEPLOY] if os.geteuid() == 0 else [DEPLOY]
    refused = subprocess.run([*ordinary, "--mode", "systemd"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (
        1,
        "deploy.sh: --mode systemd is for root: run it with sudo.\n",
    )


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of the checkout that everybody can read, with an environment that counts as installed."""

    root: Path
    prefix: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """Where everything is that a deployment writes."""
        return self.root / "home"

    @property
    def settings(self) -> Path:
        """A file that is named with --env-file."""
        return self.home / "settings.env"

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/deploy.sh to its end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LARS_", "XDG_"))}
        environment = kept | {"HOME": str(self.home), "LARS_VENV": str(self.root / "venv")}
        command = [*self.prefix, str(self.root / "scripts" / "deploy.sh"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def deployed(self, port: int) -> int:
        """Deploy, and the process that serves."""
        done = self.deploy("--port", str(port), "--env-file", str(self.settings))
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert f"LARS is ready at http://127.0.0.1:{port}\n" in done.stdout
        (pid,) = re.findall(r"^  process (\d+),", done.stdout, re.MULTILINE)
        return int(pid)


def write_environment(root: Path) -> None:
    """``venv``: bin/python and bin/lars, and the stamp that scripts/_venv.sh writes when all is installed."""
    (root / "venv" / "bin").mkdir(parents=True)
    (root / "venv" / ".lars").mkdir()
    (root / "venv" / "pyvenv.cfg").touch()
    (root / "venv" / "bin" / "python").symlink_to(interpreter())
    lars = root / "venv" / "bin" / "lars"
    lars.write_text(f'#!/bin/sh\nPYTHONPATH={root}:{root}/packages exec {interpreter()} -m service "$@"\n')
    lars.chmod(0o755)
    stamp = f'. "$0"; venv={root}/venv; write_stamp runtime'
    environment = {name: value for name, value in os.environ.items() if name != "LARS_PYTHON"}
    subprocess.run(["bash", "-c", stamp, root / "scripts" / "_venv.sh"], env=environment, check=True)


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """The checkout and its dependencies, once for all."""
    root = Path(tempfile.mkdtemp(prefix="lars-deploy-"))
    for name in (*PACKAGES, "scripts", "infra"):
        shutil.copytree(ROOT / name, root / name)
    for name in LOCKS:
        shutil.copy(ROOT / name, root)
    for installed in dependencies():
        for file in installed.files or ():
            if ".." not in file.parts and Path(str(file.locate())).exists():
                target = root / "packages" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)
    write_environment(root)
    subprocess.run(["chmod", "-R", "a+rX", str(root)], check=True)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def checkout(copy: Path) -> Iterator[Callable[[bool], Checkout]]:
    """Makes one, for who runs the suite or for nobody; nothing of it runs afterwards."""
    made = []

    def make(as_nobody: bool) -> Checkout:
        found = Checkout(copy, AS_NOBODY if as_nobody else ())
        found.home.mkdir()
        found.settings.write_text(f"LARS_DATA_ROOT={found.home}/data\nLARS_ZYGOTES=1\nLARS_POOL_SIZE=1\n")
        if as_nobody:
            os.chown(found.home, NOBODY, NOBODY)
        made.append(found)
        return found

    yield make
    for each in made:
        each.deploy("--uninstall")
        shutil.rmtree(each.home)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def runs(pid: int) -> bool:
    """Whether the process is there, and not only its exit status."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def assert_answers(port: int) -> None:
    """A program runs."""
    reply = httpx.post(f"http://127.0.0.1:{port}/execute", json={"code": "print(6 * 7)"}, trust_env=False)
    assert reply.json()["stdout"] == "42\n"


def test_local_deployment(checkout: Callable[[bool], Checkout]) -> None:
    """It starts, answers, is left alone, is started anew where something has changed, and ends."""
    lars, port = checkout(False), free_port()
    first = lars.deployed(port)
    assert_answers(port)
    assert os.getsid(first) == first  # who closes the terminal does not end it
    assert lars.deployed(port) == first
    with lars.settings.open("a") as file:
        file.write("LARS_QUEUE_SIZE=65\n")
    second = lars.deployed(port)
    assert second != first
    assert not runs(first)
    assert lars.deploy("--uninstall").returncode == 0
    assert not runs(second)
    kept = {path.name for path in lars.home.iterdir()} - {".local", ".cache"}
    assert kept == {"data", "settings.env"}
    assert lars.deploy("--uninstall").stdout == "deploy.sh: nothing is deployed.\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="the suite runs as an ordinary user, so the test above is this")
def test_local_deployment_of_an_ordinary_user(checkout: Callable[[bool], Checkout]) -> None:
    """From a checkout that the user cannot write."""
    lars, port = checkout(True), free_port()
    pid = lars.deployed(port)
    assert_answers(port)
    assert f"\nUid:\t{NOBODY}\t{NOBODY}\t" in Path(f"/proc/{pid}/status").read_text()
    assert lars.deployed(port) == pid
    assert lars.deploy("--uninstall").returncode == 0
    assert not runs(pid)


def test_a_port_that_is_taken(checkout: Callable[[bool], Checkout]) -> None:
    """The service's own words, and no process is left."""
    lars = checkout(False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        refused = lars.deploy("--port", str(port), "--env-file", str(lars.settings))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"LARS did not start: lars: port {port} on 127.0.0.1 is in use" in refused.stderr
    pid = int((lars.home / ".local/state/lars/process").read_text().split()[0] or 0)
    wait_until(lambda: not runs(pid), f"the end of {pid}")


def test_a_relative_state_directory(checkout: Callable[[bool], Checkout]) -> None:
    """Is ignored, as the specification of XDG_STATE_HOME has it."""
    lars = checkout(False)
    (lars.home / ".local" / "state" / "lars").mkdir(parents=True)
    relative = Checkout(lars.root, ("env", "XDG_STATE_HOME=state"))
    assert relative.deploy("--uninstall").stdout.startswith("deploy.sh: LARS is stopped.")
    assert lars.deploy("--uninstall").stdout == "deploy.sh: nothing is deployed.\n"


def test_moving_to_a_port_that_is_taken_ends_nothing(checkout: Callable[[bool], Checkout]) -> None:
    """What runs goes on where it is."""
    lars, port = checkout(False), free_port()
    pid = lars.deployed(port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        refused = lars.deploy("--port", str(taken), "--env-file", str(lars.settings))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"port {taken} on 127.0.0.1 is in use.\n")
    assert runs(pid)
    assert_answers(port)
    assert lars.deployed(taken) != pid


def test_bad_settings_end_nothing(checkout: Callable[[bool], Checkout]) -> None:
    """What runs goes on: the settings are read before it is stopped."""
    lars, port = checkout(False), free_port()
    pid = lars.deployed(port)
    with lars.settings.open("a") as file:
        file.write("LARS_FRONTS=many\n")
    refused = lars.deploy("--port", str(port), "--env-file", str(lars.settings))
    assert refused.returncode == 1
    assert "LARS_FRONTS='many'" in refused.stderr
    assert runs(pid)
    assert_answers(port)


def test_an_uninstallation_that_comes_before(checkout: Callable[[bool], Checkout]) -> None:
    """Whoever waited for it holds a lock that is removed with all else, and takes that of who comes now."""
    lars, port = checkout(False), free_port()
    deployment = lars.home / ".local" / "state" / "lars"
    deployment.mkdir(parents=True)
    with (deployment / "lock").open("w") as lock, ThreadPoolExecutor() as executor:
        fcntl.flock(lock, fcntl.LOCK_EX)
        deployed = executor.submit(lars.deployed, port)
        wait_until(lambda: waits_for(deployment / "lock"), "the turn of who deploys")
        shutil.rmtree(deployment)
        fcntl.flock(lock, fcntl.LOCK_UN)
        pid = deployed.result()
    assert_answers(port)
    assert (deployment / "process").read_text().split()[0] == str(pid)
    assert lars.deployed(port) == pid


def waits_for(lock: Path) -> bool:
    """Whether somebody waits for it (proc_locks(5))."""
    waiting = [line for line in Path("/proc/locks").read_text().splitlines() if " -> " in line]
    return any(line.split()[6].endswith(f":{lock.stat().st_ino}") for line in waiting)


def test_docker_is_told_port_and_settings(checkout: Callable[[bool], Checkout]) -> None:
    """--port, else what the file says last of LARS_PORT, else 8000."""
    lars = checkout(False)
    stand_in = lars.root / "infra" / "deploy" / "docker.sh"
    kept = stand_in.read_text() if stand_in.exists() else None
    stand_in.write_text(
        'deploy_docker() { echo "deploy $*"; }\nuninstall_docker() { echo "uninstall $*"; }\n'
    )
    lars.settings.write_text('LARS_PORT=1\n export LARS_PORT = "9001"  # mine\n#LARS_PORT=2\nLARS_PORTS=3\n')
    said = [
        lars.deploy("--mode", "docker", *options).stdout
        for options in (
            ("--env-file", str(lars.settings)),
            ("--env-file", str(lars.settings), "--port=9002"),
            (),
            ("--uninstall",),
            ("--uninstall", "--purge"),
        )
    ]
    assert said == [
        f"deploy 9001 {lars.settings}\n",
        f"deploy 9002 {lars.settings}\n",
        "deploy 8000 \n",
        "uninstall \n",
        "uninstall --purge\n",
    ]
    lars.settings.write_bytes(b"\xef\xbb\xbfLARS_PORT=9003\r\n")  # as some editors save it
    assert lars.deploy("--mode", "docker", "--env-file", str(lars.settings)).stdout.split()[1] == "9003"
    if kept is not None:
        stand_in.write_text(kept)


def test_every_target_of_make_is_a_script_of_ours() -> None:
    """With words on what it does."""
    makefile = (ROOT / "infra" / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):(.*)$", makefile, re.MULTILINE)
    assert all(re.fullmatch(r" ## .+", rest) for _, rest in targets)
    assert {name for name, _ in targets} >= {"help", "run", "test", "check", "bench", "deploy", "docker"}
    assert re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE) == [name for name, _ in targets]
    scripts = set(re.findall(r"\$\(scripts\)/(\w+\.\w+)", makefile)) - {"build_docker_image.sh"}
    assert all((ROOT / "scripts" / name).is_file() for name in scripts)
