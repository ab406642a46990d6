"""What every node is handed, and the facts that a task may rely on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import RunnableConfig
from pydantic import JsonValue
from typing_extensions import TypedDict  # LangGraph needs it below Python 3.12 (FACTS F17)

from guarded_agents.approval import covers
from guarded_agents.binding import bind, idempotency_key, requester_key
from guarded_agents.catalog import RESERVED_ARGUMENTS, Catalog, CatalogTool, risk_raised
from guarded_agents.errors import StoreError
from guarded_agents.nodes._exposure import Exposure
from guarded_agents.nodes._loop import HomeLoop
from guarded_agents.nodes._people import People
from guarded_agents.nodes._provenance import Provenance
from guarded_agents.nodes._screening import Screening
from guarded_agents.nodes._tokens import Tokens
from guarded_agents.nodes._told import UNEDITED, edit_of
from guarded_agents.policy import PolicyDecisionPoint
from guarded_agents.records import (
    AccessRequest,
    ApprovalRequest,
    BoundCall,
    CallKey,
    Decision,
    Effect,
    Labels,
    Licence,
    Permit,
    Principal,
    QueueLimits,
    Reason,
    StandingRequest,
    ThreadFacts,
    ToolRef,
)
from guarded_agents.state import GuardContext
from guarded_agents.stores import Store
from guarded_agents.telemetry import Telemetry
from guarded_agents.transport import ToolTransport

NOBODY: Final = Principal(id="")
_DURABILITY: Final = "__pregel_durability"  # private key of LangGraph; absent means async (FACTS G8)


class CallTask(TypedDict):
    """The payload of one `Send`: a proposal of unknown origin. Nothing else in a task is believed."""

    call: ToolCall
    turn: int
    occurrence: int


def is_task(payload: object) -> bool:
    """Return whether *payload* has the form of a `CallTask`. Whoever can route may send anything (FACTS G2)."""
    call = payload.get("call") if isinstance(payload, Mapping) else None
    return (
        isinstance(payload, Mapping)
        and isinstance(call, Mapping)
        and isinstance(call.get("name"), str)
        and isinstance(call.get("id", 0), str | None)
        and "args" in call
        and type(payload.get("turn")) is int
        and type(payload.get("occurrence")) is int
    )


@dataclass(frozen=True, slots=True)
class Services:
    """What the nodes work with. Made once by the guard; holds no state of a run."""

    policy: PolicyDecisionPoint
    catalog: Catalog
    store: Store
    transport: ToolTransport
    telemetry: Telemetry
    provenance: Provenance  # what a call may do unattended
    exposure: Exposure  # what the model was shown
    screening: Screening  # what of a text goes on
    tokens: Tokens  # what of a value goes where
    people: People  # who may answer, and whether it is them
    queue: Callable[[str], QueueLimits]  # how much may wait for an approver group
    operators: str | None  # the group that looks after calls in doubt which nobody was asked about
    observe: Callable[[str], Awaitable[None]]  # look again at what a server offers
    recover: Callable[[str], Awaitable[None]]  # the same, but not more often than every 30 s
    home: HomeLoop
    now: Callable[[], datetime]  # UTC
    binding_key: bytes
    request_key: bytes
    owner: str
    timeout_s: float
    lease: timedelta  # how long a claim is its owner's; longer than timeout_s

    def facts(self, config: RunnableConfig, context: GuardContext | None) -> ThreadFacts:
        """Return who asks and what the thread was exposed to, from the store by thread.

        Without a thread id they come from the *context* of this very invocation, with the strictest
        labels; nothing that needs a claim is admitted then. Raises StoreError.
        """
        thread = thread_of(config)
        if not thread:
            if context is None:
                return ThreadFacts("", "", NOBODY, "", Labels())
            return ThreadFacts("", "", context.principal, context.tenant, Labels())
        return self.store.thread(thread) or ThreadFacts(thread, "", NOBODY, "", Labels())

    def bind(self, facts: ThreadFacts, task: CallTask) -> BoundCall:
        """Bind the call of *task* to who asks and where, with its tokens resolved. Raises BindingError, StoreError."""
        call = task["call"]
        tool = self.catalog.resolve(call["name"])
        bound = self._bound(facts, task, call["args"])
        if tool is None or not self.tokens.has_tokens(bound.canonical):
            return bound
        return self._bound(facts, task, self.tokens.restored(facts.thread, tool.ref.key, bound.arguments))

    def _bound(self, facts: ThreadFacts, task: CallTask, arguments: object) -> BoundCall:
        call = task["call"]
        tool = self.catalog.resolve(call["name"])
        return bind(
            key=self.binding_key,
            requester=requester_of(facts.requester, facts.tenant),
            place=(facts.thread, facts.entry, task["turn"]),
            tool=f"?/{call['name']}" if tool is None else tool.ref.key,
            call_id=call["id"] or "",
            arguments=arguments,
            occurrence=task["occurrence"],
        )

    def judge(
        self,
        facts: ThreadFacts,
        call: BoundCall,
        name: str,
        *,
        attended: bool = False,
        spent: Sequence[Licence] = (),
    ) -> "Judgement":
        """Decide about *call*, proposed under the tool name *name*: doubt is a deny.

        *attended* and *spent* are as in `Provenance.authorised`. Raises StoreError.
        """
        tool = self.catalog.resolve(name)
        if tool is None:
            is_proposal = self.provenance.is_proposal(name)
            return Judgement(None, denied(Reason.PLAN_PROPOSED if is_proposal else Reason.UNKNOWN_TOOL))
        if (why := self.catalog.quarantine_reason(tool.ref.key)) is not None:
            return Judgement(tool, denied(Reason.QUARANTINED_TOOL, why))
        if not facts.requester.id:
            return Judgement(tool, denied(Reason.UNKNOWN_PRINCIPAL))
        if not RESERVED_ARGUMENTS.isdisjoint(call.arguments):
            return Judgement(tool, denied(Reason.RESERVED_ARGUMENT))
        if self.tokens.has_tokens(call.canonical):
            return Judgement(tool, denied(Reason.REDACTED))
        if not tool.arguments.accepts(call.arguments):
            return Judgement(tool, denied(Reason.SCHEMA_MISMATCH))
        request = AccessRequest(facts.requester, facts.tenant, tool.ref, call.arguments, facts.labels)
        decision = self.decide(request, now=self.now())
        if decision.permitted and risk_raised(tool.definition.annotations, effect=decision.tool_effect):
            decision = replace(decision, durable=True)
        if decision.permitted:
            decision = self.provenance.authorised(facts, call, decision, attended=attended, spent=spent)
        return Judgement(tool, decision)

    def decide(self, access: AccessRequest, *, now: datetime) -> Decision:
        """Return what the policy says at *now* (UTC). Never raises: a decision point that fails is a deny."""
        try:
            return self.policy.decide(access, now=now)
        except Exception as error:  # noqa: BLE001 - one of the application's own; nothing here interrupts or executes
            return denied(Reason.GUARD_FAILED, type(error).__name__)

    def permit(
        self, facts: ThreadFacts, call: BoundCall, judgement: "Judgement", request: ApprovalRequest | None
    ) -> Permit:
        """Return the permit of a decision, from facts that were looked up just now."""
        ref = ToolRef("?", "", "") if judgement.tool is None else judgement.tool.ref
        return Permit(call, ref, judgement.decision, facts.requester, facts.tenant, facts.labels, request)

    def still_covers(self, permit: Permit) -> bool:
        """Return whether the permit's request, where it has one, is intact and about exactly this call (I2)."""
        return permit.request is None or covers(permit, key=self.request_key)

    def edit_of(self, asked: StandingRequest | None) -> str:
        """Return the sentence that a person changed the call which *asked* is about, as the model may be told it."""
        said = edit_of(asked, key=self.request_key)
        return said if asked is None or said == UNEDITED else self.tokens.redacted(asked.request.thread, said)

    def idempotency_key(self, key: CallKey) -> str:
        """Return the key that every attempt of one call carries in ``_meta`` (32 hex digits)."""
        return _idempotency_key(self.binding_key, key)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision, and the reviewed tool it is about (None where the name is unknown)."""

    tool: CatalogTool | None
    decision: Decision


def denied(reason: Reason, detail: str = "") -> Decision:
    """Return a deny that no rule of the policy was asked about."""
    return Decision(Effect.DENY, f"guard:{reason.value}", reason, detail)


def thread_of(config: RunnableConfig) -> str:
    """Return the thread id of this invocation, "" where it has none."""
    thread = config.get("configurable", {}).get("thread_id")
    return "" if thread is None else str(thread)


def is_durable(config: RunnableConfig) -> bool:
    """Return whether each super-step is on disk before the next begins (durability ``sync``)."""
    return bool(config.get("configurable", {}).get(_DURABILITY) == "sync")


def checked(clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """Return *clock*, raising StoreError where it fails or tells no UTC: without a time nothing is recorded (I6)."""

    def now() -> datetime:
        try:
            moment = clock()
        except Exception as failed:
            raise _timeless(type(failed).__name__) from failed
        if moment.utcoffset() != timedelta(0):
            raise _timeless("a time of another zone")
        return moment

    return now


def _timeless(got: str) -> StoreError:
    return StoreError("clock", expected="the time in UTC", got=got, action="repair the clock")


_idempotency_key: Final = lru_cache(maxsize=1_024)(idempotency_key)  # the intent and the message to the server name it


@lru_cache(maxsize=1_024)
def requester_of(principal: Principal, tenant: str) -> str:
    """Return the canonical JSON that names who asks: principal, on whose behalf, and tenant."""
    fields: Mapping[str, JsonValue] = principal.model_dump(mode="json", exclude={"scopes"})
    return requester_key(fields, tenant)
