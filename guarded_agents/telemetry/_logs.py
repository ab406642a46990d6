"""One line for each decision, through the standard ``logging``, with nothing secret in it."""

import logging
from typing import Final

from opentelemetry.trace import Span

from guarded_agents._provider import SPAN_ID, TRACE_ID, quietly, trace_fields
from guarded_agents.records import BoundCall, Decision, Outcome
from guarded_agents.telemetry._names import (
    CALL,
    CONVERSATION_ID,
    DECISION,
    HELD,
    LOGGER,
    OUTCOME,
    REASON,
    RULE,
    TOOL_NAME,
)
from guarded_agents.telemetry._words import spelt, tool_of

_log: Final = logging.getLogger(LOGGER)
_LINE: Final = "%s %s: rule %s, reason %s, %s, call %s, trace %s, span %s"
_NO_SPAN: Final = {TRACE_ID: "", SPAN_ID: ""}


def log_decision(call: BoundCall, decision: Decision, outcome: Outcome | None, span: Span) -> None:
    """Write what was decided of *call* and what came of it (None: a person is asked), at INFO.

    The record carries the same as attributes, under the keys of spans, for handlers that write JSON.
    """
    if not quietly(lambda: bool(_log.isEnabledFor(logging.INFO)), instead=False):
        return
    reason = decision.reason.value if outcome is None or not decision.permitted else outcome.reason.value
    status = HELD if outcome is None else outcome.status.value
    fields = {
        DECISION: decision.effect.value,
        RULE: decision.rule,
        REASON: reason,
        OUTCOME: status,
        TOOL_NAME: tool_of(call),
        CALL: call.key.digest,
        CONVERSATION_ID: spelt(call.key.thread),
        **(trace_fields(span) or _NO_SPAN),
    }
    said = (fields[DECISION], fields[TOOL_NAME], fields[RULE], reason, status, fields[CALL])
    where = (fields[TRACE_ID] or "-", fields[SPAN_ID] or "-")
    quietly(lambda: _log.info(_LINE, *said, *where, extra=fields, stacklevel=3), None)
