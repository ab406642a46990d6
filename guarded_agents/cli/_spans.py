"""The spans of this process, from an in-memory exporter, as a tree: what ``demo --trace`` prints."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from guarded_agents.cli._text import one_line
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import Reason

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_NAME_CHARS: Final = 48  # of an indented name, as the times are lined up: what follows fits into 80 columns
_PERMITTED: Final = Reason.PERMITTED.value  # it says no more than the decision


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
    """Yield a line for each of *spans*, below its parent, with the time it took, what it says, and where it links.

    The times stand below one another, but for those of very long names.
    """
    names = {_id(span): span.name for span in spans}
    below: dict[int, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        above = 0 if span.parent is None or span.parent.span_id not in names else span.parent.span_id
        below.setdefault(above, []).append(span)

    def rows(of: int, indent: str) -> Iterator[tuple[str, str]]:
        for span in below.get(of, ()):
            yield one_line(f"{indent}{span.name}"), _facts(span)
            for link in span.links:
                yield one_line(f"{indent}   ↩ {names.get(link.context.span_id, 'a span elsewhere')}"), ""
            yield from rows(_id(span), f"{indent}   ")

    found = list(rows(0, ""))
    width = min(max((len(name) for name, facts in found if facts), default=0), _NAME_CHARS)
    for name, facts in found:
        yield f"{name:{width}}  {facts}".rstrip()


def _id(span: "ReadableSpan") -> int:
    context = span.get_span_context()
    return 0 if context is None else context.span_id


def _facts(span: "ReadableSpan") -> str:
    from guarded_agents.telemetry import DECISION, OUTCOME, REASON, STATUS

    took_ms = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    shown = (DECISION, STATUS, OUTCOME, REASON)
    said = [str(span.attributes[key]) for key in shown if span.attributes and key in span.attributes]
    news = [one_line(word) for word in dict.fromkeys(said) if word != _PERMITTED]
    return f"{took_ms:8.1f} ms  {', '.join(news)}".rstrip()


__all__ = ["recording", "tree"]
