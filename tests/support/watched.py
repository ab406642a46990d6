"""Spans and metrics as an operator's tools would receive them."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Watched:
    """One process's tracer provider, and what it exported."""

    def __init__(self, **settings: Any) -> None:
        self.exporter, self.provider = InMemorySpanExporter(), TracerProvider(**settings)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def below(self, parent: ReadableSpan) -> list[str]:
        """Return the names of the children of *parent*, in the order in which they ended."""
        return [span.name for span in self.spans if span.parent and span.parent.span_id == id_of(parent)]


class Metered:
    """One process's meter provider, and what it collected."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])

    def points(self) -> dict[str, list[Any]]:
        """Return the data points of each metric, by its name."""
        data = self.reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def counts(self, name: str, *keys: str) -> dict[tuple[Any, ...], Any]:
        """Return the values of the metric *name* by the attributes *keys*."""
        points = self.points().get(name, [])
        return {tuple((point.attributes or {}).get(key) for key in keys): point.value for point in points}


def id_of(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def links_of(span: ReadableSpan) -> list[tuple[str, int]]:
    """Return the role and the id of each span that *span* links to."""
    return [(str((link.attributes or {})["guarded_agents.role"]), link.context.span_id) for link in span.links]


def said_by(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def ids_of(spans: Iterable[ReadableSpan]) -> set[str]:
    return {f"{id_of(span):016x}" for span in spans}
