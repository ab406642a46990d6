"""What the guard tells operators of each step: as a span, a metric, and a line of the log."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import orjson
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanKind,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue
from pydantic import JsonValue

from guarded_agents.binding import clipped
from guarded_agents.records import (
    AuditHead,
    BoundCall,
    ClaimStatus,
    Decision,
    Outcome,
    Reason,
    RequestStatus,
    SignedVote,
    StandingRequest,
    ThreadFacts,
    ToolEffect,
)
from guarded_agents.telemetry._logs import log_decision
from guarded_agents.telemetry._metrics import Metrics
from guarded_agents.telemetry._names import (
    ANSWER,
    APPROVER,
    AUDIT_LOG,
    AUDIT_SEQUENCE,
    CALL,
    CONVERSATION_ID,
    DECISION,
    ERROR_TYPE,
    EXECUTE_TOOL,
    GROUP,
    GUARD,
    MCP_METHOD,
    NETWORK_TRANSPORT,
    OPERATION,
    OUTCOME,
    POLICY,
    PRINCIPAL,
    QUORUM,
    REASON,
    REQUEST,
    RULE,
    SCHEMA_VERSION,
    STATUS,
    TOOL_ARGUMENTS,
    TOOL_CALL_ID,
    TOOL_ERROR,
    TOOL_NAME,
    TOOL_RESULT,
    TOOLS_CALL,
    WAIT,
    Stage,
)
from guarded_agents.telemetry._spans import Attributes, Scope, Tracer, end
from guarded_agents.telemetry._words import hasher, tool_of

_GUARD_FAILED: Final = (Reason.DIRECTORY_UNAVAILABLE, Reason.GUARD_FAILED, Reason.STORE_UNAVAILABLE)
_ANSWERED: Final = (ClaimStatus.EXECUTED, ClaimStatus.FAILED)
MAX_CONTENT_CHARS: Final = 8_192  # of arguments or a result, where they are shown: exporters refuse large spans
_THREADS: Final = 1_024  # whose first span is remembered


class Telemetry:
    """Makes the spans, metrics and log lines of one guard. With no provider the globally configured one is used."""

    def __init__(
        self,
        provider: TracerProvider | None = None,
        *,
        meter_provider: MeterProvider | None = None,
        key: bytes = b"",
        networks: Mapping[str, str] | None = None,
        unsafe_contents: bool = False,
    ) -> None:
        """Take the tracer and the meter of the providers.

        *key* hashes people's names, which are left out without one. *networks* says by which transport a server is
        reached (``network.transport``). With *unsafe_contents* spans show redacted arguments and results.
        """
        self._is_off = isinstance(provider, NoOpTracerProvider)
        self._is_global = provider is None
        self._tracer = Tracer(trace.get_tracer("guarded_agents", SCHEMA_VERSION, tracer_provider=provider))
        self._hashed, self._networks = hasher(key), networks or {}
        self._entered = OrderedDict[str, Context]()
        self.shows_contents = unsafe_contents
        self.metrics = Metrics(meter_provider)

    def calling(
        self,
        call: BoundCall,
        decision: Decision,
        facts: ThreadFacts,
        *,
        since_ns: int,
        asked: StandingRequest | None = None,
    ) -> "Calling":
        """Return the scope in which *call*, decided since *since_ns*, is executed or refused; *asked* if it waited."""
        if self._has_no_provider():
            return Calling(self, call, decision, get_current_span(), is_ours=False)
        current = get_current_span()
        if current.is_recording() and _is_of(current, call):
            scope = Calling(self, call, decision, current, is_ours=False, is_told=True)
            scope.tell(self._about(call, decision, facts, asked))
        else:
            about = self._about(call, decision, facts, asked)
            span = self._tracer.start(
                f"{EXECUTE_TOOL} {tool_of(call)}",
                about,
                context=self._above(current, call.key.thread),
                since_ns=since_ns,
                kind=SpanKind.CLIENT if decision.permitted else SpanKind.INTERNAL,
            )
            scope = Calling(self, call, decision, span, is_told=True)
        if not is_plain(decision):
            self._tracer.staged(scope.span, Stage.DECIDE, since_ns, _ruled(decision))
        return scope

    def holding(self, call: BoundCall, decision: Decision, facts: ThreadFacts, *, since_ns: int) -> Scope:
        """Return the scope in which a request is written for *call*; its context is kept with the request."""
        scope = self._scope(Stage.APPROVAL, call.key.thread, since_ns=since_ns)
        if scope.is_recording:
            scope.tell({**_named(call), **_ruled(decision), **self._hash(PRINCIPAL, facts.requester.id, facts.tenant)})
            self._tracer.staged(scope.span, Stage.DECIDE, since_ns, _ruled(decision))
        return scope

    def held(
        self, scope: Scope, call: BoundCall, decision: Decision, status: str, request: StandingRequest | None
    ) -> None:
        """Tell what came of holding *call*: *status* is that of its request, or why nobody is asked."""
        group = "" if decision.approval is None else decision.approval.group
        scope.tell({STATUS: status, GROUP: group})
        if request is not None:
            scope.tell({REQUEST: request.request.id, QUORUM: request.request.quorum})
        self.metrics.approval(status, group)
        self.metrics.decided(Stage.APPROVAL, call, decision, None)
        log_decision(call, decision, None, scope.span)

    def voting(self, signed: SignedVote, standing: StandingRequest) -> Scope:
        """Return the scope in which *signed* is verified and recorded; its context is kept with the vote."""
        request = standing.request
        scope = self._scope(Stage.VOTE, request.thread)
        if scope.is_recording:
            scope.tell({REQUEST: request.id, ANSWER: signed.vote.answer.value, GROUP: request.group})
            scope.tell(self._hash(APPROVER, signed.vote.approver, request.tenant))
        return scope

    def voted(self, scope: Scope, settled: StandingRequest) -> None:
        """Tell where the request stands after a vote."""
        scope.tell({STATUS: settled.status.value})
        if settled.status is not RequestStatus.PENDING:
            status = "broke_glass" if settled.broke_glass else settled.status.value
            self.metrics.approval(status, settled.request.group, waited_s=waited_s(settled))

    def timed_out(self, settled: StandingRequest | None) -> None:
        """Tell of a request that time alone has closed; None, one that is there no more, is left out."""
        if settled is not None and not settled.status.is_open:
            self.metrics.approval(settled.status.value, settled.request.group, waited_s=waited_s(settled))

    def waking(self, thread: str) -> Scope:
        """Return the scope in which a thread that waited goes on."""
        return self._scope(Stage.WAKE, thread)

    def entered(self, thread: str, since_ns: int) -> None:
        """Make the span of a user's input that was screened since *since_ns*, and the calls that follow its children.

        Where a span of the application's is current there is no need for it.
        """
        if self._has_no_provider() or get_current_span().get_span_context().is_valid:
            return
        span = self._tracer.start(f"{GUARD} {Stage.SCREEN}", {CONVERSATION_ID: clipped(thread)}, since_ns=since_ns)
        if span.get_span_context().is_valid:
            self._entered[thread] = set_span_in_context(span, Context())
            self._entered.move_to_end(thread)
            if len(self._entered) > _THREADS:
                self._entered.popitem(last=False)
        end(span)

    def staged(self, span: Span, stage: Stage, since_ns: int) -> None:
        """Make the span of a stage that has just ended, where *span*, its parent, is recorded."""
        self._tracer.staged(span, stage, since_ns)

    def _has_no_provider(self) -> bool:
        if not self._is_global:
            return self._is_off
        provider = trace.get_tracer_provider()
        if isinstance(provider, ProxyTracerProvider):
            return True
        self._is_global, self._is_off = False, isinstance(provider, NoOpTracerProvider)  # it is set once
        return self._is_off

    def _above(self, current: Span, thread: str) -> Context | None:
        """Return what a span of *thread* stands below: the current one, or else the thread's own first."""
        return None if current.get_span_context().is_valid else self._entered.get(thread)

    def _scope(self, stage: Stage, thread: str, *, since_ns: int | None = None) -> Scope:
        current = get_current_span()
        if self._has_no_provider():
            return Scope(current, is_ours=False)
        attributes = {CONVERSATION_ID: clipped(thread)}
        above = self._above(current, thread)
        return Scope(self._tracer.start(f"{GUARD} {stage}", attributes, context=above, since_ns=since_ns))

    def _hash(self, key: str, name: str, tenant: str) -> Attributes:
        hashed = self._hashed(name, tenant)
        return {key: hashed} if hashed else {}

    def _about(
        self, call: BoundCall, decision: Decision, facts: ThreadFacts, asked: StandingRequest | None
    ) -> dict[str, AttributeValue]:
        about = _named(call)
        about[OPERATION] = EXECUTE_TOOL
        about[CONVERSATION_ID] = clipped(call.key.thread)
        about[DECISION] = decision.effect.value
        about[RULE] = decision.rule
        about[POLICY] = decision.policy
        if hashed := self._hashed(facts.requester.id, facts.tenant):
            about[PRINCIPAL] = hashed
        if decision.permitted:
            about[MCP_METHOD] = TOOLS_CALL
            if self._networks and (network := self._networks.get(call.tool.partition("/")[0])) is not None:
                about[NETWORK_TRANSPORT] = network
        if asked is not None:
            about[REQUEST] = asked.request.id
            if (waited := waited_s(asked)) is not None:
                about[WAIT] = waited
        return about


