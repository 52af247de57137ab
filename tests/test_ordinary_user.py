"""The service runs as an ordinary user. Where the suite runs as one itself, every other test says so too; as
root, this one starts a service as nobody, from a copy that nobody can read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from sandbox_runtime.layers import DEFAULT_FLOOR
from tests.supervisor.serving import ROOT, running
from tests.support import BASE_PYTHON

NOBODY = 65534
# setpriv itself still has root's capabilities when it looks up what to run; the shell has none.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"),
    *("sh", "-c", 'exec "$@"', "sh"),
)
PACKAGES = ("service", "sandbox_runtime", "seccomp")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def interpreter() -> str:
    """A Python of the running version, whose extension modules are therefore of use, that nobody can run."""
    candidates = (BASE_PYTHON, f"/usr/bin/python{VERSION}", f"/usr/local/bin/python{VERSION}")
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        command = [*AS_NOBODY, candidate, "-c", ask]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == VERSION:
            return str(candidate)
    pytest.skip(f"no Python {VERSION} that an ordinary user can run: tried {', '.join(candidates)}")


def dependencies() -> list[Distribution]:
    """What the service needs installed: its requirements, and theirs."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    todo = [Requirement(text) for text in wanted]
    found: dict[tuple[str, str], Distribution] = {}  # by name and extra
    while todo:
        requirement = todo.pop()
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in found:
                continue
            installed = found[requirement.name, extra] = distribution(requirement.name)
            theirs = [Requirement(text) for text in installed.requires or []]
            todo += [one for one in theirs if one.marker is None or one.marker.evaluate({"extra": extra})]
    return list({one.name: one for one in found.values()}.values())


@pytest.fixture
def readable() -> Iterator[Path]:
    """A directory with ``packages`` to run from and ``home`` to run in, both nobody's."""
    directory = Path(tempfile.mkdtemp(prefix="lars-ordinary-"))
    directory.chmod(0o755)
    packages, home = directory / "packages", directory / "home"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, packages / name, ignore=shutil.ignore_patterns("__pycache__"))
    for installed in dependencies():
        for file in installed.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(str(file.locate()), target)
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    subprocess.run(["chmod", "-R", "a+rX", str(packages)], check=True)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.skipif(
    os.geteuid() != 0, reason="the suite runs as an ordinary user, so every test is this test"
)
def test_a_service_of_an_ordinary_user_runs_programs_in_the_whole_jail(readable: Path) -> None:
    command = [*AS_NOBODY, interpreter(), "-m", "service", "serve", "--port", "0"]
    variables = {"PYTHONPATH": str(readable / "packages"), "HOME": str(readable / "home")}
    with running(command, readable / "home", **variables) as service:
        service.wait_ready()
        for member in (service.supervisor, *service.fronts, *service.zygotes):
            assert os.stat(f"/proc/{member.pid}").st_uid in (NOBODY, 0)  # 0: it is not dumpable
            assert f"\nUid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n" in _status(member.pid)
        body = service.execute("import os; result = [os.listdir('/tmp'), os.path.exists('/proc')]")
        assert body.json()["result"] == [["main.py"], False]
        layers = httpx.get(f"{service.url}/capabilities").json()["layers"]
        in_force = {layer["layer"] for layer in layers if layer["in_force"]}
        assert set(DEFAULT_FLOOR) <= in_force
        assert service.stop() == 0
        assert "Traceback" not in service.errors


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


def test_a_root_of_one_id_is_told_what_is_missing() -> None:
    """``unshare --map-root-user``, where the user that root becomes is not mapped."""
    command = ["unshare", "--map-root-user", sys.executable, "-m", "service", "doctor"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert f"without user and group {NOBODY}; map them, or start as another user" in done.stderr
