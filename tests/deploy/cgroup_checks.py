"""``python cgroup_checks.py PYTHON``: what the limits by cgroup do on a machine that has them.

For root on a machine that systemd has booted with cgroup v2 alone; the suite's own machine need not be one,
so this is a command of its own. PYTHON can import the service. Each check prints a line; exit status 1 when
one failed. It uses the standard library alone, and touches no unit of the machine: all are transient.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CGROUPS = Path("/sys/fs/cgroup")
MIB = 1 << 20
PATIENCE = 180.0
UNIT = "lars-check"
DELEGATED = ("Delegate=yes",)
# Memory that is a process's own, and holds it until it is told to end, or for a while.
HOG = """
import time
kept = bytearray({mib} << 20)
for at in range(0, len(kept), 4096):
    kept[at] = 1
time.sleep({seconds})
"""
# Memory that is nobody's: files. The kernel cannot tell by a process's size who has filled them.
FILES = """
import time
with open("/tmp/a", "wb") as file:
    for _ in range({mib}):
        file.write(bytes(1 << 20))
time.sleep({seconds})
"""
THREADS = """
import threading, time
started = 0
try:
    for _ in range(60):
        threading.Thread(target=time.sleep, args=({seconds},), daemon=True).start()
        started += 1
except RuntimeError:
    pass
time.sleep({seconds})
result = started
"""
SPIN = """
import time
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    pass
result = time.process_time()
"""
# As systemd --user does: it divides what was handed over to it, and starts us in a part. A dollar is written
# twice, because systemd reads the command line first.
MANAGER = """
group=/sys/fs/cgroup$$(sed s/0::// /proc/self/cgroup)
mkdir $$group/init.scope $$group/app
sleep 99 & echo $$! > $$group/init.scope/cgroup.procs
echo $$$$ > $$group/app/cgroup.procs
"$$@"
kill %1
"""
LOOK = """
import os
seen = []
for path in ("/sys", "/sys/fs/cgroup", "/proc/self/cgroup"):
    seen.append(os.path.exists(path))
for descriptor in range(4, 256):
    try:
        os.fstat(descriptor)
        seen.append(descriptor)
    except OSError:
        pass
result = seen
"""


def say(ok: bool, what: str, seen: object) -> bool:
    """A line for one check."""
    sys.stdout.write(f"{'PASS' if ok else 'FAIL'} {what}: {seen}\n")
    sys.stdout.flush()
    return ok


def wait_until(ready: Callable[[], object], what: str) -> None:
    """AssertionError, naming ``what``, when ``ready()`` does not become true in time."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE:g} s")
        time.sleep(0.05)


def unit(properties: tuple[str, ...], environ: dict[str, str], wait: bool = True) -> list[str]:
    """The beginning of a command line that runs the rest in a transient unit."""
    paths = os.pathsep.join(path for path in (str(ROOT), os.environ.get("PYTHONPATH", "")) if path)
    variables = {"PYTHONPATH": paths, "LARS_DATA_ROOT": "/var/tmp/lars-check", **environ}
    how = ["--wait", "--pipe"] if wait else []
    return [
        *("systemd-run", "--quiet", "--collect", f"--unit={UNIT}", *how),
        *(word for each in properties for word in ("-p", each)),
        *(word for name, value in variables.items() for word in ("-E", f"{name}={value}")),
    ]


