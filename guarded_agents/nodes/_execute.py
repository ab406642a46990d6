"""``execute`` and ``refuse``: where every call ends. Neither believes its payload, and neither raises for a call."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, cast

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig

from guarded_agents.errors import BindingError, StoreError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._door import Door
from guarded_agents.nodes._ended import ended
from guarded_agents.nodes._planning import told_of_plan, with_plan
from guarded_agents.nodes._services import CallTask, Judgement, Services, denied, is_durable, is_task, thread_of
from guarded_agents.nodes._told import (
    UNEDITED,
    WAITING,
    GuardUpdate,
    refusal,
    settled,
    told_of,
    tool_message,
)
from guarded_agents.nodes._traced import spans_behind
from guarded_agents.provenance import Authority, Ruling
from guarded_agents.records import (
    QUOTED,
    UNEXPOSED,
    Answered,
    AuditHead,
    BoundCall,
    Claim,
    ClaimStatus,
    Decision,
    Labels,
    Outcome,
    Reason,
    RequestStatus,
    StandingRequest,
    ThreadFacts,
)
from guarded_agents.state import GuardContext
from guarded_agents.stores import latest
from guarded_agents.telemetry import Calling, time_ns

INVALID: Final = "invalid_tool_call"
_NO_HEAD: Final = AuditHead("", 0, "")


@dataclass(frozen=True, slots=True)
class Standing:
    """A task, re-derived: the call, who asks, what is decided now, and the request if there is one."""

    call: BoundCall
    facts: ThreadFacts
    judgement: Judgement
    request: StandingRequest | None


class Endings:
    """The bodies of the two nodes that answer a call."""

    def __init__(self, services: Services, door: Door) -> None:
        """Keep the services and the door."""
        self._services, self._door = services, door
        self._seen_head: AuditHead | None = None

    def derive(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> Standing | Reason:
        """Re-derive everything about *task* from the store and the policy, or say why that is not possible."""
        if not is_task(task):
            return Reason.INVALID_CALL
        try:
            return self._derived(task, config, context)
        except BindingError:
            return Reason.UNDIGESTIBLE
        except StoreError:
            return Reason.STORE_UNAVAILABLE

    def _derived(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> Standing:
        services = self._services
        facts = services.facts(config, context)
        call = services.bind(facts, task)
        proposal = services.store.proposal(call.key) if facts.thread else None
        if proposal is not None:
            facts = replace(facts, labels=proposal.labels)  # as they stood when the call was proposed (I2)
        attended = proposal is not None and proposal.attended
        judgement = services.judge(facts, call, task["call"]["name"], attended=attended)
        decision = judgement.decision
        # A plain read waited for nobody, unless an approver edited a call into it.
        plain = decision.permitted and not decision.claimed and not (proposal is not None and proposal.consequential)
        request = None if proposal is None or plain else services.store.request_of(call.key)
        permit = services.permit(facts, call, judgement, None if request is None else request.request)
        reason = _misplaced(call, decision, config, proposed=proposal is not None)
        if decision.misses and proposal is not None and not proposal.attended and request is None:
            reason = Reason.UNLICENSED  # since it was proposed, what it draws on was spent: nobody was asked
        if decision.permitted and not services.still_covers(permit):
            reason = Reason.VOIDED
        if decision.permitted and reason is not None:
            judgement = replace(judgement, decision=_turned(decision, reason))
        return Standing(call, facts, judgement, request)

    async def execute(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> GuardUpdate:
        """Send the call through the door if everything still holds; otherwise refuse it."""
        since_ns, standing = time_ns(), self.derive(task, config, context)
        if isinstance(standing, Standing) and standing.request is not None and standing.judgement.tool is not None:
            standing = await self._looked_again(standing.judgement.tool.ref.server, task, config, context)
        if isinstance(standing, Reason) or not standing.judgement.decision.permitted:
            return await self._refuse(task, standing, thread_of(config), since_ns=since_ns)
        call, decision = standing.call, standing.judgement.decision
        request = None if standing.request is None else standing.request.request
        permit = self._services.permit(standing.facts, call, standing.judgement, request)
        with self._calling(standing, since_ns) as calling:
            if standing.request is not None and standing.request.status is RequestStatus.PENDING:
                outcome = WAITING  # who has voted by now says nothing of who will have: it is asked again when settled
            else:
                outcome = await self._door.execute_once(call, permit, span=calling.span)
            head = self._head(decision)
            calling.ended(outcome, head)
            if calling.shows_contents:
                calling.show(self._services.tokens.at_rest(call.key.thread, call.arguments), outcome.content)
        edit = self._services.edit_of(standing.request)
        update = settled(call, task["call"]["name"], decision, outcome, head, edit=edit)
        return self._remembered(update, call.key.thread, call.tool, outcome, decision)

    async def _looked_again(
        self, server: str, task: CallTask, config: RunnableConfig, context: GuardContext | None
    ) -> Standing | Reason:
        """Derive again after a look at what *server* offers now: the call waited, and its tool may have drifted."""
        try:
            await self._services.observe(server)
        except StoreError:
            return Reason.STORE_UNAVAILABLE
        return self.derive(task, config, context)

    async def refuse(self, task: CallTask, config: RunnableConfig, context: GuardContext | None) -> GuardUpdate:
        """Close the call, then tell the model."""
        since_ns, standing = time_ns(), self.derive(task, config, context)
        return await self._refuse(task, standing, thread_of(config), since_ns=since_ns)

    def _calling(self, standing: Standing, since_ns: int) -> Calling:
        """Return the scope of a call, linked to where it was held and to each vote where it waited."""
        call, decision, facts = standing.call, standing.judgement.decision, standing.facts
        scope = self._services.telemetry.calling(call, decision, facts, since_ns=since_ns, asked=standing.request)
        scope.link(spans_behind(self._services.store, standing.request))
        return scope

    async def _refuse(self, task: CallTask, standing: Standing | Reason, thread: str, *, since_ns: int) -> GuardUpdate:
        if not is_task(task):
            return {}  # forged, and no call that could be answered
        name = task["call"]["name"]
        if isinstance(standing, Reason):
            reason = Reason.INVALID_CALL if _is_unparsed(task) else standing
            told = tool_message(task["call"]["id"] or "", name, refusal(reason), edit=UNEDITED)
            self._remember(thread, told, UNEXPOSED)
            return {"messages": [told]}
        decision = standing.judgement.decision
        outcome = await self._why(task, standing)
        with self._calling(standing, since_ns) as calling:
            standing, outcome = await self._closed(standing, outcome)
            head = self._head(decision)
            calling.ended(outcome, head, is_refused=True)
        edit = self._services.edit_of(standing.request)
        update = settled(standing.call, name, decision, outcome, head, edit=edit)
        update = self._remembered(update, thread, standing.call.tool, outcome, decision)
        return with_plan(self._services, update, standing.facts, decision)

    async def _closed(self, standing: Standing, outcome: Outcome) -> tuple[Standing, Outcome]:
        """Close the call as *outcome* says, and return how it then stands."""
        call, tool = standing.call, standing.judgement.tool
        note = _notes.decided(
            call,
            standing.facts,
            replace(standing.judgement.decision, reason=outcome.reason),
            definition="" if tool is None else tool.ref.definition,
        )
        try:
            if not standing.facts.thread:
                self._services.store.note([note], now=self._services.now())
                return standing, outcome
            claim = await self._services.store.refuse(
                call.key, reason=outcome.reason, outcome=outcome, note=note, now=self._services.now()
            )
            standing, claim = self._edited(standing, claim)
        except StoreError:
            return standing, refusal(Reason.STORE_UNAVAILABLE)
        return standing, outcome if claim.reason is Reason.NOT_PROPOSED else told_of(claim)

    def _remembered(
        self, update: GuardUpdate, thread: str, tool: str, outcome: Outcome, decision: Decision
    ) -> GuardUpdate:
        """Return *update* with the labels of the answer in it, which is then on record."""
        labels = _labels_of(outcome, decision)
        (message,) = cast("list[ToolMessage]", update["messages"])
        self._remember(thread, message, labels, tool=tool, answer=outcome.answer)
        if labels == UNEXPOSED:
            return update
        trust = {"integrity": labels.integrity.value, "confidentiality": labels.confidentiality.value}
        return {**update, "guard_trust": {**trust, "sources": [tool]}}

    def _remember(
        self, thread: str, message: ToolMessage, labels: Labels, *, tool: str = "", answer: Answered | None = None
    ) -> None:
        with suppress(StoreError):  # what is not on record counts as the strictest
            self._services.exposure.remember(thread, message, labels, tool=tool, answer=answer)

    def _edited(self, standing: Standing, claim: Claim) -> tuple[Standing, Claim]:
        """Return how the call that stands in an edited one's place has ended, else what is given. Raises StoreError."""
        first = standing.request
        last = None if first is None else latest(self._services.store, first.request.id)
        if last is None or last == first or last.request.key[:3] != standing.call.key[:3]:
            return standing, claim  # no edit, or a row that leads into another turn
        ended = self._services.store.claim(last.request.key)
        if ended is None:
            return standing, claim
        return replace(standing, call=replace(standing.call, key=last.request.key), request=last), ended

    async def _why(self, task: CallTask, standing: Standing) -> Outcome:
        """Return what the model is told: an approver's answer where one is proven, else the reason of the deny."""
        if _is_unparsed(task):
            return refusal(Reason.INVALID_CALL)
        decision = standing.judgement.decision
        if decision.reason is Reason.PLAN_PROPOSED:
            return told_of_plan(self._services, standing.facts, standing.call.arguments)
        told = await ended(self._services, standing.request, of=standing.call.key)
        return told or _refused(Reason.VOIDED if decision.permitted else decision.reason, decision)

    def _head(self, decision: Decision) -> AuditHead:
        """Return the head last seen; looked up anew where the log has certainly grown, not for each plain read."""
        if self._seen_head is None or decision.claimed or not decision.permitted:
            try:
                self._seen_head = self._services.store.audit_head()
            except StoreError:
                return _NO_HEAD
        return self._seen_head


