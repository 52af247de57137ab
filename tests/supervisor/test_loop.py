"""The supervisor's loop: descriptors, timers, and signals that are only recorded."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterator

import pytest

from service.supervisor.loop import Loop, Signals


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Two pairs; something can be read from the first of each."""
    pairs = [socket.socketpair() for _ in range(2)]
    for _, writer in pairs:
        writer.send(b"x")
    yield pairs
    for pair in pairs:
        for end in pair:
            end.close()


def readable(signals: Signals) -> bool:
    return bool(select.select([signals], [], [], 0)[0])


def test_a_readable_descriptor_calls_its_action(
    loop: Loop, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    heard: list[int] = []
    for number, (reader, _) in enumerate(pairs):
        loop.watch(reader, lambda number=number: heard.append(number))  # type: ignore[misc]
    loop.turn()
    assert sorted(heard) == [0, 1]
    loop.mute(pairs[0][0])
    loop.turn()
    assert sorted(heard) == [0, 1, 1]


def test_an_action_may_close_what_the_same_turn_was_about_to_hear(
    loop: Loop, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    """The death of a child and the end of its socket come in one turn, in either order."""
    readers = [reader for reader, _ in pairs]
    heard: list[int] = []

    def hear(number: int) -> None:
        heard.append(number)
        other = readers[1 - number]
        loop.mute(other)
        other.close()

    for number, reader in enumerate(readers):
        loop.watch(reader, lambda number=number: hear(number))  # type: ignore[misc]
    loop.turn()
    assert len(heard) == 1


def test_an_action_may_put_another_socket_under_the_number_of_a_closed_one(
    loop: Loop, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    readers = [reader for reader, _ in pairs]
    heard: list[str] = []
    opened: list[socket.socket] = []

    def hear(number: int) -> None:
        heard.append("old")
        other = readers[1 - number]
        descriptor = other.fileno()
        loop.mute(other)
        other.close()
        opened.extend(socket.socketpair())
        assert descriptor in {end.fileno() for end in opened}, "the kernel gives the lowest number"
        for end in opened:
            loop.watch(end, lambda: heard.append("new"))

    for number, reader in enumerate(readers):
        loop.watch(reader, lambda number=number: hear(number))  # type: ignore[misc]
    loop.turn()
    for end in opened:
        loop.mute(end)
        end.close()
    assert heard == ["old"]


def test_muting_twice_or_after_closing_is_harmless(
    loop: Loop, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    heard: list[str] = []
    reader, writer = pairs[0]
    loop.watch(reader, lambda: heard.append("muted"))
    writer.send(b"x")
    loop.mute(reader)
    loop.mute(reader)
    loop.after(0.0, lambda: heard.append("turned"))
    loop.turn()
    reader.close()
    loop.mute(reader)
    assert heard == ["turned"]


def test_timers_fire_in_order_of_time_and_once(loop: Loop) -> None:
    fired: list[str] = []
    loop.after(0.02, lambda: fired.append("later"))
    loop.after(0.0, lambda: fired.append("first"))
    loop.after(0.0, lambda: fired.append("second"))
    while len(fired) < 3:
        loop.turn()
    assert fired == ["first", "second", "later"]


def test_a_timer_that_sets_itself_again_does_not_keep_the_loop_from_listening(loop: Loop) -> None:
    fired: list[int] = []

    def again() -> None:
        fired.append(1)
        loop.after(0.0, again)

    loop.after(0.0, again)
    loop.turn()
    assert len(fired) == 1


def test_a_signal_is_recorded_and_wakes_once() -> None:
    with Signals() as signals:
        assert not readable(signals)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert readable(signals)
        assert signals.take() == {signal.SIGHUP, signal.SIGTERM}
        assert not readable(signals), "a signal that has been taken wakes the loop for ever"
        assert signals.take() == frozenset()


def test_the_handlers_that_stood_before_are_put_back() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    descriptors = os.listdir("/proc/self/fd")
    with Signals() as signals:
        assert all(signal.getsignal(number) not in before for number in numbers)
        signals.take()
    assert [signal.getsignal(number) for number in numbers] == before
    assert os.listdir("/proc/self/fd") == descriptors
