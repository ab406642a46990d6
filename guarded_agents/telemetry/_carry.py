"""Trace contexts as they travel: to a server, and over a wait in the store. Baggage never does."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from guarded_agents._provider import is_state, quietly, trace_context
from guarded_agents.records import TraceContext

PARENT: Final = "traceparent"
STATE: Final = "tracestate"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


def meta_of(span: Span) -> dict[str, str]:
    """Return what tells a server in ``_meta`` where *span* stands: ``traceparent`` and ``tracestate``, or nothing."""
    context = trace_context(span)
    if context is None:
        return {}
    return {PARENT: context.parent, STATE: context.state} if context.state else {PARENT: context.parent}


def span_context_of(kept: TraceContext) -> SpanContext | None:
    """Return what *kept*, read from a store, names; None for what is no sampled trace context."""
    state = kept.state if is_state(kept.state) else ""  # the propagator would log it
    found = quietly(lambda: _PROPAGATOR.extract({PARENT: kept.parent, STATE: state}, Context()), Context())
    context = get_current_span(found).get_span_context()
    return context if context.is_valid and context.trace_flags.sampled else None
