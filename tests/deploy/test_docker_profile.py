"""The seccomp profile of a container: what it allows, and that the jail comes up under it and no less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox_runtime.layers import Layer
from seccomp import compile_parsed, load_profile, parse_profile
from seccomp.container import BESIDE, JAIL, allowed_names, container_profile, render
from seccomp.model import ActionKind

ROOT = Path(__file__).resolve().parent.parent.parent
# What reaches other processes, other namespaces, or the kernel itself.
NEVER = frozenset(
    "add_key bpf delete_module finit_module fsconfig fsmount fsopen init_module io_uring_setup kcmp "
    "kexec_load keyctl move_mount open_by_handle_at open_tree perf_event_open pidfd_getfd process_vm_readv "
    "process_vm_writev ptrace reboot setns userfaultfd".split()
)
# Installs each profile's program in a child and prints the layers that are lost there.
SURVEY = """
import os, sys
from sandbox_runtime.layers import Layer, LayerState
from sandbox_runtime.linux import SeccompFilter, set_no_new_privs
from sandbox_runtime.probe import survey
told = LayerState(Layer.CGROUP_LIMITS, False, "not tried", "")
for line in sys.stdin:
    sys.stdout.flush()
    if os.fork() == 0:
        set_no_new_privs()()
        SeccompFilter(bytes.fromhex(line)).install()()
        print(*(state.layer for state in survey(Layer, told) if not state.in_force))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""


def compiled(without: tuple[str, ...] = ()) -> bytes:
    """The profile as an engine compiles it. Our reader refuses what repeats the default, which older engines
    have to be told."""
    profile = container_profile(without)
    profile["syscalls"] = [entry for entry in profile["syscalls"] if entry.get("errnoRet") != 38]
    return compile_parsed(parse_profile(json.dumps(profile), "docker-seccomp.json"))


def allowed_by(name: str) -> set[str]:
    """What a filter of ours allows, with whatever arguments."""
    return {rule.syscall for rule in load_profile(name).rules if rule.action.kind is ActionKind.ALLOW}


def test_the_file_is_the_generated_one() -> None:
    """python -m seccomp.container > infra/docker-seccomp.json"""
    assert (ROOT / "infra" / "docker-seccomp.json").read_text("utf-8") == render()


def test_it_allows_what_our_filters_need_and_a_named_rest() -> None:
    """Everything of theirs; and in ``BESIDE`` nothing that the zygote's has already."""
    filters = allowed_by("zygote") | allowed_by("planner")
    named = {name for names in BESIDE.values() for name in names}
    assert allowed_names() == filters | named | {*JAIL}
    assert named.isdisjoint(JAIL)
    assert named & allowed_by("zygote") == set()


def test_it_allows_nothing_that_reaches_out() -> None:
    """Nor a call of an architecture that is not the machine's."""
    assert allowed_names().isdisjoint(NEVER)
    assert "architectures" not in container_profile()


def test_new_namespaces_are_made_by_unshare_alone() -> None:
    """clone only without CLONE_NEW*; clone3 is ENOSYS, also to engines that know no defaultErrnoRet."""
    entries = {name: entry for entry in container_profile()["syscalls"] for name in entry["names"]}
    assert entries["clone"]["args"] == [
        {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 0x7E020000, "valueTwo": 0}
    ]
    assert (entries["clone3"]["action"], entries["clone3"]["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert entries["unshare"]["action"] == "SCMP_ACT_ALLOW"


def test_every_layer_comes_up_under_it_and_each_call_of_the_jail_is_needed() -> None:
    """In real processes under the compiled profile, whole and less each of ``JAIL``."""
    programs = [compiled(), *(compiled((name,)) for name in JAIL)]
    done = subprocess.run(
        [sys.executable, "-c", SURVEY],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input="".join(f"{program.hex()}\n" for program in programs),
        capture_output=True,
        text=True,
        check=True,
    )
    whole, *less = (set(line.split()) for line in done.stdout.splitlines())
    assert whole <= {Layer.CGROUP_LIMITS}
    lost = {name: layers - whole for name, layers in zip(JAIL, less, strict=True)}
    assert all(lost.values()), lost
    assert Layer.USER_NAMESPACE in lost["unshare"] & lost["mount"]
    assert lost["sethostname"] == {Layer.UTS_NAMESPACE}
    assert lost["chroot"] == lost["pivot_root"] == lost["umount2"] == {Layer.PRIVATE_ROOT}


@pytest.mark.parametrize("name", ["zygote", "planner", "worker"])
def test_a_call_that_is_added_to_a_filter_is_in_it(name: str) -> None:
    """Else the filter would allow what the container refuses."""
    if name != "worker":  # which allows by default, under the zygote's
        assert allowed_by(name) <= allowed_names()
    else:
        assert allowed_by(name) == set()
