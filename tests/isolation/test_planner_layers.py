"""Which layers the planner's confinement tells of, and when it refuses to be without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_runtime import linux

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys, threading
from sandbox_runtime.jail import JailError
from sandbox_runtime.planner.confinement import confine
from sandbox_runtime.planning import PlannerConfig
from seccomp import compile_profile

def main(broken, floor, threads):
    program = "ff" * 8 if broken else compile_profile("planner").hex()
    over = threading.Event()
    for _ in range(threads):
        threading.Thread(target=over.wait).start()
    gone = [threading.Thread(target=int) for _ in range(20)]
    for thread in gone:
        thread.start()
    for thread in gone:
        thread.join()  # Python has let go of them; the kernel will
    try:
        return confine(PlannerConfig((), (), (443,), 1, 1, 1, filter=program, floor=tuple(floor)))
    except JailError as error:
        return str(error)
    finally:
        over.set()

print(json.dumps(main(*json.loads(sys.argv[1]))))
"""
ALL = ["no_new_privs", "capabilities", "not_dumpable", "rlimits", "landlock", "seccomp"]

pytestmark = pytest.mark.skipif(linux.landlock_abi() < 4, reason="Landlock here knows no ports")


def confined(broken: bool = False, floor: tuple[str, ...] = (), threads: int = 0) -> dict[str, str] | str:
    """What ``confine`` says, or why it refuses. ``broken``: the kernel does not take the filter."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([broken, floor, threads])],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said: dict[str, str] | str = json.loads(done.stdout)
    return said


def test_all_layers_are_in_force_here() -> None:
    assert confined(floor=tuple(ALL)) == dict.fromkeys([*ALL, "tcp_ports"], "")


def test_a_layer_that_cannot_be_had_is_told() -> None:
    said = confined(broken=True, floor=("landlock",))
    assert isinstance(said, dict)
    assert {name for name, why in said.items() if why} == {"seccomp"}
    assert said["seccomp"].startswith("seccomp of the planner: ")


def test_a_layer_of_the_floor_is_not_done_without() -> None:
    said = confined(broken=True, floor=("landlock", "seccomp"))
    assert isinstance(said, str)
    assert said.startswith("seccomp of the planner: ")


def test_a_thread_that_would_stay_outside_is_refused() -> None:
    assert confined(threads=1) == "confinement: there is more than one thread already"


@pytest.mark.skipif(os.geteuid() != 0, reason="a network of one's own needs root here")
def test_names_are_resolved(tmp_path: Path) -> None:
    """By DNS, over UDP."""
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "tests.isolation.planner_names", str(resolv_conf)],
        cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "127.0.0.9"), done.stderr
