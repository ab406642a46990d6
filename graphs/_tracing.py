"""How the servers of ``graphs`` continue the trace of the call that reached them, where OpenTelemetry is installed.

A caller names its span in ``_meta`` of the call (``traceparent``, ``tracestate``), over stdio and HTTP alike. Spans are
sent where ``OTEL_EXPORTER_OTLP_ENDPOINT`` or its ``TRACES`` form says; else, or without the SDK, none is made.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from mcp.server.fastmcp import FastMCP
from mcp.types import ContentBlock

from graphs._environment import endpoints


class TracedServer(FastMCP):
    """A server whose tool calls are spans ``tools/call {tool}`` below that of their caller (kind SERVER)."""

    def __init__(self, name: str, *, host: str = "127.0.0.1", port: int = 8000) -> None:
        """Make the server *name*; *host* and *port* are for HTTP."""
        super().__init__(name, log_level="ERROR", host=host, port=port)

    async def call_tool(self, name: str, arguments: dict[str, object]) -> Sequence[ContentBlock] | dict[str, object]:
        """Run the tool *name*, within a span of the trace that its caller named."""
        with _continued(self._carried(), name):
            return await super().call_tool(name, arguments)

    def _carried(self) -> Mapping[str, str]:
        try:
            meta = self.get_context().request_context.meta
        except ValueError:  # called without a request
            return {}
        extra = {} if meta is None else (meta.model_extra or {})
        return {key: value for key, value in extra.items() if isinstance(value, str)}


def _continued(carried: Mapping[str, str], tool: str) -> AbstractContextManager[object]:
    try:
        from opentelemetry.trace import SpanKind, get_tracer
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ModuleNotFoundError:
        return nullcontext()
    return get_tracer("graphs").start_as_current_span(
        f"tools/call {tool}",
        context=TraceContextTextMapPropagator().extract(carried),  # and no baggage
        kind=SpanKind.SERVER,
        attributes={"mcp.method.name": "tools/call", "gen_ai.tool.name": tool},
        record_exception=False,  # its text may quote arguments
        set_status_on_exception=False,  # an error of the tool is an answer of the server
    )


def export_spans(service: str) -> None:
    """Send the spans of this process to the OTLP endpoint that the environment names, if it does.

    `guarded_agents.telemetry.export_from_environment` does so in a process that has the guard; a server has not.
    """
    if not endpoints():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import set_tracer_provider
    except ModuleNotFoundError:
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200))
    set_tracer_provider(provider)


__all__ = ["TracedServer", "export_spans"]
