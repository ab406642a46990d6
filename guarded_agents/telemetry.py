"""Span names, attribute keys and the one place where spans are made.

Names follow the OpenTelemetry GenAI and MCP conventions (status: Development) where they say
something, and ``guarded_agents.*`` where they do not. Arguments, prompts and results never
stand in an attribute. Without a tracer provider a span costs nearly nothing.
"""

from typing import Final

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode, TracerProvider
from opentelemetry.util.types import AttributeValue

from guarded_agents.binding import clipped
from guarded_agents.records import BoundCall, Decision, Outcome, Reason

SCHEMA_VERSION: Final = "0.1.0"

OPERATION: Final = "gen_ai.operation.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
MCP_METHOD: Final = "mcp.method.name"
DECISION: Final = "guarded_agents.decision"
RULE: Final = "guarded_agents.rule"
REASON: Final = "guarded_agents.reason"
POLICY: Final = "guarded_agents.policy.digest"
CALL: Final = "guarded_agents.call.digest"
OUTCOME: Final = "guarded_agents.outcome"

EXECUTE_TOOL: Final = "execute_tool"

_GUARD_FAILED: Final = (Reason.GUARD_FAILED, Reason.STORE_UNAVAILABLE)


class Telemetry:
    """Makes the spans of one guard. With no provider the globally configured one is used."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        """Take the tracer of *provider*, or of the global provider."""
        self._tracer = trace.get_tracer("guarded_agents", SCHEMA_VERSION, tracer_provider=provider)

    def start_call(self, call: BoundCall, decision: Decision) -> Span:
        """Start the span of one call; the caller ends it by `end_call`."""
        tool = clipped(call.tool)
        attributes: dict[str, AttributeValue] = {
            OPERATION: EXECUTE_TOOL,
            TOOL_NAME: tool,
            TOOL_CALL_ID: clipped(call.call_id),
            CONVERSATION_ID: call.key.thread,
            MCP_METHOD: "tools/call",
            DECISION: decision.effect.value,
            RULE: decision.rule,
            POLICY: decision.policy,
            CALL: call.key.digest,
        }
        return self._tracer.start_span(f"{EXECUTE_TOOL} {tool}", attributes=attributes)

    def end_call(self, span: Span, outcome: Outcome) -> None:
        """End the span of one call. A deny leaves the status UNSET; only a failing guard is ERROR."""
        if span.is_recording():
            span.set_attributes({OUTCOME: outcome.status.value, REASON: outcome.reason.value})
            if outcome.reason in _GUARD_FAILED:
                span.set_status(Status(StatusCode.ERROR))
        span.end()


def traceparent(span: Span) -> str | None:
    """Return the W3C ``traceparent`` of *span* (Trace Context, section 3.2), None where it has none."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


__all__ = [
    "CALL",
    "CONVERSATION_ID",
    "DECISION",
    "EXECUTE_TOOL",
    "MCP_METHOD",
    "OPERATION",
    "OUTCOME",
    "POLICY",
    "REASON",
    "RULE",
    "SCHEMA_VERSION",
    "TOOL_CALL_ID",
    "TOOL_NAME",
    "Telemetry",
    "traceparent",
]
