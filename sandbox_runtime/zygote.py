"""The zygote: exec'd fresh, single-threaded, jailed, holding no secret; it forks workers on request.

    supervisor ──config──► launcher ──fork──► zygote (PID 1 of its namespace)
                                                │  fronts ask: spawn n
                                                ├──fork──► worker  ──READY──► front
                                                └──reaps──► exited ──► front

The launcher enters the namespaces, forks and leaves, so the zygote becomes a child of the supervisor (its
subreaper) and no process stands idle between the two. Life is a descriptor: when the supervisor's end of
the control socket closes, the zygote exits, and the kernel ends every worker with it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass

import orjson

from sandbox_runtime import contract, jail, linux, preload, probe, rootfs, session, wire, worker
from sandbox_runtime.domain import WorkerKind
from sandbox_runtime.layers import LayerState
from sandbox_runtime.oom import FirstToGo, Memory, OomKills
from sandbox_runtime.program import Run, warm_up
from sandbox_runtime.zygote_config import Config, receive_config

# Freeing the zygote's objects on the way out would copy their pages in every worker.
_kept: list[object] = []
START_FAILURE = 3  # exit status of "could not start", as opposed to "died"


def main() -> Run:
    """Launch, serve for ever, and return only in a worker that holds a program to run."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        config = receive_config(control)
        preload.look_like_a_script()
        probe.raise_own_limits()
        states = probe.survey(config.layers, config.cgroup)
        plan = _plan(config, states)
        warm_up()
        proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _launch(control, plan)
        memory = Memory(FirstToGo(proc), OomKills(config.events))
        os.close(proc)
        zygote = _become_zygote(control, plan, Making(states, config.forks, memory))
    except (jail.JailError, OSError, ValueError, KeyError, ImportError) as error:
        _tell(control, {"t": "failed", "message": f"{type(error).__name__}: {error}"})
        os._exit(START_FAILURE)
    _kept.append((control, config, states, plan, zygote))
    kind = zygote.serve()
    if kind == "session":
        session.serve(zygote.steps[kind].confine)
    if kind == "contract":
        contract.serve(zygote.steps[kind].confine)
    return worker.receive()


def _plan(config: Config, states: tuple[LayerState, ...]) -> jail.JailPlan:
    return jail.JailPlan(
        layers=frozenset(state.layer for state in states if state.in_force),
        root_paths=rootfs.python_paths(),
        hidden_paths=rootfs.hidden_paths(),
        zygote_filter=config.zygote_filter,
        worker_filter=config.worker_filter,
        landlock_abi=linux.landlock_abi(),
        ceilings=config.ceilings,
    )


def _tell(control: socket.socket, body: dict[str, object]) -> None:
    try:
        control.send(orjson.dumps(body))
    except OSError:
        os._exit(START_FAILURE)  # the supervisor has given up, and there is nobody to tell


def _launch(control: socket.socket, plan: jail.JailPlan) -> None:
    """Enter the namespaces and go on in a child; the parent says its pid and ends."""
    worker.Baseline.mapped = _mapped_bytes()
    proc_self = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    jail.take(jail.launcher_steps(plan, proc_self))
    os.close(proc_self)
    pid = os.fork()
    if pid:
        _tell(control, {"t": "launched", "pid": pid})
        os._exit(0)


def _mapped_bytes() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Making:
    """``states`` of the layers, as they are told; ``forks`` until it is worn."""

    states: tuple[LayerState, ...]
    forks: int
    memory: Memory


def _become_zygote(control: socket.socket, plan: jail.JailPlan, making: Making) -> Zygote:
    # The supervisor says go when it has reaped the launcher: only then is it our parent, whose death counts.
    if not control.recv(16):
        os._exit(0)
    linux.set_parent_death_signal(signal.SIGKILL)()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    readable = jail.landlock_rules(plan)
    steps = jail.worker_steps(plan, readable)
    jail.take(jail.zygote_steps(plan))
    zygote = Zygote(control, steps, making)
    preload.hide_ourselves()
    _tell(
        control,
        {
            "t": "hello",
            "layers": [state.as_json() for state in making.states],
            "modules": preload.loaded(),
        },
    )
    gc.collect()
    gc.freeze()
    return zygote


@dataclass(frozen=True, slots=True)
class Child:
    """A worker as its zygote sees it."""

    pid: int
    serial: int
    front: socket.socket


