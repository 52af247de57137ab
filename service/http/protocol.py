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
    TooManyConnections,
)
from service.http.connections import Connections
from service.http.disconnect import CONNECTION
from service.http.ending import Ending
from service.http.exceptions import set_fault
from service.http.head import check_coding, check_size, check_upgrade, check_version, with_path
from service.http.holdings import Kept
from service.http.incoming import BODY, HEAD, Incoming
from service.http.kernel_view import unacknowledged
from service.http.large import LargeWork
from service.http.pace import Pace
from service.http.refusal import refusal

# Requests that may wait on one connection for the answers to those before them. One read can hold thousands.
_PIPELINED = 16
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
        self._incoming = Incoming(self._limits)
        self._deaf = False  # nothing more that comes is read
        self._lingers_until: float | None = None
        self._since = self.loop.time()  # of being open, or of the last answer
        self._used = False  # whether there has been an answer
        self._write_pace: Pace | None = None
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
        self._incoming.read(len(data))
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return  # the head was seen; see check_upgrade
        except httptools.HttpParserError as error:
            told = error.__context__
            self._broken(told if isinstance(told, LarsError) else _malformed(error))
            return
        if self._incoming.stage:
            self._heed(self._incoming.unfinished(self.loop.time(), self.url))

    def pause_writing(self) -> None:
        super().pause_writing()
        self.kept.answer(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        self._write_pace = None
        self.kept.no_answer()
        super().resume_writing()

    # What the parser says. What is raised here comes back out of feed_data.

    def on_message_begin(self) -> None:
        self._incoming.begin()
        super().on_message_begin()
        cast("Scope", self.scope)[CONNECTION] = self

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the head, and of the trailers of a chunked body, which go nowhere."""
        if len(self.headers) >= self._max_headers:
            raise HeadersTooLarge("header fields", self._max_headers, setting="LARS_MAX_HEADERS")
        name = name.lower()
        if name == b"host":
            self._incoming.hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        elif name == b"transfer-encoding":
            check_coding(value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A request begins, unless it is refused here."""
        if self._incoming.head_bytes > self._limits.header_bytes:
            check_size(self.url, self.headers, self._limits.header_bytes)
        version = self.parser.get_http_version()
        check_version(version, self._incoming.hosts)
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
        self._incoming.head_ends()
        self.headers = []  # the scope has the other list
        if self._leave is None:  # else the request that is set aside has been sent another after it
            self.everyone.waiting.pop(self, None)
        if upgrade:
            self._last_request()

    def on_body(self, body: bytes) -> None:
        self._incoming.bring(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._incoming.end()
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
            self._heed(self._incoming.slow_body(now, unread=self.flow.read_paused))
        elif self._incoming.stage == HEAD:
            self._heed(self._incoming.late_head(now, self._since))
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
        if self._incoming.stage == BODY:
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

    def _last_request(self) -> None:
        """Answer what was begun, then close."""
        self._deaf = True
        self.cycle.keep_alive = False

    def _heed(self, error: LarsError | None) -> None:
        if error is not None:
            self._broken(error)

    def _broken(self, error: LarsError) -> None:
        """The message that comes in has no end that could be read."""
        self._deaf = True
        if not self._is_served():
            if self._incoming.stage == BODY:
                self._linger(LINGER)  # answered long ago: a second answer would be taken for the next one
            else:
                self._refuse(error)
            return
        self._last_request()
        if self._incoming.stage == BODY and not self.cycle.response_started:
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
        if not self._incoming.stage and not self._deaf:
            self.transport.close()
            return
        long = self._incoming.stage == BODY and not self.everyone.leaving
        self._linger(self._limits.body_seconds if long else LINGER)
        self.everyone.waiting[self] = None

    def _cut_body_off(self) -> None:
        if self._incoming.stage == BODY:  # else all of it is there, and will be read at once
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
