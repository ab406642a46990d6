"""Where the values of a thread come from, as its nodes ask it: the facts of the store, and what they let a call do."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

from pydantic import JsonValue

from guarded_agents.policy import PlanOrigin, Policy, asked_of, authority_terms
from guarded_agents.provenance import (
    Authority,
    AuthorityRule,
    Facts,
    Plan,
    Ruling,
    SeenResult,
    UserText,
    compile_authority,
    endorsements,
    result_labels,
    weigh,
)
from guarded_agents.records import (
    QUOTED,
    Answered,
    AuthorityTerms,
    BoundCall,
    CallKey,
    Decision,
    Effect,
    Endorsement,
    Integrity,
    Labels,
    Licence,
    Permit,
    Reason,
    ResultTerms,
    ThreadFacts,
    ToolEffect,
)
from guarded_agents.state import GuardContext
from guarded_agents.stores import SeenMessage, Store, Trail, Use, use_name
from guarded_agents.transport import ToolReply

MAX_RESULTS: Final = 1_000
MAX_RECORDS: Final = 2_000
"""Answers of one thread that are looked through, and records in them, at some 30 microseconds each for every effect.

In a thread with more no record gives authority, and no origin is told: doubt is asked about.
"""

PROPOSE_PLAN: Final = "propose_plan"
"""By which name a model proposes a plan, where the policy's is from the model."""

_THREADS: Final = 256  # whose facts are kept; those of another are read anew


_RULINGS: Final = 64  # of one thread that are kept
_FORGOTTEN: Final = SeenResult("", "", "", None)
_Asked = tuple[CallKey, str, ToolEffect, tuple[Licence, ...]]


@dataclass(slots=True)
class _Known:
    """What was read of one thread's trail so far, parsed."""

    number: int = 0
    texts: dict[str, UserText] = field(default_factory=dict)
    results: dict[str, SeenResult] = field(default_factory=dict)
    endorsed: list[Endorsement] = field(default_factory=list)
    uses: dict[str, Licence] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    records: int = 0
    extensions: list[tuple[str, str]] = field(default_factory=list)
    is_suspect: bool = False
    facts: Facts | None = None
    rulings: dict[_Asked, Authority] = field(default_factory=dict)  # by *facts*, as long as these stand

    @property
    def is_full(self) -> bool:
        """Return whether the thread has read more than is looked through."""
        return len(self.results) > MAX_RESULTS or self.records > MAX_RECORDS


