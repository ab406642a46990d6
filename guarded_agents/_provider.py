"""What is asked of the application's OpenTelemetry provider, which may fail: no call of the guard fails with it."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, ParamSpec, TypeVar

from opentelemetry.trace import INVALID_SPAN_CONTEXT, Span, SpanContext, get_current_span

P = ParamSpec("P")
T = TypeVar("T")

TRACE_ID: Final = "trace_id"
SPAN_ID: Final = "span_id"

_log: Final = logging.getLogger(__name__)


def quietly(do: Callable[P, T], instead: T, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what *do* returns, *instead* where it raises: it may stand between a sent call and its outcome.

    Only the kind of the error is logged, for its text may quote anything.
    """
    try:
        return do(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - code of the application's; nothing here interrupts or executes
        with suppress(Exception):  # so are the handlers of logs
            _log.warning("telemetry was not recorded: %s", type(error).__name__)
        return instead


def context_of(span: Span) -> SpanContext | None:
    """Return the context of *span*, None where it has none."""
    context = quietly(span.get_span_context, INVALID_SPAN_CONTEXT)
    return context if context.is_valid else None


def trace_fields(span: Span | None = None) -> dict[str, str]:
    """Return ``trace_id`` and ``span_id`` (hex) of *span* (None: of the current one), nothing where there is none."""
    context = context_of(get_current_span() if span is None else span)
    if context is None:
        return {}
    return {TRACE_ID: f"{context.trace_id:032x}", SPAN_ID: f"{context.span_id:016x}"}
