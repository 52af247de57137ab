"""Sends spans to a collector, OTLP over HTTP, from a thread of its own: with OpenTelemetry's SDK, which is an
extra (lars[otel]) and is imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

The SDK's own batching makes each span where it ends, at 12 microseconds, and logs each that it drops. Here a
request leaves some values in a bounded queue, and the thread makes spans of them. Whatever the collector
does, requests see nothing of it: what has no place is dropped, and counted.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import structlog
from structlog.typing import FilteringBoundLogger

from service import __version__
from service.telemetry.catalog import SPANS
from service.telemetry.spans import Ended, Parent, Tracer

HEADERS: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
"""Variables that may hold a credential, so that they come by descriptor (``service.handover``)."""
_MOST: Final = 4096  # spans that wait, some 3 MB
_BATCH: Final = 256  # a thread that encodes keeps requests waiting now and then
_PAUSE: Final = 0.5  # seconds between looks
_EXPORT: Final = 5.0  # seconds for one request to the collector, with what is tried again
_SHOWN: Final = 300  # characters of what the library says
_LAST: Final = 1.0  # seconds at the end, for what has not been sent
_log: FilteringBoundLogger = structlog.get_logger("lars.traces")


@dataclass(frozen=True, slots=True)
class _Packages:
    """OpenTelemetry's modules."""

    trace: ModuleType
    sdk: ModuleType
    resources: ModuleType
    scope: ModuleType
    exporter: ModuleType
    headers: ModuleType


def _load() -> _Packages:
    """ModuleNotFoundError when they are not installed."""
    from opentelemetry import trace  # noqa: PLC0415 - it may not be installed
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415
    from opentelemetry.sdk import resources  # noqa: PLC0415
    from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
    from opentelemetry.sdk.util import instrumentation  # noqa: PLC0415
    from opentelemetry.util import re  # noqa: PLC0415

    return _Packages(trace, sdk, resources, instrumentation, trace_exporter, re)


def open_sender(endpoint: str, secrets: Mapping[str, str]) -> Sender | None:
    """One that has begun; None where the packages are not installed, which is logged, and where
    OTEL_SDK_DISABLED says so. ``endpoint``: without /v1/traces. ``secrets``: HEADERS, where they are set."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    try:
        packages = _load()
    except ModuleNotFoundError:
        _log.warning("traces_not_sent", reason="the package opentelemetry is not installed: lars[otel]")
        return None
    sender = Sender(packages, endpoint, secrets)
    sender.start()
    return sender


class _Heard(logging.Handler):
    """Takes the library's errors, of which there are some for each batch, out of the log; ``last``: the
    latest. Its warnings are in neither: they repeat headers, which may be a credential."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""
        library = logging.getLogger("opentelemetry")
        library.setLevel(logging.ERROR)
        library.propagate = False
        library.handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.last = record.getMessage()[:_SHOWN]


class Sender:
    """``tracer`` is for ``begin_tracing``."""

    def __init__(self, packages: _Packages, endpoint: str, secrets: Mapping[str, str]) -> None:
        self._packages = packages
        # Made while warnings of the library are logged: of a sampler that there is not, it takes another.
        provider = packages.sdk.TracerProvider(
            resource=_resource_of(packages.resources), shutdown_on_exit=False
        )
        self._heard = _Heard()
        url = endpoint.rstrip("/")
        url = url if url.endswith("/v1/traces") else f"{url}/v1/traces"
        text = next((secrets[name] for name in HEADERS if name in secrets), "")
        headers = packages.headers.parse_env_headers(text, liberal=True)
        self._exporter = packages.exporter.OTLPSpanExporter(endpoint=url, headers=headers, timeout=_EXPORT)
        self._resource, self._sampler = provider.resource, provider.sampler
        self._scope = packages.scope.InstrumentationScope("lars.front", __version__)
        self._queue: deque[Ended] = deque()
        self._wake = threading.Event()
        self._ends = self._over = False
        self._fails = False
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self.tracer = Tracer(self._put, self._samples)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Spans that are still to be sent."""
        return len(self._queue)

    def close(self) -> None:
        """Send what is left, within a bound. Blocks."""
        self._ends = True
        self._wake.set()
        self._thread.join(_LAST)
        self._over = True
        self._exporter.shutdown()

    def _put(self, ended: Ended) -> None:
        waiting = len(self._queue)
        if waiting >= _MOST:
            SPANS.add("dropped")
            return
        self._queue.append(ended)
        if waiting == _BATCH:
            self._wake.set()

    def _samples(self, trace_id: int, parent: Parent | None, name: str) -> bool:
        """As OTEL_TRACES_SAMPLER says: by default what the caller wants, and everything where it says
        nothing."""
        trace = self._packages.trace
        context = trace.context_api.Context()
        if parent is not None:
            above = self._context(parent.trace_id, parent.span_id, parent.sampled, is_remote=True)
            context = trace.set_span_in_context(trace.NonRecordingSpan(above), context)
        result = self._sampler.should_sample(context, trace_id, name, trace.SpanKind.SERVER)
        return bool(result.decision.is_sampled())

    def _run(self) -> None:
        while not self._ends:
            self._wake.wait(_PAUSE)
            self._wake.clear()
            while self._queue and not self._over:
                self._send(min(_BATCH, len(self._queue)))

    def _send(self, count: int) -> None:
        spans = [self._span(self._queue.popleft()) for _ in range(count)]
        done = self._exporter.export(spans).value == 0  # SpanExportResult.SUCCESS
        SPANS.add("sent" if done else "failed", by=count)
        if done == self._fails:
            self._fails = not done
            if done:
                _log.info("traces_sent_again")
            else:
                reason = "the collector cannot be reached or refuses them"
                _log.warning("traces_not_sent", reason=reason, said=self._heard.last)

    def _span(self, ended: Ended) -> Any:
        trace, code = self._packages.trace, self._packages.trace.StatusCode
        parent = None
        if ended.parent_id:
            parent = self._context(ended.trace_id, ended.parent_id, sampled=True, is_remote=ended.served)
        attributes = {**ended.attributes, "error.type": ended.error} if ended.error else ended.attributes
        return self._packages.sdk.ReadableSpan(
            name=ended.name,
            context=self._context(ended.trace_id, ended.span_id, sampled=True, is_remote=False),
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=trace.SpanKind.SERVER if ended.served else trace.SpanKind.INTERNAL,
            instrumentation_scope=self._scope,
            status=trace.Status(code.ERROR if ended.error else code.UNSET),
            start_time=ended.began,
            end_time=ended.ended,
        )

    def _context(self, trace_id: int, span_id: int, sampled: bool, *, is_remote: bool) -> Any:
        trace = self._packages.trace
        return trace.SpanContext(trace_id, span_id, is_remote, trace.TraceFlags(int(sampled)))


def _resource_of(resources: ModuleType) -> Any:
    """Who sends them: "lars", unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES names it otherwise."""
    said = resources.OTELResourceDetector().detect()
    ours = {"service.name": "lars", "service.version": __version__, "process.pid": os.getpid()}
    return resources.Resource.create(ours).merge(said)
