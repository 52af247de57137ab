"""The unit files, as systemd reads them without being booted. What they do is seen in a booted one:
scripts/systemd_test.sh."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "infra" / "systemd"
SERVICE = (UNITS / "lars.service").read_text()
# What takes the jail's layers (sandbox_runtime/linux.py) beyond what zygote.json lets a zygote keep.
SET_UP = {"mount", "mount_setattr", "pivot_root", "sethostname", "setsid", "umount2", "unshare"}
EXPOSURE = "25"  # 2.5 of 10

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (apt install systemd)"
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Its standard error is part of its output."""
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def installed(directory: Path, service: str = SERVICE) -> list[str]:
    """The units as an installation would have them, with a program that exists and both drop-ins."""
    program = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", service, flags=re.MULTILINE)
    (directory / "lars.service").write_text(program)
    shutil.copy(UNITS / "lars.socket", directory)
    (directory / "lars.service.d").mkdir()
    shutil.copy(UNITS / "network.conf", directory / "lars.service.d")
    return [str(directory / name) for name in ("lars.service", "lars.socket")]


def test_systemd_takes_every_line(tmp_path: Path) -> None:
    """No directive is unknown, no value is passed over."""
    outcome = analyze("verify", "--recursive-errors=yes", "--man=no", *installed(tmp_path))
    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_a_misspelt_line_would_show(tmp_path: Path) -> None:
    """The control of the test above: systemd itself only warns."""
    wrong = SERVICE.replace("PrivateTmp=yes", "PrivateTemp=yes")
    outcome = analyze("verify", "--recursive-errors=yes", "--man=no", *installed(tmp_path, wrong))
    assert outcome.returncode == 1
    assert "PrivateTemp" in outcome.stdout


def test_exposure() -> None:
    """What is left open is what the file says it must."""
    judged = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(UNITS / "lars.service"))
    assert judged.returncode == 0, judged.stdout.splitlines()[-1]
    items = analyze("security", "--offline=true", "--json=short", str(UNITS / "lars.service"))
    exposed = {item["json_field"] for item in json.loads(items.stdout) if float(item["exposure"] or 0) > 0}
    assert exposed == {
        *(f"RestrictNamespaces_{name}" for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")),
        *(f"SystemCallFilter_{group}" for group in ("mount", "privileged", "resources")),
        *("RestrictAddressFamilies_AF_UNIX", "RestrictAddressFamilies_AF_INET_INET6"),
        *("ProtectControlGroups", "Delegate", "ProtectHostname", "MemoryDenyWriteExecute"),
        "RestrictSUIDSGID",
        "RootDirectoryOrRootImage",  # the interpreter and its libraries are the host's
        "DeviceAllow",  # what ProtectClock=yes adds
    }


def syscalls(group: str) -> set[str]:
    """The members of a group of systemd, with those of the groups in it."""
    found = set()
    for line in analyze("syscall-filter", group).stdout.splitlines()[1:]:
        name = line.strip()
        if name and not name.startswith("#"):
            found |= syscalls(name) if name.startswith("@") else {name}
    return found


def allowed(unit: str) -> set[str]:
    """The system calls that the unit lets through: its lists, in their order."""
    found: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        named: set[str] = set()
        for word in line.removeprefix("~").split():
            named |= syscalls(word) if word.startswith("@") else {word}
        found = found - named if line.startswith("~") else found | named
    return found


def allowed_by(profile: str) -> set[str]:
    """The system calls that a profile of the jail lets through, whatever their arguments."""
    rules = json.loads((ROOT / "seccomp" / f"{profile}.json").read_text())["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def test_the_unit_takes_no_system_call_that_the_jail_allows() -> None:
    """Programs, sessions, functions and the planner run in a unit as they do outside."""
    kept = allowed(SERVICE)
    for profile in ("zygote", "planner"):
        assert allowed_by(profile) - kept == set()
    assert SET_UP - kept == set()
    assert {"io_uring_setup", "ptrace", "bpf", "setuid", "fsopen", "init_module", "keyctl"} & kept == set()


def test_times_fit() -> None:
    """systemd waits longer than the service drains, and the watchdog than a busy machine hesitates."""
    seconds = {name: int(value) for name, value in re.findall(r"^(\w+Sec)=(\d+)s$", SERVICE, re.MULTILINE)}
    rows = (ROOT / "docs" / "settings.md").read_text()
    (drain,) = re.findall(r"^\| `LARS_(?:DRAIN|SHUTDOWN)_SECONDS` \| `(\d+)`", rows, re.MULTILINE)
    assert seconds["TimeoutStopSec"] >= 2 * int(drain)
    assert seconds["WatchdogSec"] >= 10
