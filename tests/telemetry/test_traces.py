"""Traces of a running service, from the caller's span to the planner's, as a collector gets them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support import wait_until
from tests.telemetry.conftest import Watched

ABOVE = "b7ad6b7169203331"
SECRET = "s3cret-that-nobody-is-told"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the names of its spans: each with that of the one above it."""

    method: str
    path: str
    body: object
    spans: dict[str, str]


_PROGRAM = {"queue": "POST /execute", "bind": "POST /execute", "run": "POST /execute"}
_GENERATED = "POST /generate-and-execute"
_TURN = {"plan": "GET /{path:path}", "session turn": "GET /{path:path}", "run": "session turn"}
CASES = {
    "program": Asked("POST", "/execute", {"code": f"print('{SECRET}')"}, {"POST /execute": "", **_PROGRAM}),
    "generated": Asked(
        "POST",
        "/generate-and-execute",
        {"query": SECRET},
        {
            _GENERATED: "",
            "ask planner": _GENERATED,
            "chat mock": "ask planner",
            **dict.fromkeys(("queue", "bind", "run"), _GENERATED),
        },
    ),
    "session": Asked(
        "GET", f"/{SECRET}?a={SECRET}", None, {"GET /{path:path}": "", **_TURN, "bind": "session turn"}
    ),
    "error": Asked("POST", "/execute", {"cod": SECRET}, {"POST /execute": ""}),
    "nowhere": Asked("GET", "/execute/x", None, {"GET /{path:path}": ""}),
}


def spans_of(watched: Watched, trace: str, number: int) -> list[Span]:
    """All of a trace, when there are so many."""

    def found() -> list[Span]:
        return [span for span in list(watched.collector.spans) if span.trace_id.hex() == trace]

    wait_until(lambda: len(found()) >= number, f"{number} spans, not {[span.name for span in found()]}", 15)
    return found()


@pytest.mark.parametrize("asked", CASES.values(), ids=CASES)
def test_spans_of_a_request(watched: Watched, asked: Asked) -> None:
    """Below the caller's, one within the other, and in time; nothing of what was said is in them, and the
    answer has no header for it."""
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{ABOVE}-01", "X-Session-ID": f"{SECRET}-{trace}"}
    answer = watched.client.request(asked.method, asked.path, json=asked.body, headers=headers)
    assert not {"traceparent", "tracestate", "traceresponse"} & set(answer.headers)
    spans = spans_of(watched, trace, len(asked.spans))
    by_id = {span.span_id: span for span in spans}
    names = {span.name: by_id[span.parent_span_id].name for span in spans if span.parent_span_id in by_id}
    (root,) = (span for span in spans if span.parent_span_id not in by_id)
    assert {root.name: "", **names} == asked.spans
    assert len(spans) == len(asked.spans)
    assert (root.parent_span_id.hex(), root.kind) == (ABOVE, Span.SPAN_KIND_SERVER)
    for span in spans:
        above = by_id.get(span.parent_span_id, span)
        assert above.start_time_unix_nano - 1e6 <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= above.end_time_unix_nano + 1e6
    said = {each.key: each.value.string_value or each.value.int_value for each in root.attributes}
    assert said["http.response.status_code"] == answer.status_code
    assert said["lars.request_id"] == answer.headers["X-Request-ID"]
    assert root.status.code == Status.STATUS_CODE_UNSET
    assert SECRET not in str(spans)


def test_what_the_caller_does_not_keep(watched: Watched) -> None:
    """Is kept neither by the front nor by the planner; the request after it is."""
    unkept, kept = secrets.token_hex(16), secrets.token_hex(16)
    for trace, flags in ((unkept, "00"), (kept, "01")):
        headers = {"traceparent": f"00-{trace}-{ABOVE}-{flags}"}
        answer = watched.client.post("/generate-and-execute", json={"query": "x"}, headers=headers)
        assert answer.status_code == 200
    assert len(spans_of(watched, kept, 6)) == 6
    assert spans_of(watched, unkept, 0) == []


def test_a_trace_of_its_own(watched: Watched) -> None:
    """Where the caller has none."""
    answer = watched.client.get("/health")
    ours = answer.headers["X-Request-ID"]

    def found() -> list[Span]:
        return [span for span in list(watched.collector.spans) if ours in str(span.attributes)]

    wait_until(lambda: bool(found()), "its span", 15)
    (span,) = found()
    assert (span.name, span.parent_span_id) == ("GET /health", b"")