class Calling(Scope):
    """The scope of one call. An ``execute_tool`` span of somebody else's for the same call is told, and not ended."""

    __slots__ = ("_call", "_decision", "_is_told", "_telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        call: BoundCall,
        decision: Decision,
        span: Span,
        *,
        is_ours: bool = True,
        is_told: bool = False,
    ) -> None:
        """Hold *span*, which is told of the call where *is_told*."""
        super().__init__(span, is_ours=is_ours)
        self._telemetry, self._call, self._decision, self._is_told = telemetry, call, decision, is_told

    @property
    def shows_contents(self) -> bool:
        """Whether `show` is to be told what was sent and answered: that is switched on, and recorded."""
        return self._telemetry.shows_contents and self._is_told and self.span.is_recording()

    def show(self, arguments: JsonValue, result: str) -> None:
        """Set the call's *arguments* and its *result*, both redacted, where `shows_contents`; each is cut."""
        said = orjson.dumps(arguments).decode()
        self.tell({TOOL_ARGUMENTS: said[:MAX_CONTENT_CHARS], TOOL_RESULT: result[:MAX_CONTENT_CHARS]})

    def ended(self, outcome: Outcome, head: AuditHead, *, is_refused: bool = False) -> None:
        """Tell what came of the call. *head* is that of the audit log, at or before which its entries stand."""
        decision = self._decision
        if self._is_told and self.span.is_recording():
            self.span.set_attributes(_ended(outcome, head, is_plain=is_plain(decision)))
            if outcome.reason in _GUARD_FAILED:
                self.fail()
        stage = "refuse" if is_refused else Stage.EXECUTE
        self._telemetry.metrics.decided(stage, self._call, decision, outcome)
        log_decision(self._call, decision, outcome, self.span)


def is_plain(decision: Decision) -> bool:
    """Return whether *decision* permits a plain read: its call is one span, without one for each stage."""
    return decision.permitted and decision.tool_effect is ToolEffect.READ and not decision.claimed


def waited_s(standing: StandingRequest) -> float | None:
    """Return how many seconds a request waited for its settlement, None where it still does."""
    settled_at = standing.settled_at
    return None if settled_at is None else (settled_at - standing.request.created_at).total_seconds()


def _named(call: BoundCall) -> dict[str, AttributeValue]:
    return {
        TOOL_NAME: tool_of(call),
        TOOL_CALL_ID: clipped(call.call_id),
        CALL: call.key.digest,
    }


def _ruled(decision: Decision) -> dict[str, AttributeValue]:
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


def _is_of(span: Span, call: BoundCall) -> bool:
    """Return whether *span* is the ``execute_tool`` span of *call* that an instrumentor has made."""
    attributes = getattr(span, "attributes", None)
    if not isinstance(attributes, Mapping) or attributes.get(OPERATION) != EXECUTE_TOOL:
        return False
    return attributes.get(TOOL_CALL_ID) == call.call_id
