"""Spans of calls to models, as a collector gets them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sandbox_runtime.planner.tracing import load, resource_of
from tests.planner.asking import GENERATE, KEY, PROGRAM, at, config_of
from tests.planner.collector import Collector
from tests.planner.process import planner
from tests.planning.providers.replies import Fails, Says
from tests.planning.providers.server import FakeProvider

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _attributes(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_calls_are_spans_of_the_request(tmp_path: Path) -> None:
    """One for each call, below the caller's span, sent when the process ends at the latest; names, counts and
    outcomes, and neither prompt nor key. A collector that cannot be reached costs a line in the log."""
    with Collector() as collector:
        with FakeProvider(Fails(500), Says(PROGRAM, 900, 70, 500)) as fake:
            config = config_of(at(fake, "openai"), otlp=collector.endpoint)
            with planner(tmp_path, config, {"KEY": KEY}) as running, running.front() as front:
                answer = front.ask("generate", GENERATE, trace=f"00-{TRACE}-{PARENT}-01")
            port = fake.port
        assert answer.output is not None
    failed, fine = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in (failed, fine)} == {(TRACE, PARENT)}
    assert (fine.name, fine.kind, fine.status.code) == (
        "chat gpt-5.4-mini",
        Span.SPAN_KIND_CLIENT,
        Status.STATUS_CODE_UNSET,
    )
    attributes = _attributes(fine)
    assert attributes.pop("gen_ai.request.max_tokens") == 1000
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "gen_ai.output.type": "json",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 70,
        "gen_ai.usage.cache_read.input_tokens": 500,
        "server.address": "127.0.0.1",
        "server.port": port,
    }
    assert (_attributes(failed)["error.type"], failed.status.code) == ("llm_failed", Status.STATUS_CODE_ERROR)
    assert collector.services == {"lars"}
    assert KEY not in str(collector.spans)
    assert "print one" not in str(collector.spans)


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("OTEL_SERVICE_NAME", "", "lars"),
        ("OTEL_SERVICE_NAME", "house", "house"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=street,deployment.environment=test", "street"),
    ],
)
def test_service_may_be_named(variable: str, value: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the variables of OpenTelemetry's specification, and is lars without them."""
    monkeypatch.setenv(variable, value)
    assert resource_of(load().resources).attributes["service.name"] == name


def test_collector_that_is_gone_delays_no_end(tmp_path: Path) -> None:
    """The process ends in time and with status 0; what the exporter says is a line of JSON."""
    with Collector() as collector:
        endpoint = collector.endpoint
    config = config_of(mock="tests.planner.mocks.echo", otlp=endpoint)
    with planner(tmp_path, config) as running, running.front() as front:
        assert front.ask("generate", GENERATE).output is not None
    lines = [orjson.loads(line) for line in running.log.read_bytes().splitlines()]
    assert all(line["logger"].startswith("opentelemetry") for line in lines)
