"""``python divided.py CASE GROUP``: a process that is in GROUP, as a service would be, and divides it.

Prints one JSON object. A process of its own, because it is moved.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from sandbox_runtime.layers import Layer, LayerState
from service.cgroup.absence import Absent
from service.cgroup.amounts import Bounds
from service.cgroup.group import Group
from service.cgroup.quarters import Quarters
from service.cgroup.tree import Tree
from service.pool.local import local_sandbox
from service.pool.pool import PoolSize
from service.sandbox_spec import sandbox_spec
from service.settings import Settings
from tests.support import job

UNBOUNDED = Bounds(None, None, None)
Seen = dict[str, object]


def where(pid: int | str = "self") -> str:
    """The last two parts of a process's path in the hierarchy of version 2."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    path = next(line for line in lines if line.startswith("0::"))
    return "/".join(path.split("/")[-2:])


def children(pid: int) -> list[str]:
    """Of a process with one thread."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def groups(group: Group) -> list[str]:
    """All below it."""
    return sorted(str(path.relative_to(group.path)) for path in group.path.rglob("*") if path.is_dir())


def divide(group: Group) -> Seen:
    """Two rooms: one is killed, the other ended with the tree."""
    tree = Tree(group, group, UNBOUNDED)
    seen: Seen = {"in": where(), "left in the group": group.processes()}
    rooms = [tree.room(), tree.room()]
    families = [_family() for _ in rooms]
    for room, family in zip(rooms, families, strict=True):
        room.take_in(family.pid)
        _begin(family)
    seen["groups"] = groups(group)
    seen["families"] = [where(family.pid) for family in families]
    rooms[0].kill()
    seen["killed"] = families[0].wait()
    seen["other lives"] = families[1].poll() is None
    group.child("sandbox/1").wait_empty()
    tree.clear(rooms[0])
    seen["after the first"] = groups(group)
    tree.close()
    seen["closed"] = families[1].wait()
    seen["at the end"] = [groups(group), os.getpid() in group.processes()]
    return seen


def _family() -> subprocess.Popen[bytes]:
    """A process that has a child, which holds its output open, when it has read a byte."""
    program = "read x; sleep 60 & echo; wait"
    return subprocess.Popen(["/bin/sh", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _begin(family: subprocess.Popen[bytes]) -> None:
    assert family.stdin is not None
    assert family.stdout is not None
    family.stdin.write(b"\n")
    family.stdin.flush()
    family.stdout.read(1)


def occupied(group: Group) -> Seen:
    """Another service lives here."""
    neighbour = _family()
    group.child("main").make()
    group.child("main").enter(neighbour.pid)
    try:
        seen = _refused(group, UNBOUNDED)
        return seen | {"neighbour lives": neighbour.poll() is None}
    finally:
        neighbour.kill()
        neighbour.wait()


def populated(group: Group) -> Seen:
    """Something lives in what would be the sandbox: it is not ours to kill."""
    stranger = _family()
    group.child("sandbox").make()
    group.child("sandbox").enter(stranger.pid)
    try:
        seen = _refused(group, UNBOUNDED)
        return seen | {"stranger lives": stranger.poll() is None}
    finally:
        stranger.kill()
        stranger.wait()


def left_over(group: Group) -> Seen:
    """Empty groups of a service that has died."""
    for name in ("main", "sandbox", "sandbox/1", "sandbox/7"):
        group.child(name).make()
    tree = Tree(group, group, UNBOUNDED)
    during = groups(group)
    tree.close()
    return {"during": during, "after": groups(group)}


def no_controller(group: Group) -> Seen:
    """It fails half-way: all is as it was."""
    return _refused(group, Bounds(1 << 30, None, None))


def _refused(group: Group, bounds: Bounds) -> Seen:
    before = groups(group)
    try:
        Tree(group, group, bounds)
    except Absent as absent:
        return {
            "reason": absent.state.reason,
            "unchanged": before == groups(group),
            "back": os.getpid() in group.processes(),
        }
    return {"reason": ""}


def subgroup(group: Group) -> Seen:
    """systemd has put us into a part of it already."""
    own = group.child("own")
    own.make()
    own.enter(os.getpid())
    tree = Tree(group, own, UNBOUNDED)
    seen: Seen = {"groups": groups(group), "in": where().split("/")[-1]}
    tree.close()
    return seen | {"after": groups(group)}


def sandbox(group: Group) -> Seen:
    """A real zygote with its workers in a room, with a program in one of them."""
    tree = Tree(group, group, UNBOUNDED)
    state = LayerState(Layer.CGROUP_LIMITS, in_force=True)
    spec = dataclasses.replace(sandbox_spec(Settings.from_env({})), quarters=Quarters(state, tree))

    async def run() -> Seen:
        async with local_sandbox(spec, PoolSize(1, 2, 1)) as found:
            outcome = await found.pool.run(job("import os\nresult = os.path.exists('/sys')"))
            pid = found.zygote.pid
            assert pid is not None
            return {
                "result": outcome.result == b"false",
                "layer": [layer.in_force for layer in found.hello.layers if layer.layer is state.layer],
                "zygote": where(pid),
                "workers": sorted({where(child) for child in children(pid)}),
                "groups": groups(group),
            }

    seen = asyncio.run(run())
    seen["after"] = groups(group)
    tree.close()
    return seen


CASES: dict[str, Callable[[Group], Seen]] = {
    case.__name__: case for case in (divide, occupied, populated, left_over, no_controller, subgroup, sandbox)
}


def main() -> None:
    """Entry point."""
    signal.alarm(50)
    group = Group(Path(sys.argv[2]))
    group.enter(os.getpid())
    sys.stdout.buffer.write(orjson.dumps(CASES[sys.argv[1]](group)))


if __name__ == "__main__":
    main()
