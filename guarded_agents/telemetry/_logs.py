"""One line for each decision, through the standard ``logging``, with nothing secret in it."""

import logging
from typing import Final

from opentelemetry.trace import Span

from guarded_agents.binding import clipped
from guarded_agents.records import BoundCall, Decision, Outcome
from guarded_agents.telemetry._names import (
    CALL,
    CONVERSATION_ID,
    DECISION,
    LOGGER,
    OUTCOME,
    REASON,
    RULE,
    SPAN_ID,
    TOOL_NAME,
    TRACE_ID,
)
from guarded_agents.telemetry._words import tool_of

_log: Final = logging.getLogger(LOGGER)
_own: Final = logging.getLogger(__name__)


def log_decision(call: BoundCall, decision: Decision, outcome: Outcome | None, span: Span) -> None:
    """Write what was decided of *call* and what came of it (None: a person is asked), at INFO.

    The record carries the same as attributes, under the keys of spans, for handlers that write JSON.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    reason = decision.reason.value if outcome is None or not decision.permitted else outcome.reason.value
    status = "held" if outcome is None else outcome.status.value
    context = span.get_span_context()
    fields = {
        DECISION: decision.effect.value,
        RULE: decision.rule,
        REASON: reason,
        OUTCOME: status,
        TOOL_NAME: tool_of(call),
        CALL: call.key.digest,
        CONVERSATION_ID: clipped(call.key.thread),
        TRACE_ID: f"{context.trace_id:032x}" if context.is_valid else "",
        SPAN_ID: f"{context.span_id:016x}" if context.is_valid else "",
    }
    try:
        _log.info(
            "%s %s: rule %s, reason %s, %s, call %s, trace %s, span %s",
            fields[DECISION],
            fields[TOOL_NAME],
            fields[RULE],
            reason,
            status,
            fields[CALL],
            fields[TRACE_ID] or "-",
            fields[SPAN_ID] or "-",
            extra=fields,
        )
    except Exception as error:  # noqa: BLE001 - a handler, filter or factory of the application's; nothing here interrupts
        _own.warning("a decision could not be logged: %s", type(error).__name__)