def _misplaced(call: BoundCall, decision: Decision, config: RunnableConfig, *, proposed: bool) -> Reason | None:
    """Return why a permitted call may not run where it stands, None where it may."""
    if not call.key.thread:
        return Reason.NO_THREAD if decision.claimed else None
    if not proposed:
        return Reason.NOT_PROPOSED
    if decision.claimed and not is_durable(config):
        return Reason.NOT_DURABLE
    return None


def _turned(decision: Decision, reason: Reason) -> Decision:
    refused = denied(reason)
    return replace(refused, policy=decision.policy, tool_effect=decision.tool_effect, misses=decision.misses)


def _labels_of(outcome: Outcome, decision: Decision) -> Labels:
    """Return the labels of what the model is told: of the guard's own words none, of a person's that nobody vouches."""
    if outcome.answer is not None:
        return outcome.answer.labels
    if outcome.status is not ClaimStatus.CLOSED:
        return decision.result_labels
    return QUOTED if outcome.reason is Reason.ANSWERED else UNEXPOSED


def _refused(reason: Reason, decision: Decision) -> Outcome:
    """Return the refusal of *decision*; where something is not the user's, the names of those arguments with it."""
    outcome = refusal(reason)
    if reason is not Reason.UNLICENSED:
        return outcome
    return replace(outcome, content=f"{outcome.content} {Authority(Ruling.ASK, decision.misses).for_model}")


def _is_unparsed(task: CallTask) -> bool:
    return str(task["call"].get("type")) == INVALID


def unavailable() -> StoreError:
    """Return the error of a store that did not answer, where `derive` has already told so."""
    return StoreError("store", expected="an answer", got="none", action="wake the thread again later")
