"""The span of one call, and what it is told of a decision and of what came of it."""

from collections.abc import Mapping
from typing import Final

import orjson
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue
from pydantic import JsonValue

from guarded_agents.records import (
    AuditHead,
    BoundCall,
    ClaimStatus,
    Decision,
    Outcome,
    Reason,
    StandingRequest,
    ToolEffect,
)
from guarded_agents.telemetry._logs import log_decision
from guarded_agents.telemetry._metrics import Metrics
from guarded_agents.telemetry._names import (
    AUDIT_LOG,
    AUDIT_SEQUENCE,
    CALL,
    DECISION,
    ERROR_TYPE,
    EXECUTE_TOOL,
    OPERATION,
    OUTCOME,
    POLICY,
    REASON,
    REFUSE,
    RULE,
    TOOL_CALL_ID,
    TOOL_ERROR,
    TOOL_NAME,
    Stage,
)
from guarded_agents.telemetry._semconv import Shown
from guarded_agents.telemetry._spans import Scope
from guarded_agents.telemetry._words import call_id_of, tool_of

MAX_CONTENT_CHARS: Final = 8_192  # of arguments or a result, where they are shown: exporters refuse large spans
_GUARD_FAILED: Final = (Reason.DIRECTORY_UNAVAILABLE, Reason.GUARD_FAILED, Reason.STORE_UNAVAILABLE)
_ANSWERED: Final = (ClaimStatus.EXECUTED, ClaimStatus.FAILED)


class Calling(Scope):
    """The scope of one call. An ``execute_tool`` span of somebody else's for the same call is told, and not ended."""

    __slots__ = ("_call", "_decision", "_is_plain", "_is_told", "_metrics", "_shown")

    def __init__(
        self,
        metrics: Metrics,
        call: BoundCall,
        decision: Decision,
        span: Span,
        *,
        is_ours: bool = True,
        is_told: bool = False,
        is_plain: bool = False,
        shown: Shown | None = None,
    ) -> None:
        """Hold *span*, which is told of the call where *is_told*, and of contents where they are *shown*.

        Where the call *is_plain*, its audit entries have no number yet when it ends.
        """
        super().__init__(span, is_ours=is_ours)
        self._metrics, self._call, self._decision, self._is_told = metrics, call, decision, is_told
        self._is_plain = is_plain
        self._shown = shown if is_told else None

    @property
    def shows_contents(self) -> bool:
        """Whether `show` is to be told what was sent and answered: that is switched on, and recorded."""
        return self._shown is not None and self.is_recording

    def show(self, arguments: JsonValue, result: str) -> None:
        """Set the call's *arguments* and its *result*, both redacted, where `shows_contents`; each is cut."""
        if self._shown is not None:
            said = orjson.dumps(arguments).decode()
            self.tell(self._shown(said[:MAX_CONTENT_CHARS], result[:MAX_CONTENT_CHARS]))

    def ended(self, outcome: Outcome, head: AuditHead, *, is_refused: bool = False) -> None:
        """Tell what came of the call. *head* is that of the audit log, at or before which its entries stand."""
        decision = self._decision
        if self._is_told and self.is_recording:
            self.tell(_ended(outcome, head, is_plain=self._is_plain))
            if outcome.reason in _GUARD_FAILED:
                self.fail()
        stage = REFUSE if is_refused else Stage.EXECUTE
        self._metrics.decided(stage, self._call, decision, outcome)
        log_decision(self._call, decision, outcome, self.span)


def is_plain(decision: Decision, asked: StandingRequest | None) -> bool:
    """Return whether *decision* permits a plain read, and nobody was *asked*: it is one span, without its stages."""
    return asked is None and decision.permitted and decision.tool_effect is ToolEffect.READ and not decision.claimed


def waited_s(standing: StandingRequest) -> float | None:
    """Return how many seconds a request waited for its settlement, None where it still does."""
    settled_at = standing.settled_at
    return None if settled_at is None else (settled_at - standing.request.created_at).total_seconds()


def named(call: BoundCall) -> dict[str, AttributeValue]:
    """Return the attributes that say which call it is."""
    return {
        TOOL_NAME: tool_of(call),
        TOOL_CALL_ID: call_id_of(call),
        CALL: call.key.digest,
    }


def ruled(decision: Decision) -> dict[str, AttributeValue]:
    """Return the attributes that say what was decided."""
    return {
        DECISION: decision.effect.value,
        RULE: decision.rule,
        REASON: decision.reason.value,
        POLICY: decision.policy,
    }


def _ended(outcome: Outcome, head: AuditHead, *, is_plain: bool) -> dict[str, AttributeValue]:
    said: dict[str, AttributeValue] = {OUTCOME: outcome.status.value, REASON: outcome.reason.value}
    if not is_plain:  # the entries of a plain read are written with the next group: their number is not known yet
        said[AUDIT_LOG] = head.log
        said[AUDIT_SEQUENCE] = head.size - 1
    if outcome.reason in _GUARD_FAILED:
        said[ERROR_TYPE] = outcome.reason.value
    elif outcome.is_error and outcome.status in _ANSWERED:
        said[ERROR_TYPE] = TOOL_ERROR
    return said


def is_span_of(span: Span, call: BoundCall) -> bool:
    """Return whether *span* is the ``execute_tool`` span of *call* that an instrumentor has made.

    It is that of no call yet, and names the tool too: call ids are a model's. Its attributes may raise.
    """
    attributes = getattr(span, "attributes", None)
    if not isinstance(attributes, Mapping) or attributes.get(OPERATION) != EXECUTE_TOOL or CALL in attributes:
        return False
    server, _, name = call.tool.partition("/")
    said = attributes.get(TOOL_NAME, str(getattr(span, "name", "")).removeprefix(f"{EXECUTE_TOOL} "))
    is_named = said in (call.tool, name, f"{server}__{name}")  # as we and as a model call it
    return is_named and attributes.get(TOOL_CALL_ID) == call.call_id
