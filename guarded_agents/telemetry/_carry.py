"""Trace contexts as they travel: to a server, over a wait in the store, into audit entries. Baggage never does."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from guarded_agents.records import TraceContext
from guarded_agents.telemetry._names import SPAN_ID, TRACE_ID
from guarded_agents.telemetry._quiet import quietly

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


def context_of(span: Span) -> SpanContext | None:
    """Return the context of *span*, None where it has none."""
    context = quietly(span.get_span_context, INVALID_SPAN_CONTEXT)
    return context if context.is_valid else None


def carried(span: Span) -> TraceContext | None:
    """Return the trace context of *span* (W3C Trace Context, section 3), None where it has none."""
    context = context_of(span)
    if context is None:
        return None
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return TraceContext(parent, context.trace_state.to_header() if context.trace_state else "")


def meta_of(span: Span) -> dict[str, str]:
    """Return what tells a server in ``_meta`` where *span* stands: ``traceparent`` and ``tracestate``, or nothing."""
    context = carried(span)
    if context is None:
        return {}
    return {PARENT: context.parent, STATE: context.state} if context.state else {PARENT: context.parent}


def span_context_of(kept: TraceContext) -> SpanContext | None:
    """Return what *kept*, read from a store, names; None for what is no sampled trace context."""
    found = _PROPAGATOR.extract({PARENT: kept.parent, STATE: kept.state}, Context())
    context = get_current_span(found).get_span_context()
    return context if context.is_valid and context.trace_flags.sampled else None


def trace_fields(span: Span | None = None) -> dict[str, str]:
    """Return ``trace_id`` and ``span_id`` (hex) of *span* (None: of the current one), nothing where there is none."""
    context = context_of(get_current_span() if span is None else span)
    if context is None:
        return {}
    return {TRACE_ID: f"{context.trace_id:032x}", SPAN_ID: f"{context.span_id:016x}"}
