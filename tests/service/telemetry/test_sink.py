"""A log whose reader stands still: lines are lost, time is not, and no line is torn."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable

import pytest

from service.telemetry.sink import Sink

LINE = b"x" * 99 + b"\n"
LONG = b"y" * 99_999 + b"\n"
Ends = tuple[int, int]


def _pipe() -> Ends:
    return os.pipe()


def _socket() -> Ends:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def _terminal() -> Ends:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    return ours, theirs


def _read(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    read = b""
    while True:
        try:
            read += os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return read


@pytest.mark.parametrize("nowait", [True, False])
@pytest.mark.parametrize("ends", [_pipe, _socket, _terminal])
def test_a_reader_that_stands_still_holds_nobody_up(ends: Callable[[], Ends], nowait: bool) -> None:
    ours, theirs = ends()
    try:
        sink = Sink(theirs)
        sink._nowait = nowait  # False: what a kernel before 6.4 says of pipes
        began, taken = time.monotonic(), 0
        while sink.put(LINE):
            taken += 1
        assert not any(sink.put(LONG) or sink.put(LINE) for _ in range(1000))
        assert time.monotonic() - began < 5.0, "it waited for more than one line"
        assert (taken > 10, sink.lost) == (True, 2001)
        before = _read(ours)
        assert sink.put(LINE)
        *lines, end = (before + _read(ours)).split(b"\n")
        whole = [line for line in lines if line == LINE[:-1]]
        assert (len(whole), end) == (taken + 1, b""), "the first that is taken again is a line of its own"
    finally:
        os.close(ours)
        os.close(theirs)


def _read_all(descriptor: int) -> None:
    """From when the pipe is full, and its writer waits."""
    while _unread(descriptor) < 1 << 16:
        os.sched_yield()
    while os.read(descriptor, 1 << 16):
        pass


def _unread(descriptor: int) -> int:
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4), sys.byteorder)


def test_a_reader_that_is_slow_loses_nothing() -> None:
    """It is waited for, a little."""
    ours, theirs = os.pipe()
    reader = threading.Thread(target=_read_all, args=(ours,))
    reader.start()
    sink = Sink(theirs)
    taken = [sink.put(LONG) for _ in range(10)]
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert (all(taken), sink.lost) == (True, 0)
