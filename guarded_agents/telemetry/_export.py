"""A process of the guard's own, a command or a worker, exports where the environment says so."""

import logging
import os
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.trace import ProxyTracerProvider

from guarded_agents._provider import quietly, warn

_log: Final = logging.getLogger(__name__)

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def export_from_environment(service: str) -> bool:
    """Send spans and metrics of this process over OTLP/HTTP, as ``OTEL_EXPORTER_OTLP_…`` say; return whether it does.

    Nothing is done without an endpoint there, with ``OTEL_SDK_DISABLED=true``, where a tracer provider is set already,
    without the extra ``otel``, or where a variable has a value that OpenTelemetry refuses, which is logged: a vote is
    cast all the same. What waits is sent when the process ends. *service* is its name
    (``service.name``) where ``OTEL_SERVICE_NAME`` gives none. An application sets its own providers instead.
    """
    is_wanted = any(os.environ.get(name) for name in _ENDPOINTS)
    if not is_wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return quietly(lambda: _exports(service), instead=False)


def _exports(service: str) -> bool:
    if not isinstance(trace.get_tracer_provider(), ProxyTracerProvider):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError:
        warn(_log, "OTEL_EXPORTER_OTLP_… is set, and there is nothing to export with: install guarded-agents[otel]")
        return False
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or service})
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(spans)
    if os.environ.get(_ENDPOINTS[0]):
        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        metrics.set_meter_provider(MeterProvider([reader], resource=resource))
    return True
