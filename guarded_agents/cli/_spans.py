"""The spans of this process, from an in-memory exporter, as a tree: what ``demo --trace`` prints."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from guarded_agents.cli._text import one_line
from guarded_agents.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


def recording() -> "Callable[[], Sequence[ReadableSpan]]":
    """Record the spans of this process from now on; return what gives those that have ended.

    Raises ConfigurationError where the extra ``otel`` is not installed.
    """
    try:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    except ModuleNotFoundError:
        raise ConfigurationError(
            "--trace", expected="the OpenTelemetry SDK", got="none", action="install guarded-agents[otel]"
        ) from None
    from opentelemetry.trace import set_tracer_provider

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    set_tracer_provider(provider)
    return exporter.get_finished_spans


def tree(spans: "Sequence[ReadableSpan]") -> Iterator[str]:
    """Yield a line for each of *spans*, below its parent, with the time it took, what it says, and where it links."""
    names = {_id(span): span.name for span in spans}
    below: dict[int, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        above = 0 if span.parent is None or span.parent.span_id not in names else span.parent.span_id
        below.setdefault(above, []).append(span)

    def lines(of: int, indent: str) -> Iterator[str]:
        for span in below.get(of, ()):
            yield one_line(f"{indent}{_line(span)}")
            for link in span.links:
                yield one_line(f"{indent}   ↩ {names.get(link.context.span_id, 'a span elsewhere')}")
            yield from lines(_id(span), f"{indent}   ")

    yield from lines(0, "")


def _id(span: "ReadableSpan") -> int:
    context = span.get_span_context()
    return 0 if context is None else context.span_id


def _line(span: "ReadableSpan") -> str:
    from guarded_agents.telemetry import DECISION, OUTCOME, REASON, STATUS

    took_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    shown = (DECISION, STATUS, OUTCOME, REASON)
    said = [str(span.attributes[key]) for key in shown if span.attributes and key in span.attributes]
    return f"{span.name}  {took_ms:.1f} ms  {', '.join(dict.fromkeys(said))}".rstrip()


__all__ = ["recording", "tree"]
