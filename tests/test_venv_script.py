"""scripts/_venv.sh, run for real on a small checkout of its own: its one dependency is a wheel made here, its
build backend lies in the checkout, so no test needs the network."""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

# Making an environment takes seconds on an idle machine, and some tests make three.
pytestmark = pytest.mark.timeout(180)

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
TOOLS = ("bash", "cat", "dirname", "find", "flock", "id", "ls", "mkdir", "mv", "readlink", "rm", "sha256sum")
BACKEND = """
import pathlib, zipfile
INFO = "lars-0.1.0.dist-info"
def build_editable(directory, config_settings=None, metadata_directory=None):
    name = "lars-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("lars.pth", str(pathlib.Path.cwd()))
        wheel.writestr(INFO + "/METADATA", "Metadata-Version: 2.1\\nName: lars\\nVersion: 0.1.0\\n")
        wheel.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(INFO + "/entry_points.txt", "[console_scripts]\\nlars = program:main\\n")
        wheel.writestr(INFO + "/RECORD", "")
    return name
"""
PROGRAM = """
import os, sys
def main():
    import tiny
    print(sys.argv[1:], sorted(name for name in os.environ if name.startswith("LARS_")))
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def write_wheel(directory: Path) -> str:
    """A wheel ``tiny`` 1.0 in the directory; its lock entry."""
    info = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name, text in files.items()
    }
    record = "".join(f"{name},sha256={digest},{len(files[name])}\n" for name, digest in digests.items())
    path = directory / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in (files | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            wheel.writestr(name, text)
    return f"tiny==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout with scripts/_venv.sh and scripts/start_api.sh, and the environment to run them in."""

    root: Path
    environment: dict[str, str]

    @property
    def venv(self) -> Path:
        return self.root / "venv dir"

    def start(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run start_api.sh to its end."""
        with self.begin(*arguments, **environment) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Begin to run start_api.sh."""
        return subprocess.Popen(
            [self.root / "scripts" / "start_api.sh", *arguments],
            env=self.environment | {"LARS_VENV": str(self.venv)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stamps(self) -> set[str]:
        """The kinds that count as installed."""
        return {path.name for path in (self.venv / ".lars").iterdir()} - {"lock"}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Nothing is installed in it yet."""
    root = tmp_path / "check out"
    (root / "scripts").mkdir(parents=True)
    for name in ("_venv.sh", "start_api.sh"):
        (root / "scripts" / name).write_bytes((SCRIPTS / name).read_bytes())
        (root / "scripts" / name).chmod(0o755)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (root / "requirements.lock").write_text(write_wheel(wheels))
    for kind in ("llm", "dev"):
        (root / f"requirements-{kind}.lock").write_text((root / "requirements.lock").read_text())
    (root / "pyproject.toml").write_text(PYPROJECT + '[project]\nname = "lars"\nversion = "0.1.0"\n')
    (root / "backend.py").write_text(BACKEND)
    (root / "program.py").write_text(PROGRAM)
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "LARS_PYTHON": sys.executable,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": wheels.as_uri(),
    }
    return Checkout(root, environment)


def test_a_link_is_not_built_through(checkout: Checkout, tmp_path: Path) -> None:
    """What it leads to stays as it was, stamps included: it may be another checkout's."""
    assert checkout.start().returncode == 0
    before = checkout.stamps()
    link = tmp_path / "link"
    link.symlink_to(checkout.venv)
    with (checkout.root / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    outcome = checkout.start(LARS_VENV=str(link))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "is a link and would have to be built" in outcome.stderr
    assert checkout.stamps() == before


def tools_only(tmp_path: Path, **more: Path) -> str:
    """A PATH with the shell's own tools, without any Python, and the programs named."""
    directory = tmp_path / "tools"
    directory.mkdir()
    for name in TOOLS:
        found = next(path for path in (Path("/usr/bin", name), Path("/bin", name)) if path.exists())
        (directory / name).symlink_to(found)
    for name, target in more.items():
        (directory / name).symlink_to(target)
    return str(directory)


def write_script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def refusal(checkout: Checkout, **environment: str) -> str:
    """What a start that must fail says, without the remedy's `sudo`, which only an ordinary user is told."""
    outcome = checkout.start(**environment)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    return outcome.stderr.replace("'sudo apt-get", "'apt-get")


def test_first_start_installs_and_second_only_starts(checkout: Checkout, tmp_path: Path) -> None:
    """The second start has no pip and no Python on PATH to install with; a set-up would fail."""
    first = checkout.start("--port", "9000", "--host=::1", "--env-file", "my env")
    expected = "['serve', '--port=9000', '--host=::1', '--env-file=my env'] []\n"
    assert (first.returncode, first.stdout) == (0, expected)
    assert first.stderr.startswith(f"start_api.sh: setting up {checkout.venv} with Python 3.")
    assert checkout.stamps() == {"runtime"}

    (checkout.root / "backend.py").unlink()
    second = checkout.start(PATH=tools_only(tmp_path))
    assert (second.returncode, second.stdout, second.stderr) == (0, "['serve'] []\n", "")


def test_interrupted_and_outdated_set_ups_start_from_nothing(checkout: Checkout) -> None:
    """No stamp, or a stamp of another lock: what is there is removed, half-installed packages with it."""
    left_over = checkout.venv / "lib" / "left_over.py"
    for directory in (left_over.parent, checkout.venv / ".lars"):
        directory.mkdir(parents=True)
    (checkout.venv / "pyvenv.cfg").touch()
    left_over.touch()
    again = checkout.start()
    assert (again.returncode, again.stderr.count("setting up"), left_over.exists()) == (0, 1, False)

    left_over.touch()
    with (checkout.root / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    again = checkout.start()
    assert (again.returncode, again.stderr.count("setting up"), left_over.exists()) == (0, 1, False)


def test_tools_are_added_to_a_current_runtime(checkout: Checkout) -> None:
    """`llm` and `dev` build on `runtime`, keep it, and are not repeated; `dev` has what `llm` has."""
    assert checkout.start().returncode == 0
    kept = next(checkout.venv.glob("lib/python3*/site-packages")) / "kept.py"
    kept.touch()
    add = ["bash", "-c", 'set -e; . "$0"; ensure_venv dev', str(checkout.root / "scripts" / "_venv.sh")]
    environment = checkout.environment | {"LARS_VENV": str(checkout.venv)}
    models = checkout.start("--with-llm")
    assert (models.returncode, models.stdout) == (0, "['serve'] []\n")
    assert "adding the clients of language models" in models.stderr
    assert checkout.stamps() == {"runtime", "llm"}
    first = subprocess.run(add, env=environment, capture_output=True, text=True, check=True)
    second = subprocess.run(add, env=environment, capture_output=True, text=True, check=True)
    assert "adding the tools" in first.stderr
    assert second.stderr == ""
    assert checkout.start("--with-llm").stderr == ""
    assert checkout.stamps() == {"runtime", "dev"}
    assert kept.exists()


def test_two_first_starts_at_once_set_up_once(checkout: Checkout) -> None:
    """Both end well; the second finds what the first has made."""
    with checkout.begin() as one, checkout.begin() as other:
        (out, err), (other_out, other_err) = one.communicate(), other.communicate()
    assert (one.returncode, other.returncode) == (0, 0), (err, other_err)
    assert (out, other_out) == ("['serve'] []\n", "['serve'] []\n")
    assert (err + other_err).count("setting up") == 1


def test_wrong_hash_is_refused(checkout: Checkout) -> None:
    """A package that is not the pinned one is not installed, and what was whole before no longer counts; but
    it is there, for a service may be running from it."""
    assert checkout.start().returncode == 0
    lock = checkout.root / "requirements.lock"
    lock.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    outcome = checkout.start()
    assert outcome.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in outcome.stderr
    assert outcome.stderr.splitlines()[-1] == (
        "start_api.sh: pip could not install the dependencies (its message is above):"
        " see to that, then run this again."
    )
    assert checkout.stamps() == set()
    former = subprocess.run([checkout.venv / "bin" / "lars"], capture_output=True, text=True, check=False)
    assert former.stdout == "[] []\n", former.stderr


def test_foreign_directory_is_left_alone(checkout: Checkout) -> None:
    """A mistyped LARS_VENV costs nobody a directory."""
    checkout.venv.mkdir()
    (checkout.venv / "thesis.txt").touch()
    assert refusal(checkout) == (
        f"start_api.sh: {checkout.venv} was not made by these scripts: remove it, or set LARS_VENV to another"
        " directory.\n"
    )
    assert [path.name for path in checkout.venv.iterdir()] == ["thesis.txt"]


def test_no_python(checkout: Checkout, tmp_path: Path) -> None:
    """A shim that names a Python which is not there counts as none."""
    shim = write_script(tmp_path / "shim", "exit 127")
    assert refusal(checkout, LARS_PYTHON="", PATH=tools_only(tmp_path, **{"python3.12": shim})) == (
        "start_api.sh: no Python 3.11 or newer here: run 'apt-get install python3 python3-venv',"
        " or name one with LARS_PYTHON.\n"
    )


def test_old_python(checkout: Checkout, tmp_path: Path) -> None:
    """The Python of Debian 11 or Ubuntu 22.04."""
    old = write_script(tmp_path / "old", 'case "$3" in *"< (3, 11): sys.exit(3)"*) exit 3 ;; esac; exit 99')
    assert refusal(checkout, LARS_PYTHON="", PATH=tools_only(tmp_path, python3=old)) == (
        "start_api.sh: python3 is older than Python 3.11: run 'apt-get install python3.11-venv',"
        " or set LARS_PYTHON.\n"
    )


def test_python_without_ensurepip(checkout: Checkout, tmp_path: Path) -> None:
    """Debian's python3 without python3-venv: the interpreter is real, the module is made to be missing."""
    bare = write_script(
        tmp_path / "bare",
        f'shift 2; exec "{sys.executable}" -I -c "import sys; sys.modules[\'ensurepip\'] = None\n$1"',
    )
    assert refusal(checkout, LARS_PYTHON="", PATH=tools_only(tmp_path, python3=bare)) == (
        "start_api.sh: python3 has no ensurepip: run 'apt-get install python3-venv'.\n"
    )


def test_named_python_that_does_not_run(checkout: Checkout) -> None:
    """LARS_PYTHON is never passed over in silence."""
    assert refusal(checkout, LARS_PYTHON="/nowhere/python") == (
        "start_api.sh: LARS_PYTHON=/nowhere/python is not a Python 3.11 or newer that runs.\n"
    )


def test_no_libseccomp(checkout: Checkout, tmp_path: Path) -> None:
    """The interpreter is real, the library is made to be missing."""
    blind = write_script(
        tmp_path / "blind",
        'case "$3" in *libseccomp.so.2*) exec "$0" -I -c "open(\'/nowhere\')" ;; esac\n'
        f'exec "{sys.executable}" "$@"',
    )
    assert refusal(checkout, LARS_PYTHON=str(blind)) == (
        "start_api.sh: the library libseccomp.so.2 is missing: run 'apt-get install libseccomp2'.\n"
    )


def test_place_that_nobody_can_write(checkout: Checkout) -> None:
    """Not even root makes a directory in /proc."""
    assert refusal(checkout, LARS_VENV="/proc/lars") == (
        f"start_api.sh: /proc/lars is not writable for {pwd.getpwuid(os.geteuid()).pw_name}:"
        " set LARS_VENV to a directory of yours.\n"
    )
