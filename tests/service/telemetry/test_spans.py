"""Where a trace goes on, and what becomes of spans that a collector does not take."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from structlog.testing import capture_logs

from service.http.record import RequestRecord
from service.telemetry import spans
from service.telemetry.catalog import SPANS
from service.telemetry.families import CELLS
from service.telemetry.span_sender import Sender, open_sender
from service.telemetry.spans import Ended, Parent, Span, Tracer, begin_request, begin_tracing, parent_of
from tests.planner.collector import Collector
from tests.support import wait_until

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SCOPE = {"method": "GET", "headers": [], "scheme": "http", "http_version": "1.1"}
ENDED = Ended("run", 1, 2, 3, False, 10, 20, {"a": "b"}, "")


@pytest.mark.parametrize(
    ("values", "sampled"),
    [
        ((f"00-{TRACE}-{ABOVE}-01",), True),
        ((f"00-{TRACE}-{ABOVE}-00",), False),
        ((f"00-{TRACE}-{ABOVE}-03",), True),
        ((f"cc-{TRACE}-{ABOVE}-01-what-will-be",), True),
        ((f"00-{TRACE}-{ABOVE}-01-more",), None),
        ((f"ff-{TRACE}-{ABOVE}-01",), None),
        ((f"00-{TRACE.upper()}-{ABOVE}-01",), None),
        ((f"00-{'0' * 32}-{ABOVE}-01",), None),
        ((f"00-{TRACE}-{'0' * 16}-01",), None),
        ((f"00-{TRACE}-{ABOVE}-1",), None),
        ((f"00-{TRACE}-{ABOVE}-01",) * 2, None),
        (("",), None),
        ((), None),
    ],
)
def test_traceparent(values: tuple[str, ...], sampled: bool | None) -> None:
    """As Trace Context, section 3.2, has it; what is none is not there."""
    parent = parent_of([(b"traceparent", value.encode()) for value in values])
    expected = None if sampled is None else Parent(int(TRACE, 16), int(ABOVE, 16), sampled)
    assert parent == expected


@contextmanager
def traced(*, kept: bool) -> Iterator[list[Ended]]:
    """All spans that end in the block."""
    ended: list[Ended] = []
    begin_tracing(Tracer(ended.append, lambda *_: kept))
    try:
        yield ended
    finally:
        begin_tracing(None)


def fail(span: Span) -> None:
    span.tell("a", 1)
    raise TimeoutError


def test_spans_lie_in_each_other() -> None:
    """Each below the one in which it began; an error has its word; the request comes last."""
    with traced(kept=True) as ended:
        request = begin_request(SCOPE)
        assert request is not None
        outer = Span("outer")
        with pytest.raises(TimeoutError), outer, Span("inner") as inner:
            fail(inner)
        request.trace.add("leaf", 1.0, 2.5)
        request.end(SCOPE, "r1", 503, RequestRecord(error_code="overloaded"))
    assert [each.name for each in ended] == ["inner", "outer", "leaf", "GET"]
    below, above, leaf, root = ended
    assert outer.trace is not None
    assert (below.parent_id, above.parent_id, leaf.parent_id) == (above.span_id, root.span_id, root.span_id)
    assert {each.trace_id for each in ended} == {root.trace_id}
    assert (below.attributes, below.error, root.error) == ({"a": 1}, "TimeoutError", "overloaded")
    assert (leaf.ended - leaf.began, root.parent_id, root.served) == (1_500_000_000, 0, True)
    assert spans.current_trace() is None


def test_what_is_not_kept() -> None:
    """Nothing ends, and whoever goes on with the trace is told so. Without a tracer there is no trace."""
    with traced(kept=False) as ended:
        request = begin_request({**SCOPE, "headers": [(b"traceparent", f"00-{TRACE}-{ABOVE}-00".encode())]})
        assert request is not None
        with Span("inner") as inner:
            assert inner.trace is not None
            assert inner.trace.traceparent == f"00-{TRACE}-{inner.trace.span_id:016x}-00"
        request.end(SCOPE, "r1", 200, RequestRecord())
    assert ended == []
    assert begin_request(SCOPE) is None
    with Span("none") as span:
        assert span.trace is None


def outcome(name: str) -> float:
    return CELLS.own[SPANS.at[(name,)]]


def at_least(name: str, number: float) -> bool:
    return outcome(name) >= number


def sender_to(endpoint: str) -> Sender:
    sender = open_sender(endpoint, {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x"})
    assert sender is not None
    return sender


def test_a_collector_that_hangs() -> None:
    """It takes connections and never answers: nobody who ends a span waits, what there is no room for is
    dropped and counted, and the end is in time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender, before = sender_to(f"http://127.0.0.1:{listener.getsockname()[1]}"), outcome("dropped")
        for _ in range(300):
            sender.tracer.put(ENDED)
        hanging, _ = listener.accept()
        began = time.monotonic()
        for _ in range(5000):
            sender.tracer.put(ENDED)
        assert time.monotonic() - began < 1
        assert 5300 - 4096 - 256 <= outcome("dropped") - before <= 5300 - 4096
        began = time.monotonic()
        sender.close()
        assert time.monotonic() - began < 3
        hanging.close()
    wait_until(lambda: "traces" not in [thread.name for thread in threading.enumerate()], "the thread's end")


def test_a_collector_that_comes_back() -> None:
    """Spans that it could not take are counted as failed; the log says once that it is away, and once that it
    is there again. Headers, which may be a credential, are sent."""
    failed, sent = outcome("failed"), outcome("sent")
    with capture_logs() as lines, Collector() as collector:
        sender, collector.status = sender_to(collector.endpoint), 400
        for more in (1, 2):
            sender.tracer.put(ENDED)
            wait_until(partial(at_least, "failed", failed + more), "what failed", 10)
        collector.status = 200
        sender.tracer.put(ENDED)
        sender.close()
        assert outcome("sent") == sent + 1
    assert [line["event"] for line in lines] == ["traces_not_sent", "traces_sent_again"]
    assert "400" in lines[0]["said"]
    assert "Bearer" not in str(lines)
    (span,) = collector.spans
    assert (span.name, span.start_time_unix_nano, span.end_time_unix_nano) == ("run", 10, 20)
    assert span.parent_span_id.hex() == "0000000000000003"
    assert collector.authorization == {"Bearer x"}
    assert collector.services == {"lars"}


def test_a_sampler_that_there_is_not() -> None:
    """The library takes another one, and the log has that; what it says of headers, it has not."""
    code = """
from service.settings import Settings
from service.telemetry.logs import configure_logging
from service.telemetry.span_sender import open_sender
configure_logging(Settings.from_env({}))
open_sender("http://127.0.0.1:1", {"OTEL_EXPORTER_OTLP_HEADERS": "secret"})
"""
    environ = {**os.environ, "OTEL_TRACES_SAMPLER": "sometimes"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    assert "sometimes" in done.stderr
    assert "secret" not in done.stderr


def test_nothing_is_imported_without_need() -> None:
    """A front that has nobody to send to knows nothing of OpenTelemetry."""
    code = (
        "import service.http.edge, service.telemetry.span_sender, sys\n"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
