"""Trace contexts as they travel: to a server, and over a wait in the store. Baggage never does."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from guarded_agents._provider import context_of
from guarded_agents.records import TraceContext

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


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