def doctor(
    python: str, properties: tuple[str, ...] = (), prefix: tuple[str, ...] = (), **environ: str
) -> tuple[int, str]:
    """Exit status, and what it says of the layer."""
    command = [*unit(properties, environ), *prefix, python, "-m", "service", "doctor"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    lines = [line for line in outcome.stdout.splitlines() if line.startswith("cgroup_limits")]
    told = " ".join(lines[0].split()[1:]) if lines else outcome.stdout + outcome.stderr
    return outcome.returncode, told


@dataclass(frozen=True, slots=True)
class Service:
    """One that runs in a unit of its own. ``group``: the unit's."""

    address: str
    group: Path

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an answer."""
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            head = {"Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, head)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def run(self, code: str) -> dict[str, Any]:
        """The reply to a program."""
        reply = self.ask("POST", "/execute", {"code": code, "timeout": 60, "memory_limit": "512m"})
        assert isinstance(reply, dict)
        return reply

    def at_once(self, codes: list[str]) -> list[str]:
        """Verdicts of programs that run together."""
        with ThreadPoolExecutor(len(codes)) as threads:
            return [reply["verdict"] for reply in threads.map(self.run, codes)]

    def file(self, name: str) -> str:
        """One file of its sandbox group."""
        return (self.group / "sandbox" / name).read_text().strip()

    def rooms(self) -> dict[str, list[int]]:
        """The groups of its zygotes, and who lives there."""
        found = {}
        for path in (self.group / "sandbox").iterdir():
            if path.is_dir():
                found[path.name] = [int(word) for word in (path / "cgroup.procs").read_text().split()]
        return found


def _is_active() -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode == 0


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def serving(python: str, **environ: str) -> Iterator[Service]:
    """A service that is ready, in a unit with a group of its own; stopped with the block."""
    out, err = Path("/var/tmp/lars-check.out"), Path("/var/tmp/lars-check.err")
    for path in (out, err):
        path.unlink(missing_ok=True)
    environ = {"LARS_ZYGOTES": "1", "LARS_POOL_SIZE": "2", "LARS_TIMEOUT_MAX": "120", **environ}
    properties = (*DELEGATED, f"StandardOutput=file:{out}", f"StandardError=file:{err}")
    command = [*unit(properties, environ, wait=False), python, "-m", "service", "serve", "--port", "0"]
    subprocess.run(command, check=True)
    try:
        wait_until(lambda: "curl" in _text(out) or not _is_active(), "ready, or ended")
        assert "curl" in _text(out), _text(err)
        sys.stdout.writelines(f"     {line}\n" for line in out.read_text().splitlines()[:4])
        address = out.read_text().split("LARS is ready at http://", 1)[1].split("\n", 1)[0]
        shown = subprocess.run(
            ["systemctl", "show", "-P", "ControlGroup", UNIT], capture_output=True, text=True, check=True
        )
        yield Service(address, CGROUPS / shown.stdout.strip().lstrip("/"))
    finally:
        subprocess.run(["systemctl", "stop", UNIT], check=False)


# -- checks ----------------------------------------------------------------------------------------------


def check_layout(service: Service) -> Iterator[bool]:
    """Who is where, and under what."""
    (layer,) = [
        row for row in service.ask("GET", "/capabilities")["layers"] if row["layer"] == "cgroup_limits"
    ]
    yield say(layer["in_force"], "capabilities say that it is in force", layer)
    yield say((service.group / "cgroup.procs").read_text() == "", "the group itself is empty", service.group)
    main = (service.group / "main/cgroup.procs").read_text().split()
    yield say(len(main) == 2, "supervisor and front are in main", main)
    rooms = service.rooms()
    yield say(
        list(rooms) == ["1"] and len(rooms["1"]) >= 2,
        "zygote and workers are in a room of the sandbox",
        rooms,
    )
    files = {name: service.file(name) for name in ("memory.max", "pids.max", "cpu.max", "cpu.weight")}
    expected = {
        "memory.max": str(300 * MIB),
        "pids.max": "48",
        "cpu.max": "150000 100000",
        "cpu.weight": "50",
    }
    yield say(files == expected, "the bounds are those of the settings", files)
    seen = service.run(LOOK)["result"]
    yield say(seen == [False] * 3, "a program sees nothing of its group", seen)


def check_memory(service: Service) -> Iterator[bool]:
    """All together are over the bound, none is over its own."""
    zygote = min(service.rooms()["1"])
    hogs = [HOG.format(mib=90, seconds=20)] * 4
    verdicts = service.at_once(hogs)
    yield say(
        "memory" in verdicts and set(verdicts) <= {"ok", "memory"}, "hungry programs are told so", verdicts
    )
    yield say("ok" in verdicts, "and only as many as had to go", verdicts)
    verdicts = service.at_once([FILES.format(mib=60, seconds=20)] * 6)
    yield say("memory" in verdicts and set(verdicts) <= {"ok", "memory"}, "so are those with files", verdicts)
    reply = service.run("result = 42")
    yield say(reply["result"] == 42, "the next program runs", reply["verdict"])
    yield say(min(service.rooms()["1"]) == zygote, "the zygote has lived through it", zygote)
    peak = int(service.file("memory.peak") or 0)
    yield say(0 < peak <= 300 * MIB, "memory was never above the bound", peak)


def check_killed(service: Service) -> Iterator[bool]:
    """A program that kills itself when nobody lacks memory is told as before."""
    time.sleep(3)  # longer than the moments in which a kill is put down to memory
    reply = service.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    yield say(reply["verdict"] == "signal", "SIGKILL alone is no want of memory", reply["verdict"])


def check_threads(service: Service) -> Iterator[bool]:
    """The bound on processes and threads holds for all together, and starves nobody for good."""
    with ThreadPoolExecutor(3) as threads:
        replies = list(threads.map(service.run, [THREADS.format(seconds=8)] * 2))
    started = [reply["result"] for reply in replies if reply["result"] is not None]
    yield say(0 < sum(started) < 48, "all threads together are below the bound", started)
    events = service.file("pids.events")
    yield say(not events.endswith("max 0"), "the kernel has refused some", events)
    reply = service.run("result = 42")
    yield say(reply["result"] == 42, "the next program runs", reply["verdict"])


def check_cpu(service: Service) -> Iterator[bool]:
    """Four that spin have one CPU and a half together."""
    began = time.monotonic()
    before = _cpu(service)
    service.at_once([SPIN.format(seconds=6)] * 4)
    used = (_cpu(service) - before) / (time.monotonic() - began)
    yield say(used < 1.65, "CPUs used by all together", round(used, 2))
    throttled = [line for line in service.file("cpu.stat").splitlines() if line.startswith("nr_throttled")]
    yield say(throttled != ["nr_throttled 0"], "the kernel has held them back", throttled)


def _cpu(service: Service) -> float:
    return int(service.file("cpu.stat").split()[1]) / 1e6


def check_replacement(service: Service) -> Iterator[bool]:
    """A zygote that dies leaves nothing of its room."""
    old = service.rooms()["1"]
    os.kill(min(old), 9)
    wait_until(lambda: list(service.rooms()) == ["2"] and service.rooms()["2"], "another room")
    reply = service.run("result = 42")
    yield say(reply["result"] == 42, "another zygote serves from another room", service.rooms())
    yield say(not any(Path(f"/proc/{pid}").exists() for pid in old), "nothing of the old one lives", old)


def check_elsewhere(python: str) -> Iterator[bool]:
    """Where it may not, it says why; where it may, it does."""
    cases: list[tuple[str, tuple[str, ...], tuple[str, ...], dict[str, str], str]] = [
        ("a user of its own", (*DELEGATED, "DynamicUser=yes", "StateDirectory=lars-check"), (), {}, "yes"),
        ("no delegation", (), (), {}, "is not delegated to the service"),
        ("a read-only mount", (*DELEGATED, "ProtectControlGroups=yes"), (), {}, "is mounted read-only"),
        (
            "company",
            DELEGATED,
            ("/bin/sh", "-c", 'sleep 99 & "$@"; exit', "sh"),
            {},
            "is shared with 2 other",
        ),
        ("a manager's group", DELEGATED, ("/bin/sh", "-c", MANAGER, "sh"), {}, "is shared with 1 other"),
        ("switched off", DELEGATED, (), {"LARS_CGROUP": "off"}, "LARS_CGROUP=off"),
        ("no such group", DELEGATED, (), {"LARS_CGROUP": str(CGROUPS / "nowhere")}, "is no cgroup v2"),
        ("the root", DELEGATED, (), {"LARS_CGROUP": str(CGROUPS)}, "is the machine's own cgroup"),
    ]
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True)
    number = int(version.stdout.split()[1])
    if number >= 254:
        cases.append(("a subgroup of systemd's", (*DELEGATED, "DelegateSubgroup=main"), (), {}, "yes"))
    if number >= 257:
        private = (
            *DELEGATED,
            "DynamicUser=yes",
            "ProtectControlGroupsEx=private",
            "StateDirectory=lars-check",
        )
        cases.append(("a private namespace", private, (), {}, "yes"))
    for name, properties, prefix, environ, expected in cases:
        _, told = doctor(python, properties, prefix, **environ)
        good = told.startswith(expected) if expected == "yes" else told.startswith("NO") and expected in told
        yield say(good, f"{name}, by doctor", told)
    code, told = doctor(python, (), (), LARS_SANDBOX_FLOOR="cgroup_limits")
    yield say(code == 1, "it can be demanded", (code, told))
    code, told = doctor(python, DELEGATED, (), LARS_SANDBOX_FLOOR="cgroup_limits")
    yield say(code == 0, "and is then given", (code, told))


def check_named(python: str) -> Iterator[bool]:
    """A group that an operator has made: taken, and given back as it was."""
    parent, bare = CGROUPS / "lars-check-named", CGROUPS / "lars-check-named/bare"
    parent.mkdir()
    try:
        _, told = doctor(python, LARS_CGROUP=str(parent))
        yield say(told.startswith("yes"), "a group by name, by doctor", told)
        left = [path.name for path in parent.iterdir() if path.is_dir()]
        enabled = (parent / "cgroup.subtree_control").read_text().strip()
        yield say((left, enabled) == ([], ""), "it is given back as it was", (left, enabled))
        bare.mkdir()
        _, told = doctor(python, LARS_CGROUP=str(bare))
        yield say("has no controller memory, pids" in told, "one without controllers, by doctor", told)
        bare.rmdir()
    finally:
        parent.rmdir()


def checks(python: str) -> Iterator[bool]:
    """All of them."""
    bounds = {"LARS_CGROUP_MEMORY": "300m", "LARS_CGROUP_PIDS": "48", "LARS_CGROUP_CPU": "1.5"}
    with serving(python, **bounds) as service:
        for check in (
            check_layout,
            check_memory,
            check_killed,
            check_threads,
            check_cpu,
            check_replacement,
        ):
            yield from check(service)
        group = service.group
    yield say(not group.exists(), "nothing is left of the unit's group", group)
    yield from check_elsewhere(python)
    yield from check_named(python)


def main() -> int:
    """Exit status."""
    if not (CGROUPS / "cgroup.controllers").exists() or os.geteuid() != 0:
        sys.stderr.write("cgroup_checks: for root on a machine with cgroup v2 at /sys/fs/cgroup\n")
        return 2
    outcomes = list(checks(sys.argv[1]))
    sys.stdout.write(f"{sum(outcomes)} of {len(outcomes)} checks passed\n")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
