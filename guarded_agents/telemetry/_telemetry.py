"""What the guard tells operators of each step: as a span, a metric, and a line of the log."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import (
    NoOpTracer,
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanKind,
    TracerProvider,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from guarded_agents._bounded import keep
from guarded_agents._provider import current_span, is_somewhere, quietly
from guarded_agents.records import (
    BoundCall,
    Decision,
    RequestStatus,
    SignedVote,
    StandingRequest,
    ThreadFacts,
)
from guarded_agents.telemetry._calling import Calling, is_plain, is_span_of, named, ruled, waited_s
from guarded_agents.telemetry._logs import log_decision
from guarded_agents.telemetry._metrics import Metrics
from guarded_agents.telemetry._names import (
    ANSWER,
    APPROVER,
    BROKE_GLASS,
    CONVERSATION_ID,
    DECISION,
    EXECUTE_TOOL,
    GROUP,
    GUARD,
    MCP_METHOD,
    NETWORK_TRANSPORT,
    OPERATION,
    POLICY,
    PRINCIPAL,
    QUORUM,
    REQUEST,
    RULE,
    SCHEMA_VERSION,
    STATUS,
    TOOLS_CALL,
    WAIT,
    Stage,
)
from guarded_agents.telemetry._semconv import Also, Semconv, plainly
from guarded_agents.telemetry._spans import Attributes, Scope, Tracer, end, is_recording
from guarded_agents.telemetry._words import hasher, spelt, tool_of

_THREADS: Final = 1_024  # whose first span is remembered
_NONE: Final = NoOpTracerProvider()


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
        semconv: Collection[Semconv] = (),
    ) -> None:
        """Take the tracer and the meter of the providers.

        *key* hashes people's names, which are left out without one. *networks* says by which transport a server is
        reached (``network.transport``). With *unsafe_contents* spans show redacted arguments and results. *semconv* are
        the conventions that spans are told by beside our own.
        """
        self._is_off = _is_a(provider, NoOpTracerProvider)
        self._is_global = provider is None
        self._tracer = Tracer(
            quietly(lambda: trace.get_tracer("guarded_agents", SCHEMA_VERSION, tracer_provider=provider), NoOpTracer())
        )
        self._hashed, self._networks = hasher(key), networks or {}
        self._entered = OrderedDict[str, Context]()
        self._also = Also(semconv) if semconv else None
        shown = plainly if self._also is None else self._also.of_contents
        self._shown = shown if unsafe_contents else None
        self.metrics = Metrics(meter_provider)

    def calling(
        self,
        call: BoundCall,
        decision: Decision,
        facts: ThreadFacts,
        *,
        since_ns: int,
        asked: StandingRequest | None = None,
    ) -> Calling:
        """Return the scope in which *call*, decided since *since_ns*, is executed or refused; *asked* if it waited."""
        if self._has_no_provider():
            return Calling(self.metrics, call, decision, current_span(), is_ours=False)
        current = current_span()
        is_theirs = is_recording(current) and quietly(lambda: bool(is_span_of(current, call)), instead=False)
        plain = is_plain(decision, asked)
        about = self._about(call, decision, facts, asked)
        if self._also is not None:
            about |= self._also.of_call(call, decision, is_ours=not is_theirs)
        if is_theirs:
            span = current
            quietly(lambda: current.set_attributes(about), None)
        else:
            span = self._tracer.start(
                f"{EXECUTE_TOOL} {tool_of(call)}",
                about,
                context=self._above(current, call.key.thread),
                since_ns=since_ns,
                kind=SpanKind.CLIENT if decision.permitted else SpanKind.INTERNAL,
            )
        if not plain:
            self._tracer.staged(span, Stage.DECIDE, since_ns, attributes=self._decided(call, decision))
        return Calling(
            self.metrics, call, decision, span, is_ours=not is_theirs, is_told=True, is_plain=plain, shown=self._shown
        )

    def holding(self, call: BoundCall, decision: Decision, facts: ThreadFacts, *, since_ns: int) -> Scope:
        """Return the scope in which a request is written for *call*; its context is kept with the request."""
        scope = self._scope(Stage.APPROVAL, call.key.thread, since_ns=since_ns)
        if scope.is_recording:
            scope.tell({**named(call), **ruled(decision), **self._hash(PRINCIPAL, facts.requester.id, facts.tenant)})
            if self._also is not None:
                scope.tell(self._also.of_decision(call, decision, is_held=True))
            self._tracer.staged(
                scope.span, Stage.DECIDE, since_ns, attributes=self._decided(call, decision, is_held=True)
            )
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
        return scope

    def voted(self, scope: Scope, signed: SignedVote, before: StandingRequest, after: StandingRequest) -> None:
        """Tell where a request stands *after* *signed*, as it stood *before*; an edit has another in its place."""
        if scope.is_recording:  # whose vote it is stands nowhere before it is proven
            approver = self._hash(APPROVER, signed.vote.approver, before.request.tenant)
            scope.tell({STATUS: after.status.value, **approver})
        is_edited = before.request.id != after.request.id
        if is_edited:
            self.metrics.approval(RequestStatus.SUPERSEDED.value, before.request.group)
        if is_edited or after.status is not RequestStatus.PENDING:
            status = BROKE_GLASS if after.broke_glass else after.status.value
            self.metrics.approval(status, after.request.group, waited_s=waited_s(after))

    def timed_out(self, settled: StandingRequest | None) -> None:
        """Tell of a request that time alone has closed; others are left out, and None, one that is there no more."""
        if settled is not None and settled.status in (RequestStatus.EXPIRED, RequestStatus.LAPSED):
            self.metrics.approval(settled.status.value, settled.request.group, waited_s=waited_s(settled))

    def waking(self, thread: str) -> Scope:
        """Return the scope in which a thread that waited goes on."""
        return self._scope(Stage.WAKE, thread)

    def entered(self, thread: str, since_ns: int) -> None:
        """Make the span of a user's input that was screened since *since_ns*, and the calls that follow its children.

        Where a span of the application's is current there is no need for it.
        """
        self._entered.pop(thread, None)  # an entry before has ended, and its span is no parent of what comes now
        if self._has_no_provider() or is_somewhere(current_span()):
            return
        span = self._tracer.start(f"{GUARD} {Stage.SCREEN}", self._stage(Stage.SCREEN, thread), since_ns=since_ns)
        if is_somewhere(span):
            keep(self._entered, thread, set_span_in_context(span, Context()), most=_THREADS)
        end(span)

    def staged(self, span: Span, stage: Stage, since_ns: int, until_ns: int | None = None) -> None:
        """Make the span of a stage from *since_ns* to *until_ns* (None: now), where *span*, its parent, is recorded."""
        about = None if self._also is None else self._also.of_stage(stage)
        self._tracer.staged(span, stage, since_ns, until_ns, attributes=about)

    def _has_no_provider(self) -> bool:
        if not self._is_global:
            return self._is_off
        provider = quietly(trace.get_tracer_provider, _NONE)
        if _is_a(provider, ProxyTracerProvider):
            return True
        self._is_global, self._is_off = False, _is_a(provider, NoOpTracerProvider)  # it is set once
        return self._is_off

    def _above(self, current: Span, thread: str) -> Context | None:
        """Return what a span of *thread* stands below: the current one, or else the thread's own first."""
        return None if is_somewhere(current) else self._entered.get(thread)

    def _scope(self, stage: Stage, thread: str, *, since_ns: int | None = None) -> Scope:
        current = current_span()
        if self._has_no_provider():
            return Scope(current, is_ours=False)
        above = self._above(current, thread)
        about = self._stage(stage, thread)
        return Scope(self._tracer.start(f"{GUARD} {stage}", about, context=above, since_ns=since_ns))

    def _stage(self, stage: Stage, thread: str) -> dict[str, AttributeValue]:
        about: dict[str, AttributeValue] = {CONVERSATION_ID: spelt(thread)}
        if self._also is not None:
            about |= self._also.of_stage(stage) | self._also.of_thread(thread)
        return about

    def _decided(self, call: BoundCall, decision: Decision, *, is_held: bool = False) -> dict[str, AttributeValue]:
        about = ruled(decision)
        if self._also is not None:
            about |= self._also.of_stage(Stage.DECIDE) | self._also.of_decision(call, decision, is_held=is_held)
        return about

    def _hash(self, key: str, name: str, tenant: str) -> Attributes:
        hashed = self._hashed(name, tenant)
        return {key: hashed} if hashed else {}

    def _about(
        self, call: BoundCall, decision: Decision, facts: ThreadFacts, asked: StandingRequest | None
    ) -> dict[str, AttributeValue]:
        about = named(call)
        about[OPERATION] = EXECUTE_TOOL
        about[CONVERSATION_ID] = spelt(call.key.thread)
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


def _is_a(provider: object, kind: type[TracerProvider]) -> bool:
    return quietly(lambda: isinstance(provider, kind), instead=False)  # one that stands for another may fail
