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
import selectors
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass

import orjson

from sandbox_runtime import jail, linux, preload, probe, rootfs, wire, worker
from sandbox_runtime.layers import Layer, LayerState

START_FAILURE = 3  # exit status of "could not start", as opposed to "died"
_CONFIG_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Config:
    """What the supervisor sends first: layers wanted, BPF programs, ceilings, forks until worn."""

    layers: frozenset[Layer]
    zygote_filter: bytes
    worker_filter: bytes
    ceilings: jail.Ceilings
    forks: int


def main() -> worker.Run:
    """Launch, serve for ever, and return only in a worker that holds a program to run."""
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        config = _receive_config(control)
        preload.import_modules(preload.BASE)
        probe.raise_own_limits()
        states = probe.survey(config.layers)
        plan = _plan(config, states)
        _launch(control, plan)
        zygote = _become_zygote(control, plan, states, config.forks)
    except (jail.JailError, OSError, ValueError, KeyError, ImportError) as error:
        _tell(control, {"t": "failed", "message": f"{type(error).__name__}: {error}"})
        os._exit(START_FAILURE)
    zygote.serve()
    return worker.receive()


def _receive_config(control: socket.socket) -> Config:
    message = control.recv(_CONFIG_BYTES)
    if not message:
        os._exit(0)
    body = orjson.loads(message)
    filters = {name: bytes.fromhex(body["filters"][name]) for name in ("zygote", "worker")}
    return Config(
        frozenset(Layer(name) for name in body["layers"]),
        filters["zygote"],
        filters["worker"],
        jail.Ceilings(**body["ceilings"]),
        int(body["forks"]),
    )


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
    control.send(orjson.dumps(body))


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


def _become_zygote(
    control: socket.socket, plan: jail.JailPlan, states: tuple[LayerState, ...], forks: int
) -> Zygote:
    # The supervisor says go when it has reaped the launcher: only then is it our parent, whose death counts.
    if not control.recv(16):
        os._exit(0)
    linux.set_parent_death_signal(signal.SIGKILL)
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    readable = jail.landlock_rules(plan)
    jail.take(jail.zygote_steps(plan))
    zygote = Zygote(control, plan, readable, forks)
    _tell(control, {"t": "hello", "layers": [state.as_json() for state in states], "modules": preload.loaded()})
    gc.collect()
    gc.freeze()
    return zygote


class Zygote:
    """The fork server: one selector over the supervisor, the fronts and SIGCHLD."""

    def __init__(
        self, control: socket.socket, plan: jail.JailPlan, readable: tuple[jail.LandlockRule, ...], forks: int
    ) -> None:
        self._control = control
        self._forks = forks
        self._plan = plan
        self._readable = readable
        self._serial = 0
        self._retired = False
        self._fronts: set[socket.socket] = set()
        self._unsent: dict[socket.socket, deque[bytes]] = {}
        self._children: dict[int, tuple[socket.socket, int]] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._wake, wake = os.pipe()
        for descriptor in (self._wake, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _note)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the supervisor decides when we go
        self._selector.register(self._wake, selectors.EVENT_READ)

    def serve(self) -> None:
        """Serve until the supervisor is gone. Returns only in a fresh worker."""
        while True:
            for key, events in self._selector.select():
                if events & selectors.EVENT_WRITE and isinstance(key.fileobj, socket.socket):
                    self._catch_up(key.fileobj)
                if key.fd == self._wake:
                    self._reap()
                elif key.fileobj is self._control:
                    self._meet_front()
                elif events & selectors.EVENT_READ and isinstance(key.fileobj, socket.socket) and self._hear(key.fileobj):
                    return

    def _meet_front(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, 64, 1)
        if not message:
            os._exit(0)
        if message == b"retire":
            self._retired = True
            self._leave_if_finished()
        for descriptor in descriptors:
            # Blocking: O_NONBLOCK belongs to the open file, which every worker shares until it is ready.
            front = socket.socket(fileno=descriptor)
            self._fronts.add(front)
            self._selector.register(front, selectors.EVENT_READ)

    def _catch_up(self, front: socket.socket) -> None:
        """The front reads again: send what was kept for it."""
        self._selector.modify(front, selectors.EVENT_READ)
        self._flush(front)

    def _hear(self, front: socket.socket) -> bool:
        """One request of a front. True in a fresh worker."""
        try:
            message = front.recv(wire.CONTROL_MESSAGE_BYTES, socket.MSG_DONTWAIT)
            request = wire.decode_control(message) if message else None
        except BlockingIOError:
            return False
        except (wire.WireError, ConnectionError):
            request = None
        if not isinstance(request, wire.Spawn):
            self._forget(front)
            return False
        return any(self._spawn(front) for _ in range(request.count))

    def _forget(self, front: socket.socket) -> None:
        self._unsent.pop(front, None)
        self._selector.unregister(front)
        self._fronts.discard(front)
        front.close()
        self._leave_if_finished()

    def _leave_if_finished(self) -> None:
        if self._retired and not self._fronts:
            os._exit(0)

    def _spawn(self, front: socket.socket) -> bool:
        self._serial += 1
        if self._serial == self._forks:
            self._control.send(b"worn")  # the string hash seed is shared by all workers; ask for a successor
        try:
            pid = os.fork()
        except OSError as error:
            self._send(front, wire.Failed(self._serial, "fork", str(error)))
            return False
        if pid:
            self._children[pid] = (front, self._serial)
            return False
        self._become_worker(front)
        return True

    def _become_worker(self, front: socket.socket) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        worker.announce(front, self._serial, jail.worker_steps(self._plan, self._readable))

    def _reap(self) -> None:
        while True:
            try:
                os.read(self._wake, 4096)
            except BlockingIOError:
                break
        while self._children:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid in self._children:
                front, serial = self._children.pop(pid)
                cpu = usage.ru_utime + usage.ru_stime
                self._send(front, wire.Exited(serial, status, cpu, usage.ru_maxrss * 1024))

    def _send(self, front: socket.socket, message: wire.ControlMessage) -> None:
        """Send now, or keep it until the front reads again: one slow front must not hold up the others."""
        if front in self._fronts:
            self._unsent.setdefault(front, deque()).append(wire.encode_control(message))
            self._flush(front)

    def _flush(self, front: socket.socket) -> None:
        unsent = self._unsent.get(front, deque())
        while unsent:
            try:
                front.send(unsent[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._selector.modify(front, selectors.EVENT_READ | selectors.EVENT_WRITE)
                return
            except OSError:
                return  # the front is gone, and its workers learn of it by EOF
            unsent.popleft()


def _note(*_: object) -> None:
    """A Python handler must exist for the wakeup descriptor to be written."""