class Zygote:
    """The fork server: one epoll over the supervisor, the fronts, and a pidfd for each worker.

    No signal handler and no wakeup pipe: there would be something to undo in every child.
    """

    def __init__(
        self, control: socket.socket, steps: dict[WorkerKind, jail.WorkerSteps], making: Making
    ) -> None:
        self._control = control
        self.steps = steps
        self._forks = making.forks
        self._memory = making.memory
        self._serial = 0
        self._retired = False
        self._fronts: dict[int, socket.socket] = {}
        self._unsent: dict[int, deque[bytes]] = {}
        self._children: dict[int, Child] = {}
        self._epoll = select.epoll()
        self._epoll.register(control, select.EPOLLIN)

    def serve(self) -> WorkerKind:
        """Serve until the supervisor is gone. Returns only in a fresh worker: its kind."""
        while True:
            for descriptor, events in self._epoll.poll():
                if descriptor in self._children:
                    self._reap(descriptor)
                elif descriptor in self._fronts:
                    born = self._attend(descriptor, events)
                    if born is not None:
                        return born
                elif descriptor == self._control.fileno():
                    self._hear_supervisor()

    def _hear_supervisor(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, 64, 1)
        if not message:
            os._exit(0)
        if message == b"retire":
            self._retired = True
            self._leave_if_finished()
        for descriptor in descriptors:
            # Blocking: O_NONBLOCK belongs to the open file, which every worker shares until it is ready.
            self._fronts[descriptor] = socket.socket(fileno=descriptor)
            self._epoll.register(descriptor, select.EPOLLIN)

    def _attend(self, descriptor: int, events: int) -> WorkerKind | None:
        """What a front's socket is ready for. In a fresh worker: its kind."""
        front = self._fronts[descriptor]
        if events & select.EPOLLOUT:
            self._epoll.modify(descriptor, select.EPOLLIN)
            self._flush(front)
        if not events & ~select.EPOLLOUT:
            return None
        try:
            message = front.recv(wire.CONTROL_MESSAGE_BYTES, socket.MSG_DONTWAIT)
            request = wire.decode_control(message) if message else None
        except BlockingIOError:
            return None
        except (wire.WireError, ConnectionError):
            request = None
        if not isinstance(request, wire.Spawn) or request.kind not in self.steps:
            self._forget(front)
            return None
        self._memory.first.begin()
        if any(self._spawn(front, request.kind) for _ in range(request.count)):
            return request.kind
        self._memory.first.end()
        return None

    def _forget(self, front: socket.socket) -> None:
        for child in self._children.values():
            if child.front is front:
                os.kill(child.pid, signal.SIGKILL)  # nobody is left who would end it at its deadline
        descriptor = front.fileno()
        self._epoll.unregister(descriptor)
        self._unsent.pop(descriptor, None)
        del self._fronts[descriptor]
        front.close()
        self._leave_if_finished()

    def _leave_if_finished(self) -> None:
        if self._retired and not self._fronts:
            os._exit(0)

    def _spawn(self, front: socket.socket, kind: WorkerKind) -> bool:
        """Fork one worker. True in it."""
        self._serial += 1
        if self._serial == self._forks:
            self._control.send(b"worn")  # all workers share one string hash seed: ask for a successor
        try:
            pid = os.fork()
        except OSError as error:
            self._send(front, wire.Failed(self._serial, wire.FORK, str(error)))
            return False
        if pid == 0:
            worker.announce(front, self._serial, self.steps[kind])
            return True
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = Child(pid, self._serial, front)
        self._epoll.register(pidfd, select.EPOLLIN)
        return False

    def _reap(self, pidfd: int) -> None:
        child = self._children.pop(pidfd)
        # Closing alone would not do: a worker forked a moment ago still holds a copy, so the event would come
        # again, by then under the number of another worker.
        self._epoll.unregister(pidfd)
        os.close(pidfd)
        _, status, usage = os.wait4(child.pid, 0)
        cpu = usage.ru_utime + usage.ru_stime
        starved = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        starved = starved and self._memory.kills.just_now(time.monotonic())
        self._send(child.front, wire.Exited(child.serial, status, cpu, usage.ru_maxrss * 1024, starved))

    def _send(self, front: socket.socket, message: wire.ControlMessage) -> None:
        """Send now, or keep it until the front reads again: one slow front must not hold up the others."""
        if front.fileno() in self._fronts:
            self._unsent.setdefault(front.fileno(), deque()).append(wire.encode_control(message))
            self._flush(front)

    def _flush(self, front: socket.socket) -> None:
        unsent = self._unsent.get(front.fileno(), deque())
        while unsent:
            try:
                front.send(unsent[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._epoll.modify(front.fileno(), select.EPOLLIN | select.EPOLLOUT)
                return
            except OSError:
                return  # the front is gone, and its workers learn of it by EOF
            unsent.popleft()
