"""Spans of calls to models, by OpenTelemetry's conventions for generative AI (client spans), over OTLP/HTTP.

Only where OTEL_EXPORTER_OTLP_ENDPOINT is set, and never with what was said: names, counts and outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, Protocol

from sandbox_runtime.planner.model import ModelRequest
from sandbox_runtime.planning import ModelCall

_FLUSH: Final = 1.0  # seconds at the end, for what has not been sent
_EXPORT: Final = 5  # seconds for one request to the collector


class Named(Protocol):
    """What of a model is told."""

    @property
    def provider(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> tuple[str, int]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that is only named."""

    provider: str
    name: str
    address: tuple[str, int]


class Span(Protocol):
    """One call to a model, from when it is asked."""

    def end(self, call: ModelCall) -> None:
        """It is over."""


class Tracing(Protocol):
    """Where spans come from."""

    def span(self, model: Named, request: ModelRequest, parent: str) -> Span:
        """Begin one. ``parent``: a W3C traceparent, or ""."""

    def close(self) -> None:
        """Send what is left, within a bound."""


class NoTracing:
    """The one that there is without a collector; also its own span."""

    def span(self, model: Named, request: ModelRequest, parent: str) -> NoTracing:  # noqa: ARG002 - of the protocol
        """See ``Tracing``."""
        return self

    def end(self, call: ModelCall) -> None:
        """See ``Span``."""

    def close(self) -> None:
        """See ``Tracing``."""


@dataclass(frozen=True, slots=True)
class Packages:
    """OpenTelemetry's modules, once they are imported."""

    trace: ModuleType
    context: ModuleType
    resources: ModuleType
    sdk: ModuleType
    export: ModuleType
    otlp: ModuleType


def load() -> Packages:
    """ModuleNotFoundError when they are not installed."""
    from opentelemetry import trace  # noqa: PLC0415 - it may not be installed
    from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415
    from opentelemetry.sdk import resources  # noqa: PLC0415
    from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
    from opentelemetry.sdk.trace import export  # noqa: PLC0415
    from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

    return Packages(trace, tracecontext, resources, sdk, export, trace_exporter)


class OtlpTracing:
    """Begins a thread: only for after confinement. ``endpoint``: without /v1/traces."""

    def __init__(self, packages: Packages, endpoint: str) -> None:
        self._packages = packages
        url = endpoint.rstrip("/")
        url = url if url.endswith("/v1/traces") else f"{url}/v1/traces"
        exporter = packages.otlp.OTLPSpanExporter(endpoint=url, timeout=_EXPORT)
        self._provider = packages.sdk.TracerProvider(
            resource=resource_of(packages.resources), shutdown_on_exit=False
        )
        self._processor = packages.export.BatchSpanProcessor(exporter)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("lars.planner")
        self._propagator = packages.context.TraceContextTextMapPropagator()

    def span(self, model: Named, request: ModelRequest, parent: str) -> Span:
        """See ``Tracing``."""
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.name,
            "gen_ai.request.max_tokens": request.max_output,
            "gen_ai.output.type": "text" if request.schema is None else "json",
        }
        host, port = model.address
        if host:
            attributes |= {"server.address": host, "server.port": port}
        context = self._propagator.extract({"traceparent": parent}) if parent else None
        span = self._tracer.start_span(
            f"chat {model.name}", context, self._packages.trace.SpanKind.CLIENT, attributes
        )
        return _OtlpSpan(self._packages.trace, span)

    def close(self) -> None:
        """See ``Tracing``."""
        self._provider.force_flush(int(_FLUSH * 1000))
        self._provider.shutdown()


def resource_of(resources: ModuleType) -> Any:
    """Who sends them: "lars", unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES names it otherwise."""
    said = resources.OTELResourceDetector().detect()
    return resources.Resource.create({"service.name": "lars"}).merge(said)


class _OtlpSpan:
    def __init__(self, trace: ModuleType, span: Any) -> None:
        self._trace = trace
        self._span = span

    def end(self, call: ModelCall) -> None:
        self._span.set_attribute("gen_ai.usage.input_tokens", call.input_tokens)
        self._span.set_attribute("gen_ai.usage.output_tokens", call.output_tokens)
        self._span.set_attribute("gen_ai.usage.cache_read.input_tokens", call.cached_tokens)
        if call.outcome != "ok":
            self._span.set_attribute("error.type", call.outcome)
            self._span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))
        self._span.end()
