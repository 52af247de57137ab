"""What a planner that somebody has taken over cannot do; and as a control, that each attack works without
what stops it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from sandbox_runtime import linux
from sandbox_runtime.jail import NOBODY
from sandbox_runtime.layers import Layer
from tests.isolation.planner_attacks import ATTACKS, Targets

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
LANDLOCK, SECCOMP = Layer.LANDLOCK, Layer.SECCOMP
# Attack -> layers that stop it, outcome with all layers.
STOPPED: dict[str, tuple[tuple[Layer, ...], str]] = {
    "read a file": ((LANDLOCK,), "EACCES"),
    "read passwd": ((LANDLOCK,), "EACCES"),
    "read a library": ((LANDLOCK,), "EACCES"),
    "list a directory": ((LANDLOCK,), "EACCES"),
    "make a file": ((LANDLOCK, SECCOMP), "EPERM"),
    "write to a file": ((LANDLOCK, SECCOMP, Layer.RLIMITS), "EPERM"),
    "remove a file": ((LANDLOCK, SECCOMP), "EPERM"),
    "read environment": ((LANDLOCK,), "EACCES"),
    "signal": ((LANDLOCK, SECCOMP), "EPERM"),
    "signal everyone": ((SECCOMP,), "EPERM"),
    "signal by pidfd": ((LANDLOCK, SECCOMP), "EPERM"),
    "fork": ((SECCOMP,), "EPERM"),
    "exec": ((LANDLOCK, SECCOMP), "EPERM"),
    "connect to another port": ((LANDLOCK,), "EACCES"),
    "connect by MPTCP": ((SECCOMP,), "EPERM"),
    "connect by fast open": ((SECCOMP,), "EPERM"),
    "connect to an abstract socket": ((LANDLOCK, SECCOMP), "EAFNOSUPPORT"),
    "connect to a socket file": ((SECCOMP,), "EAFNOSUPPORT"),
    "listen": ((LANDLOCK, SECCOMP), "EACCES"),
    "listen unbound": ((SECCOMP,), "EPERM"),
    "new namespace": ((SECCOMP,), "EPERM"),
    "outlive the supervisor": ((SECCOMP,), "ENOSYS"),
    "become dumpable": ((SECCOMP,), "EPERM"),
}
NEEDED = ("connect to its port", "resolve", "read certificates")
# Nothing that can be switched off stops these: being nobody does.
WITHOUT_CONTROL = {"read memory": "EACCES", "raw socket": "EPERM", "become root": "EPERM"}

pytestmark = pytest.mark.skipif(linux.landlock_abi() < 6, reason="Landlock here knows no ports or no scopes")


@pytest.fixture(scope="module")
def targets() -> Iterator[Targets]:
    """Files, sockets and a process, all within reach of an ordinary user."""
    with ExitStack() as stack:
        room = Path(tempfile.mkdtemp(prefix="lars-planner-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, room)
        room.chmod(0o777)
        (room / "secret").write_text("the host's")
        allowed, forbidden = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in "ab"
        ]
        abstract = f"lars-planner-{os.getpid()}"
        for address in ("\0" + abstract, str(room / "socket")):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        (room / "socket").chmod(0o777)
        victim = stack.enter_context(
            subprocess.Popen(
                ["/bin/cat"],
                stdin=subprocess.PIPE,
                user=NOBODY if AS_ROOT else None,
                group=NOBODY if AS_ROOT else None,
            )
        )
        yield Targets(
            secret=str(room / "secret"),
            open=str(room),
            allowed=allowed,
            forbidden=forbidden,
            victim=victim.pid,
            abstract=abstract,
            unix=str(room / "socket"),
        )


def attacked(targets: Targets, names: Iterable[str], off: Iterable[Layer] = ()) -> dict[str, str]:
    """What comes of these attacks without the layers ``off``, in a process of its own."""
    old = Path(targets.open) / "old"
    old.write_text("there")
    old.chmod(0o666)
    command = [sys.executable, "-m", "tests.isolation.planner_attacks", json.dumps([*off])]
    done = subprocess.run(
        [*command, json.dumps(asdict(targets)), *names],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    outcomes: dict[str, str] = json.loads(done.stdout)
    return outcomes


def test_every_attack_is_in_a_table() -> None:
    assert {*STOPPED, *NEEDED, *WITHOUT_CONTROL} == set(ATTACKS)


def test_nothing_works_but_what_is_needed(targets: Targets) -> None:
    expected = {name: errno for name, (_, errno) in STOPPED.items()} | dict.fromkeys(NEEDED, "done")
    if AS_ROOT:
        expected |= WITHOUT_CONTROL
    # As an ordinary user, these fail as they do outside.
    names = [*expected]
    assert attacked(targets, names) == expected


@pytest.mark.parametrize("off", sorted({layers for layers, _ in STOPPED.values()}), ids="-".join)
def test_control_attacks_work_without_what_stops_them(targets: Targets, off: tuple[Layer, ...]) -> None:
    names = [name for name, (layers, _) in STOPPED.items() if layers == off]
    names.sort(key="exec".__eq__)  # after which there is nothing more to try
    if "exec" in names:
        assert attacked(targets, ["exec"], off) == {"exec": "done"}
        names.remove("exec")
    assert attacked(targets, names, off) == dict.fromkeys(names, "done")


@pytest.mark.parametrize("off", [LANDLOCK, SECCOMP])
def test_either_layer_is_enough_alone(targets: Targets, off: Layer) -> None:
    names = [name for name, (layers, _) in STOPPED.items() if len(layers) > 1]
    outcomes = attacked(targets, names, [off, Layer.RLIMITS])
    assert [name for name, outcome in outcomes.items() if outcome == "done"] == []
