"""How far the message that a peer sends has come, and whether its end may still be waited for. Pure: clocks
and counts come from outside.

What is over a bound is only found out when a read has been parsed whole: what may be too much is no more than
one read, and most messages come in one.
"""

from __future__ import annotations

from service.errors import HeadersTooLarge, LarsError, RequestTimeout
from service.http.head import too_long
from service.http.limits import Limits
from service.http.pace import Pace

NOTHING, HEAD, BODY = range(3)
# A chunk of one byte takes six: so much of a chunked body beside its content is ordinary.
_FRAMING = 8


class Incoming:
    """Of one connection, for one message after the other.

    ``stage``: NOTHING between two messages, HEAD or BODY of one. ``hosts``: how often its head has Host.
    """

    __slots__ = ("_begun", "_came", "_content", "_limits", "_mixed", "_pace", "_size", "hosts", "stage")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.stage = NOTHING
        self.hosts = 0
        # Of what is unfinished: when that was first found out (0: not yet), how many bytes of it have surely
        # come, how many of them are content.
        self._begun = 0.0
        self._came = 0
        self._content = 0
        self._pace: Pace | None = None
        # Of the read being parsed: its size, and whether a head or a message ended in it.
        self._size = 0
        self._mixed = False

    def read(self, size: int) -> None:
        """So many bytes have come, and will be parsed."""
        self._size, self._mixed = size, False

    def begin(self) -> None:
        """Of a head."""
        self.stage, self._begun, self._came, self.hosts = HEAD, 0.0, 0, 0

    @property
    def head_bytes(self) -> int:
        """How many the head may have: at most so many, where it is whole."""
        return self._came + self._size

    def head_ends(self) -> None:
        """A body follows, of no byte or of some."""
        self.stage, self._mixed = BODY, True
        self._begun, self._came, self._content, self._pace = 0.0, 0, 0, None

    def bring(self, content: int) -> None:
        """So many bytes of the body."""
        self._content += content

    def end(self) -> None:
        """Of the message."""
        self.stage, self._mixed = NOTHING, True

    def unfinished(self, now: float, url: bytes) -> LarsError | None:
        """After a read at whose end a head or a body is not whole: what is wrong with it, if anything."""
        if not self._begun:
            self._begun = now
            self._pace = Pace(now, self._content)
        if not self._mixed:
            self._came += self._size
        limit = self._limits.header_bytes
        if self.stage == HEAD and self._came > limit:
            return too_long(url, limit)
        if self.stage == BODY and self._came > limit + _FRAMING * self._content:
            return HeadersTooLarge("bytes of chunk extensions and trailers", limit)
        return None

    def late_head(self, now: float, since: float) -> LarsError | None:
        """Where the head has taken too long since it began, or since ``since``, if that was later."""
        seconds = self._limits.header_seconds
        if now - max(self._begun, since) <= seconds:
            return None
        return RequestTimeout("head", seconds, setting="LARS_HEADER_SECONDS")

    def slow_body(self, now: float, *, unread: bool) -> LarsError | None:
        """Where the body does not get on. ``unread``: because nobody here reads it."""
        seconds, pace = self._limits.body_seconds, self._pace
        if self.stage != BODY or pace is None:
            return None
        if unread:
            pace.since, pace.done = now, self._content
        elif pace.too_slow(now, self._content, seconds):
            return RequestTimeout("body", seconds, setting="LARS_BODY_SECONDS")
        return None
