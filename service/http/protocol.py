"""HTTP/1.1 as uvicorn reads it with httptools, with bounds on everything that a peer decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, cast

import httptools
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.errors import (
    BadRequest,
    HeadersTooLarge,
    LarsError,
    Overloaded,
    RequestTimeout,
    TooManyConnections,
)
from service.http.connections import Connections
from service.http.disconnect import CONNECTION
from service.http.ending import Ending
from service.http.exceptions import set_fault
from service.http.head import check_coding, check_size, check_upgrade, check_version, too_long, with_path
from service.http.holdings import Kept
from service.http.kernel_view import unacknowledged
from service.http.large import LargeWork
from service.http.pace import Pace
from service.http.refusal import refusal

# How far the message that is coming in has come.
_NOTHING, HEAD, _BODY = range(3)
# Requests that may wait on one connection for the answers to those before them. One read can hold thousands.
_PIPELINED = 16
# A chunk of one byte takes six: so much of a chunked body beside its content is ordinary.
_FRAMING = 8
_TOO_MUCH = (
    "the bodies that are read and in work take all memory for them (LARS_BUFFER_BYTES), and this one has "
    "been coming in for longest, so it was given up and nothing ran"
)
LINGER = 2.0  # seconds in which a peer may read why its connection ends


class BoundedProtocol(HttpToolsProtocol):
    """Where there is no request that the application could answer, this does, with a problem, an id and a
    line in the log. Such a connection cannot be read any further and is closed.

    A request that the application has begun is the application's to answer: what is wrong with its body is
    raised where the application reads it.
    """

    # Of the front; ``bounded`` sets it.
    everyone: ClassVar[Connections]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = self.everyone.limits
        self._max_headers = self._limits.headers
        self._reading = _NOTHING
        self._deaf = False  # nothing more that comes is read
        self._lingers_until: float | None = None
        self._since = self.loop.time()  # of being open, or of the last answer
        self._used = False  # whether there has been an answer
        # Of the unfinished message: when its head or body was first found unfinished (0: not yet), how many
        # bytes of it have surely come, how many of them are content.
        self._begun = 0.0
        self._came = 0
        self._content = 0
        self._body_pace: Pace | None = None
        self._write_pace: Pace | None = None
        # Of the read being parsed: its size, and whether a head or a message ended in it.
        self._size = 0
        self._mixed = False
        self._hosts = 0
        self._in_work: RequestResponseCycle | None = None
        self._leave: Callable[[], None] | None = None  # ends the wait of a request that is set aside

    # What the event loop says.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._ending = Ending(transport, self._end)
        everyone = self.everyone
        self.kept = Kept(everyone.bodies, everyone.answers, self._cut_body_off, self.abort)
        if not self.everyone.admit(self) and not transport.is_closing():
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        self.everyone.forget(self)
        if self._in_work is not None and self._in_work is not self.cycle:  # others wait behind it
            self._in_work.disconnected = True
            self._in_work.message_event.set()
        super().connection_lost(exc)
        self._ending.close = self.transport.close  # no cycle of references is left
        self.kept.close()
        if self._leave is not None:
            self._leave()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._size, self._mixed = len(data), False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # the head was seen; see check_upgrade
        except httptools.HttpParserError as error:
            told = error.__context__
            self._broken(told if isinstance(told, LarsError) else _malformed(error))
            return
        if self._reading:
            self._unfinished()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.kept.answer(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._write_pace = None
        self.kept.no_answer()
        super().resume_writing()

    # What the parser says. What is raised here comes back out of feed_data.

    def on_message_begin(self) -> None:
        self._reading = HEAD
        self._begun, self._came, self._hosts = 0.0, 0, 0
        super().on_message_begin()
        cast("Scope", self.scope)[CONNECTION] = self

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the head, and of the trailers of a chunked body, which go nowhere."""
        if len(self.headers) >= self._max_headers:
            raise HeadersTooLarge("header fields", self._max_headers, setting="LARS_MAX_HEADERS")
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        elif name == b"transfer-encoding":
            check_coding(value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A request begins, unless it is refused here."""
        if self._came + self._size > self._limits.header_bytes:
            check_size(self.url, self.headers, self._limits.header_bytes)
        version = self.parser.get_http_version()
        check_version(version, self._hosts)
        upgrade = self.parser.should_upgrade()
        if upgrade:
            check_upgrade(self.parser.get_method(), self.headers)
        if version == "1.0":
            self.expect_100_continue = False  # it would take that for the answer (RFC 9110 section 10.1.1)
        if not self.url.startswith(b"/"):
            self.url = with_path(self.url)
        if len(self.pipeline) >= _PIPELINED:
            raise BadRequest("too many requests wait on one connection; read the answers")
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", self._ending)
        self._reading, self._mixed = _BODY, True
        self._begun, self._came, self._content = 0.0, 0, 0
        self.headers = []  # the scope has the other list
        if self._leave is None:  # else the request that is set aside has been sent another after it
            self.everyone.waiting.pop(self, None)
        if upgrade:
            self._last_request()

    def on_body(self, body: bytes) -> None:
        self._content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading, self._mixed = _NOTHING, True
        super().on_message_complete()
        if self.cycle.response_complete:
            self._wait()

    # What uvicorn says.

    def on_response_complete(self) -> None:
        """In place of uvicorn's own, which sets a timer for each idle connection."""
        self.server_state.total_requests += 1
        self._in_work = None
        self.kept.no_body()
        if self.transport.is_closing() or self._lingers_until is not None:
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._wait()

    # What a request asks for.

    @property
    def large(self) -> LargeWork:
        """Of the front."""
        return self.everyone.large

    def set_aside(self, leave: Callable[[], None]) -> None:
        """Until ``take_up``, make room as one without a request does; ``leave`` is called at the end."""
        if self.transport.is_closing():
            leave()
            return
        self._leave = leave
        self.everyone.waiting[self] = None

    def take_up(self) -> None:
        """The request is in work again."""
        self._leave = None
        self.everyone.waiting.pop(self, None)

    # What the front's connections say.

    def abort(self) -> None:
        """Close it at once; a request that is being served sees its client leave."""
        self.transport.abort()

    def sweep(self, now: float) -> None:
        """About once a second: end what takes too long. What the application takes is its own affair."""
        if self._is_stuck(now):
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self._lingers_until is not None:
            if self.transport.get_write_buffer_size():  # it has not been sent all of its answer
                self._lingers_until = max(self._lingers_until, now + LINGER)
            elif now > self._lingers_until:
                self.transport.abort()
        elif self._is_served():
            self._sweep_body(now)
        elif self._reading == HEAD:
            if now - max(self._begun, self._since) > self._limits.header_seconds:
                self._refuse(
                    RequestTimeout("head", self._limits.header_seconds, setting="LARS_HEADER_SECONDS")
                )
        elif now - self._since > self._patience():
            self.transport.close()

    # The rest.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._in_work = cycle
        super()._start_asgi_task(cycle, app)

    def _wait(self) -> None:
        """For the next request, or for the rest of a body whose answer did not wait for it."""
        self._since, self._used = self.loop.time(), True
        self.everyone.waiting[self] = None

    def _patience(self) -> float:
        if self._reading == _BODY:
            return self._limits.body_seconds
        return self.timeout_keep_alive if self._used else self._limits.header_seconds

    def _is_served(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and (not cycle.response_complete or bool(self.pipeline))

    def _is_stuck(self, now: float) -> bool:
        """Whether what was written does not get away. While the application adds to it, nothing can be
        said: then the transport tells it to pause, or takes all."""
        size = self.transport.get_write_buffer_size()
        if not size or (self._is_served() and not self.flow.write_paused):
            self._write_pace = None
            return False
        left = size + unacknowledged(self.transport)
        if self._write_pace is None:
            self._write_pace = Pace(now, -left)
        if self.flow.write_paused:
            self.kept.answer(size)
        return self._write_pace.too_slow(now, -left, self._limits.write_seconds)

    def _sweep_body(self, now: float) -> None:
        pace = self._body_pace
        if self._reading != _BODY or pace is None:
            return
        if self.flow.read_paused:  # it is the application that does not read
            pace.since, pace.done = now, self._content
        elif pace.too_slow(now, self._content, self._limits.body_seconds):
            self._broken(RequestTimeout("body", self._limits.body_seconds, setting="LARS_BODY_SECONDS"))

    def _unfinished(self) -> None:
        """After a read at whose end a head or a body is not whole."""
        if not self._begun:
            self._begun = self.loop.time()
            self._body_pace = Pace(self._begun, self._content) if self._reading == _BODY else None
        if not self._mixed:
            self._came += self._size
        limit = self._limits.header_bytes
        if self._reading == HEAD and self._came > limit:
            self._broken(too_long(self.url, limit))
        elif self._reading == _BODY and self._came > limit + _FRAMING * self._content:
            self._broken(HeadersTooLarge("bytes of chunk extensions and trailers", limit))

    def _last_request(self) -> None:
        """Answer what was begun, then close."""
        self._deaf = True
        self.cycle.keep_alive = False

    def _broken(self, error: LarsError) -> None:
        """The message that comes in has no end that could be read."""
        self._deaf = True
        if not self._is_served():
            if self._reading == _BODY:  # answered long ago: a second answer would be taken for the next one
                self._linger(LINGER)
            else:
                self._refuse(error)
            return
        self._last_request()
        if self._reading == _BODY and not self.cycle.response_started:
            set_fault(cast("Scope", self.cycle.scope), error)
            self.cycle.message_event.set()

    def _refuse(self, error: LarsError) -> None:
        """Answer in place of the application, and close when the peer has had time to read it: with bytes
        unread, closing at once would reset the connection and take the answer back (RFC 9112 section 9.6)."""
        self.transport.write(refusal(error, self.client[0] if self.client else None))
        self._linger(LINGER)

    def _end(self) -> None:
        """The answer that is the last has been written. Whoever may still be sending, because it came before
        the end of the request or of what was sent ahead, is given time to read it."""
        if self.transport.is_closing():
            return
        if not self._reading and not self._deaf:
            self.transport.close()
            return
        long = self._reading == _BODY and not self.everyone.leaving
        self._linger(self._limits.body_seconds if long else LINGER)
        self.everyone.waiting[self] = None

    def _cut_body_off(self) -> None:
        if self._reading == _BODY:  # else all of it is there, and will be read at once
            self._broken(Overloaded(_TOO_MUCH))

    def _linger(self, seconds: float) -> None:
        self._deaf = True
        self._lingers_until = self.loop.time() + seconds
        self.flow.resume_reading()
        self.transport.write_eof()


def bounded(everyone: Connections, kind: type[BoundedProtocol] = BoundedProtocol) -> type[BoundedProtocol]:
    """The protocol of one front, for ``uvicorn.Config(http=...)``."""
    return type("FrontProtocol", (kind,), {"everyone": everyone})


def _malformed(error: httptools.HttpParserError) -> BadRequest:
    what = "its target cannot be read" if isinstance(error, httptools.HttpParserCallbackError) else error
    return BadRequest(f"the request is not HTTP/1.1: {what}; send one that RFC 9112 allows")
