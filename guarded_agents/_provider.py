"""What is asked of the application's OpenTelemetry provider, which may fail: no call of the guard fails with it.

Nothing that a provider returns is used outside `quietly` but to hand it back to the provider, within `quietly` again.
"""

import logging
import re
from asyncio import CancelledError
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, TraceState, get_current_span

from guarded_agents.records import TraceContext

T = TypeVar("T")
U = TypeVar("U")

TRACE_ID: Final = "trace_id"
SPAN_ID: Final = "span_id"
_TRACE_BITS: Final = 128  # W3C Trace Context, section 3.2.2.3
_SPAN_BITS: Final = 64
_FLAG_BITS: Final = 8
_STATE_CHARS: Final = 512  # section 3.3.1.5

_MEMBER: Final = r"[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
_STATE: Final = re.compile(rf"{_MEMBER}(?:[ \t]*,[ \t]*{_MEMBER}){{0,31}}")

_log: Final = logging.getLogger(__name__)


def quietly(do: Callable[[], T], instead: U) -> T | U:
    """Return what *do* returns, *instead* where it raises: it may stand between a sent call and its outcome.

    *do* looks up what it calls, for that may fail too, and awaits nothing: a CancelledError is of its own making then,
    for asyncio delivers one where something is awaited. What ends a process goes through. Only the kind of the error
    is logged, for its text may quote anything.
    """
    try:
        return do()
    except (Exception, CancelledError) as error:  # noqa: BLE001 - nothing here interrupts or executes
        warn(_log, "telemetry was not recorded: %s", type(error).__name__)
        return instead


def warn(logger: logging.Logger, line: str, *values: object) -> None:
    """Log *line* with *values* at WARNING: handlers of logs are the application's too, and may fail."""
    with suppress(Exception, CancelledError):
        logger.warning(line, *values, stacklevel=2)


def current_span() -> Span:
    """Return the span that is current, one that is none where there is none."""
    return quietly(get_current_span, INVALID_SPAN)


def is_somewhere(span: Span) -> bool:
    """Return whether *span* stands in a trace, by its own account."""
    return quietly(lambda: span.get_span_context().is_valid is True, instead=False)


def trace_context(span: Span) -> TraceContext | None:
    """Return where *span* stands (W3C Trace Context, section 3), None where it has no valid context."""
    return quietly(lambda: _trace_context(span), None)


def trace_fields(span: Span | None = None) -> dict[str, str]:
    """Return ``trace_id`` and ``span_id`` (hex) of *span* (None: of the current one), nothing where there is none."""
    context = trace_context(current_span() if span is None else span)
    return {} if context is None else {TRACE_ID: context.trace_id, SPAN_ID: context.span_id}


def _trace_context(span: Span) -> TraceContext | None:
    context = span.get_span_context()
    if not isinstance(context, SpanContext):
        raise TypeError("not a span context")
    trace, own, flags = context.trace_id, context.span_id, int.__int__(context.trace_flags)
    if not trace and not own:
        return None
    if not (_is_id(trace, _TRACE_BITS) and _is_id(own, _SPAN_BITS) and 0 <= flags < 1 << _FLAG_BITS):
        raise ValueError("not the ids of a span")
    return TraceContext(f"00-{trace:032x}-{own:016x}-{flags:02x}", _spelt(context.trace_state))


def _is_id(number: int, bits: int) -> bool:
    return type(number) is int and 0 < number < 1 << bits


def _spelt(state: TraceState | None) -> str:
    """Return the header of *state*, nothing where it has none, or one that no header can be."""
    header = state.to_header() if state else ""
    return header if is_state(header) else ""


def is_state(header: object) -> bool:
    """Return whether *header* is a ``tracestate`` of at most 512 characters (W3C Trace Context, section 3.3.1)."""
    return type(header) is str and len(header) <= _STATE_CHARS and _STATE.fullmatch(header) is not None