class Provenance:
    """Says what a call may do unattended, from what the store holds of its thread."""

    def __init__(self, store: Store, policy: Policy, key: bytes) -> None:
        """Weigh by the terms of *policy*; *key* is the deployment's for digests of values."""
        self._store, self._policy, self._key = store, policy, key
        self._rules: dict[tuple[str, ToolEffect], AuthorityRule] = {}
        self._terms: dict[str, ResultTerms] = {}
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = Lock()  # an edge runs in its caller's thread

    def authorised(
        self,
        facts: ThreadFacts,
        call: BoundCall,
        decision: Decision,
        *,
        attended: bool = False,
        spent: Sequence[Licence] = (),
    ) -> Decision:
        """Return *decision*, a permit, with what it needs beside: a person's agreement, or a deny.

        *attended* is whether a person has to agree whatever the facts are by now, *spent* what the calls before it in
        its turn draw on. Raises StoreError.
        """
        if not self._rule(call.tool, decision.tool_effect).is_consequential or not facts.thread:
            return decision  # without a thread nothing with an effect runs
        authority = self._weighed(facts, call, decision.tool_effect, tuple(spent))
        if authority.ruling is Ruling.DENY:
            return _refused(decision, Reason.UNPLANNED)
        decision = replace(decision, use=authority.use, misses=authority.misses)
        if authority.ruling is Ruling.UNATTENDED and not attended:
            return decision
        if decision.approval is None:
            obligation = asked_of(self._policy, call.tool)
            if obligation is None:
                return _refused(decision, Reason.UNLICENSED, detail="nobody is to be asked")
            decision = replace(decision, approval=obligation)
        return decision

    def plan_for(self, context: GuardContext | None) -> tuple[str, ...] | None:
        """Return the plan to pin at a new entry of a thread that has none; None where its caller pins none."""
        plan = self._policy.plan
        if plan is None or plan.origin is not PlanOrigin.CALLER:
            return None
        return () if context is None or context.plan is None else context.plan

    def _plan(self, known: _Known) -> Plan | None:
        """Return the plan of a thread: the policy's own, or what was pinned; one that nobody has pinned has no tool."""
        plan = self._policy.plan
        if plan is None:
            return None
        tools = plan.tools if plan.origin is PlanOrigin.POLICY else known.pinned
        return Plan(tools=tools, extensions=tuple(sorted(known.extensions)))

    def plan_of(self, thread: str) -> Plan | None:
        """Return the plan of *thread* as it stands; None where the policy wants none. Raises StoreError."""
        with self._lock:
            return self._plan(self._read(thread))

    def is_proposal(self, name: str) -> bool:
        """Return whether a call of *name* proposes a plan and is for no server."""
        return name == PROPOSE_PLAN and proposes(self._policy)

    def needs_plan(self, tool: str) -> bool:
        """Return whether calls of *tool*, "server/tool", may have an effect as far as the policy knows it."""
        entry = self._policy.tools.get(tool)
        return entry is not None and entry.effect is not ToolEffect.READ

    def asked_about(self, tool: str) -> str | None:
        """Return the group that is asked about calls of *tool*, None where the policy names none."""
        obligation = asked_of(self._policy, tool)
        return None if obligation is None else obligation.group

    def shown(self, facts: ThreadFacts) -> dict[str, JsonValue]:
        """Return what the state shows of a thread beside its labels: its plan, and how much is endorsed and spent.

        Raises StoreError.
        """
        with self._lock:
            known = self._read(facts.thread)
            plan = self._plan(known)
            shown: dict[str, JsonValue] = {"endorsed": len(known.endorsed), "spent": len(known.uses)}
            return shown if plan is None else {**shown, "plan": list(plan.covered)}

    def use_of(self, permit: Permit) -> Use:
        """Return what the claim of *permit* draws on, and what its approvers agree to."""
        decision, request = permit.decision, permit.request
        agreed: tuple[Endorsement, ...] = ()
        if request is not None:
            rule = self._rule(permit.call.tool, decision.tool_effect)
            agreed = endorsements(permit.call.arguments, rule, approval=request.id, key=self._key)
        is_tainted = permit.labels.integrity is not Integrity.TRUSTED
        is_checked = decision.use is not None and is_tainted and decision.approval is None
        return Use(decision.use, is_checked, agreed, permit.labels)

    def answered(self, tool: str, reply: ToolReply) -> Answered:
        """Return what *tool* answered, with the join of the labels of its fields.

        A text that does not repeat the structured answer is no field of it, and what is embedded is untrusted. Of an
        error only the text is an answer: its structure nobody has reviewed, so no record in it may give authority.
        """
        terms = self._result_terms(tool)
        labels = terms.labels
        if terms.fields and reply.structured is not None and not reply.is_error:
            labels = result_labels(reply.structured, terms)
            if not reply.repeats:
                labels = labels.join(terms.labels)
        if reply.is_embedding:
            labels = labels.join(QUOTED)
        return Answered(reply.text if reply.structured is None or reply.is_error else reply.structured, labels)

    # -- what is on record -----------------------------------------------------------------------

    def _rule(self, tool: str, effect: ToolEffect) -> AuthorityRule:
        rule = self._rules.get((tool, effect))
        if rule is None:
            terms = authority_terms(self._policy, tool) or AuthorityTerms(tool)
            rule = self._rules[tool, effect] = compile_authority(replace(terms, effect=effect))
        return rule

    def _result_terms(self, tool: str) -> ResultTerms:
        terms = self._terms.get(tool)
        if terms is None:
            found = authority_terms(self._policy, tool)
            terms = self._terms[tool] = ResultTerms() if found is None else found.result
        return terms

    def _weighed(
        self, facts: ThreadFacts, call: BoundCall, effect: ToolEffect, spent: tuple[Licence, ...]
    ) -> Authority:
        """Return the ruling on *call* by what is on record, but for its own use. Raises StoreError.

        A turn asks as it is planned and as it is executed: of facts that have not changed it is weighed once.
        """
        own = use_name(call.key)
        with self._lock:
            known = self._read(facts.thread)
            if known.facts is None or known.facts.labels != facts.labels:
                known.facts, known.rulings = self._built(known, facts.labels), {}
            weighed, rulings = known.facts, known.rulings
            if own in known.uses:
                others = tuple(use for name, use in known.uses.items() if name != own)
                weighed, rulings = replace(weighed, spent=others), {}
        asked = (call.key, call.tool, effect, spent)
        if (ruling := rulings.get(asked)) is not None:
            return ruling
        for use in spent:
            weighed = weighed.spending(use)
        ruling = weigh(call.arguments, self._rule(call.tool, effect), weighed)
        if len(rulings) < _RULINGS:
            rulings[asked] = ruling
        return ruling

    def _read(self, thread: str) -> _Known:
        known = self._known.setdefault(thread, _Known())
        self._known.move_to_end(thread)
        if len(self._known) > _THREADS:
            self._known.popitem(last=False)
        if self._add(known, self._store.trail(thread, after=known.number)):
            known.facts = None
        return known

    def _add(self, known: _Known, trail: Trail) -> bool:
        """Add what is new in *trail*; return whether any of it may change a ruling: what the model said does not."""
        fresh = [seen for seen in trail.seen if seen.digest not in known.results]
        is_suspect = known.is_suspect or bool(trail.suspects)
        is_more = is_suspect is not known.is_suspect or trail.plan is not None
        is_more |= bool(fresh or trail.texts or trail.endorsed or trail.uses or trail.extensions)
        known.number, known.is_suspect = trail.number, is_suspect
        known.texts |= {entry: UserText(entry, text) for entry, text in trail.texts.items()}
        known.endorsed += trail.endorsed
        known.uses |= trail.uses
        if trail.plan is not None:
            known.pinned = trail.plan
        known.extensions += trail.extensions
        for seen in fresh:
            result = self._result(seen)
            known.results[seen.digest] = result
            known.records += len(result.records)
            if known.is_full:
                known.results[seen.digest] = _FORGOTTEN
        return is_more

    def _result(self, seen: SeenMessage) -> SeenResult:
        server, _, name = seen.tool.partition("/")
        return SeenResult(seen.message, server, name, seen.value, self._result_terms(seen.tool))

    def _built(self, known: _Known, labels: Labels) -> Facts:
        return Facts(
            key=self._key,
            labels=labels,
            texts=tuple(known.texts.values()),
            results=() if known.is_full else tuple(known.results.values()),
            endorsed=tuple(known.endorsed),
            spent=tuple(known.uses.values()),
            plan=self._plan(known),
            is_suspect=known.is_suspect,
        )


def proposes(policy: Policy) -> bool:
    """Return whether under *policy* the model proposes the plan of each thread."""
    return policy.plan is not None and policy.plan.origin is PlanOrigin.MODEL


def _refused(decision: Decision, reason: Reason, *, detail: str = "") -> Decision:
    return replace(decision, effect=Effect.DENY, reason=reason, detail=detail, approval=None)
