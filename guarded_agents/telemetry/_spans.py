"""The one place where spans are made. Nothing here raises, and nothing that is decided depends on it.

Where no tracer provider is set, no span is made and no attribute is put together. An application's own span, where one
is current, is then what audit entries and servers are told of.
"""

import logging
from collections.abc import Iterable, Mapping
from contextvars import Token
from time import time_ns
from types import TracebackType
from typing import Final, Self

from langgraph.errors import GraphBubbleUp
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace import Tracer as AnyTracer
from opentelemetry.util.types import AttributeValue

from guarded_agents.errors import DirectoryError, GuardError, StoreError
from guarded_agents.records import TraceContext
from guarded_agents.telemetry._carry import carried, span_context_of
from guarded_agents.telemetry._names import ERROR_TYPE, GUARD, ROLE, Stage

Attributes = Mapping[str, AttributeValue]
Kept = Iterable[tuple[str, TraceContext]]
"""Spans to link to, each with its role."""

_log: Final = logging.getLogger(__name__)
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
        try:
            return self._tracer.start_span(name, context, kind, attributes, start_time=since_ns)
        except Exception as error:  # noqa: BLE001 - a processor of the application's; nothing here interrupts or executes
            _failed(error)
            return INVALID_SPAN

    def staged(self, span: Span, stage: Stage, since_ns: int, attributes: Attributes | None = None) -> None:
        """Make the span of a stage that began at *since_ns* and ends now, where *span*, its parent, is recorded."""
        if span.is_recording():
            child = self.start(
                f"{GUARD} {stage}", attributes, context=set_span_in_context(span, Context()), since_ns=since_ns
            )
            end(child)


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
        if self._is_ours and self.span.get_span_context().is_valid:
            self._token = attach(set_span_in_context(self.span))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """End the span. Only a guard that fails is an error: neither a wait nor a cancellation nor a refusal is one."""
        if self._token is not None:
            detach(self._token)
        if not self._is_ours:
            return
        if isinstance(error, Exception) and not isinstance(error, GraphBubbleUp) and self.span.is_recording():
            self.tell({ERROR_TYPE: type(error).__name__})
            if not isinstance(error, GuardError) or isinstance(error, DirectoryError | StoreError):
                self.fail()
        end(self.span)

    @property
    def is_recording(self) -> bool:
        """Whether it is of any use to tell it something."""
        return self.span.is_recording()

    @property
    def context(self) -> TraceContext | None:
        """What is kept over a wait: where this span stands, or the application's own where there is none."""
        return carried(self.span if self._is_ours else get_current_span())

    def tell(self, attributes: Attributes) -> None:
        """Set *attributes*."""
        if self.span.is_recording():
            self.span.set_attributes(attributes)

    def fail(self) -> None:
        """Mark the span as one in which the guard failed."""
        self.span.set_status(_ERROR)

    def link(self, kept: Kept) -> None:
        """Link to the spans that *kept* names; nothing is read of it where the span is not recorded."""
        if not self.span.is_recording():
            return
        for role, context in kept:
            if (found := span_context_of(context)) is not None:
                self.span.add_link(found, {ROLE: role})


def end(span: Span) -> None:
    """End *span*; what a processor or exporter makes of that is no concern of the call."""
    try:
        span.end()
    except Exception as error:  # noqa: BLE001 - as in `Tracer.start`
        _failed(error)


def _failed(error: Exception) -> None:
    _log.warning("a span could not be recorded: %s", type(error).__name__)


__all__ = ["Attributes", "Kept", "Scope", "Tracer", "end", "time_ns"]
