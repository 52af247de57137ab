"""A message that comes in: however it is cut into reads, what is too much of it or too slow is found out, and
nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import HeadersTooLarge, LarsError, RequestTimeout, UriTooLong
from service.http.incoming import BODY, HEAD, NOTHING, Incoming
from service.http.limits import Limits
from service.http.pace import MIN_RATE

LIMIT = 1000
LIMITS = Limits(
    header_bytes=LIMIT,
    headers=10,
    header_seconds=5.0,
    body_seconds=10.0,
    write_seconds=10.0,
    connections=10,
    buffer_bytes=10**6,
)
SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=12)


def incoming() -> Incoming:
    """In the head of its first message, of which nothing has been read."""
    made = Incoming(LIMITS)
    made.begin()
    return made


def in_body(content: int = 0) -> Incoming:
    """Its head came in a read of its own, with so much of the body behind it."""
    made = incoming()
    made.read(100)
    made.head_ends()
    made.bring(content)
    return made


@given(SIZES)
def test_a_head_is_too_long_as_soon_as_surely_more_has_come(sizes: list[int]) -> None:
    """Cut into reads of any size, of which none ends it."""
    message, came = incoming(), 0
    for size in sizes:
        message.read(size)
        came += size
        assert (message.unfinished(1.0, b"/") is not None) == (came > LIMIT)
        if came > LIMIT:
            return


def test_a_head_behind_a_message() -> None:
    """How much of the read was its own is not known: the first read counts nothing."""
    message = incoming()
    message.read(5 * LIMIT)
    message.head_ends()
    message.end()
    message.begin()
    assert message.unfinished(1.0, b"/") is None
    message.read(LIMIT)
    assert message.unfinished(1.0, b"/") is None
    message.read(1)
    assert isinstance(message.unfinished(1.0, b"/"), HeadersTooLarge)


@pytest.mark.parametrize(("url", "kind"), [(b"/", HeadersTooLarge), (b"/" * (LIMIT + 1), UriTooLong)])
def test_what_is_too_long(url: bytes, kind: type[LarsError]) -> None:
    """The target, where it is alone over the limit."""
    message = incoming()
    message.read(LIMIT + 1)
    assert type(message.unfinished(1.0, url)) is kind


@given(SIZES)
def test_a_whole_head_has_at_most_what_has_come(sizes: list[int]) -> None:
    """So that one below the limit need not be counted."""
    message = incoming()
    for size in sizes[:-1]:
        message.read(size)
        message.unfinished(1.0, b"/")
    message.read(sizes[-1])
    assert message.head_bytes == sum(sizes)


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 64)), min_size=1, max_size=12))
def test_beside_its_content_a_body_has_little(chunks: list[tuple[int, int]]) -> None:
    """Eight bytes of framing for each byte are ordinary, and as much as a head at that."""
    message, came, content = in_body(), 0, 0
    assert message.unfinished(1.0, b"/") is None
    for framing, brought in chunks:
        message.read(framing + brought)
        message.bring(brought)
        came, content = came + framing + brought, content + brought
        error = message.unfinished(1.0, b"/")
        assert (error is not None) == (came > LIMIT + 8 * content)
        if error is not None:
            assert isinstance(error, HeadersTooLarge)
            return


def test_a_head_has_its_time_from_when_it_was_first_unfinished() -> None:
    """Or from the last answer, where that was later: until then nobody could read it."""
    message = incoming()
    message.read(10)
    message.unfinished(100.0, b"/")
    message.read(10)
    message.unfinished(104.0, b"/")
    assert message.late_head(105.0, 0.0) is None
    assert isinstance(message.late_head(105.1, 0.0), RequestTimeout)
    assert message.late_head(105.1, 103.0) is None


def test_a_body_has_to_get_on() -> None:
    """A stretch without enough of it is the last, unless it was not read here."""
    message = in_body(content=3)
    message.unfinished(100.0, b"/")
    assert message.slow_body(109.9, unread=False) is None
    assert message.slow_body(110.0, unread=True) is None
    assert message.slow_body(119.9, unread=False) is None
    message.bring(10 * MIN_RATE)
    assert message.slow_body(120.0, unread=False) is None
    message.bring(10 * MIN_RATE - 1)
    assert isinstance(message.slow_body(130.0, unread=False), RequestTimeout)


def test_only_what_is_unfinished_takes_long() -> None:
    """Neither a body that came with its head, nor the next head, nor nothing."""
    message = in_body()
    assert message.slow_body(1e9, unread=False) is None
    message.unfinished(100.0, b"/")
    message.end()
    assert (message.stage, message.slow_body(1e9, unread=False)) == (NOTHING, None)
    message.begin()
    assert (message.stage, message.slow_body(1e9, unread=False)) == (HEAD, None)
    message.head_ends()
    assert message.stage == BODY
    # The pace of the body before it is not this one's.
    assert message.slow_body(1e9, unread=False) is None
