"""The one place where spans are made. Nothing here raises, and nothing that is decided depends on it.

Where no tracer provider is set, no span is made and no attribute is put together. An application's own span, where one
is current, is then what audit entries and servers are told of.
"""

from collections.abc import Iterable, Mapping
from contextvars import Token
from time import time_ns
from types import TracebackType
from typing import Final, Self

from langgraph.errors import GraphBubbleUp
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace import Tracer as AnyTracer
from opentelemetry.util.types import AttributeValue

from guarded_agents._provider import current_span, is_somewhere, quietly, trace_context
from guarded_agents.errors import DirectoryError, GuardError, StoreError
from guarded_agents.records import TraceContext
from guarded_agents.telemetry._carry import span_context_of
from guarded_agents.telemetry._names import ERROR_TYPE, GUARD, ROLE, Stage

Attributes = Mapping[str, AttributeValue]
Kept = Iterable[tuple[str, TraceContext]]
"""Spans to link to, each with its role."""

_ERROR: Final = Status(StatusCode.ERROR)  # without a description: an error may quote anything


class Tracer:
    """Starts and ends spans, whatever the provider does."""

    def __init__(self, tracer: AnyTracer) -> None:
        """Take the tracer of a provider."""
        self._tracer = tracer

    def start(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        context: Context | None = None,
        since_ns: int | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        """Start a span below *context*, or below the current one. A provider that fails makes none."""
        return quietly(
            lambda: self._tracer.start_span(name, context, kind, attributes, start_time=since_ns), INVALID_SPAN
        )

    def staged(
        self,
        span: Span,
        stage: Stage,
        since_ns: int,
        until_ns: int | None = None,
        *,
        attributes: Attributes | None = None,
    ) -> None:
        """Make the span of a stage from *since_ns* to *until_ns* (None: now), where *span*, its parent, is recorded."""
        if is_recording(span):
            child = self.start(
                f"{GUARD} {stage}", attributes, context=set_span_in_context(span, Context()), since_ns=since_ns
            )
            end(child, until_ns)


class Scope:
    """A span while it is the current one. It takes what is told of it at any time, and ends with the ``with``.

    What the caller awaits in between sees it as its parent, and audit entries name it.
    """

    __slots__ = ("_is_ours", "_token", "span")

    def __init__(self, span: Span, *, is_ours: bool = True) -> None:
        """Hold *span*; one that is not *is_ours* is left as it is, and somebody else ends it."""
        self.span, self._is_ours = span, is_ours
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        """Make the span the current one."""
        if self._is_ours and is_somewhere(self.span):
            self._token = quietly(lambda: attach(set_span_in_context(self.span)), None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the span. Only a guard that fails is an error: neither a wait nor a cancellation nor a refusal is one."""
        if (token := self._token) is not None:
            quietly(lambda: detach(token), None)
        if not self._is_ours:
            return
        if isinstance(error, Exception) and not isinstance(error, GraphBubbleUp):
            self.tell({ERROR_TYPE: type(error).__name__})
            if not isinstance(error, GuardError) or isinstance(error, DirectoryError | StoreError):
                self.fail()
        end(self.span)

    @property
    def is_recording(self) -> bool:
        """Whether it is of any use to tell it something."""
        return is_recording(self.span)

    @property
    def context(self) -> TraceContext | None:
        """What is kept over a wait: where this span stands, or the application's own where there is none."""
        return trace_context(self.span if self._is_ours else current_span())

    def tell(self, attributes: Attributes) -> None:
        """Set *attributes*."""
        if self.is_recording:
            quietly(lambda: self.span.set_attributes(attributes), None)

    def fail(self) -> None:
        """Mark the span as one in which the guard failed."""
        quietly(lambda: self.span.set_status(_ERROR), None)

    def link(self, kept: Kept) -> None:
        """Link to the spans that *kept* names; nothing is read of it where the span is not recorded."""
        if not self.is_recording:
            return
        for role, context in kept:
            if (found := span_context_of(context)) is not None:
                self._link(found, role)

    def _link(self, to: SpanContext, role: str) -> None:
        quietly(lambda: self.span.add_link(to, {ROLE: role}), None)


def is_recording(span: Span) -> bool:
    """Return whether it is of any use to tell *span* something."""
    return quietly(lambda: bool(span.is_recording()), instead=False)


def end(span: Span, at_ns: int | None = None) -> None:
    """End *span* at *at_ns* (None: now)."""
    quietly(lambda: span.end(at_ns), None)


__all__ = ["Attributes", "Kept", "Scope", "Tracer", "end", "is_recording", "time_ns"]
