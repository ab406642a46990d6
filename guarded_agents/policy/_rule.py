"""One tool's entry, made ready to decide: conditions compiled, decisions made in advance."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import orjson

from guarded_agents.policy._check import approval_id, asking_id, permit_id
from guarded_agents.policy._condition import Condition, compile_condition
from guarded_agents.policy._file import ApprovalEntry, AskingEntry, ExceptionEntry, Policy, Recording, ToolEntry
from guarded_agents.policy._trace import Trace
from guarded_agents.records import (
    AccessRequest,
    ApprovalObligation,
    Decision,
    Effect,
    Limits,
    Reason,
)
from guarded_agents.schema import SchemaValidator, compile_schema


class Way(NamedTuple):
    """A rule that permits: its decision without and with the approval, which is None where there is none."""

    unattended: Decision
    held: Decision | None


class Gate(NamedTuple):
    """A rule with a condition, and the decision that it leads to."""

    id: str
    condition: Condition
    hard: bool


class Waiver(NamedTuple):
    """An exception, made ready."""

    gate: Gate
    until: datetime
    way: Way


@dataclass(frozen=True, slots=True)
class ToolRule:
    """What decides one tool."""

    scope: str
    refusal: Decision  # the deny that every other deny of this tool is made from
    way: Way
    schema: SchemaValidator | None
    denies: tuple[Gate, ...]
    permit: Gate | None
    waivers: tuple[Waiver, ...]
    approval: Gate | None
    plain: bool  # nothing but scope decides: the answer is always the same
    answer: Decision  # that answer

    def deny(self, rule: str, reason: Reason, detail: str, *, hard: bool = False) -> Decision:
        """Return the deny of *rule*; hard where no exception and no person can turn it round."""
        return replace(self.refusal, rule=rule, reason=reason, detail=detail, hard=hard)

    def judge(self, request: AccessRequest, *, now: datetime, trace: Trace) -> Decision:
        """Return what schema, deny rules, condition, exceptions and approval say, in this order."""
        return self._mismatch(request, trace) or self._conditions(request, now, trace)

    def _mismatch(self, request: AccessRequest, trace: Trace) -> Decision | None:
        if self.schema is None:
            return None
        rule = self.way.unattended.rule
        arguments = dict(request.arguments)
        if self.schema.accepts(arguments):
            trace.note("schema", rule, passed=True, why="the arguments fit the policy's schema")
            return None
        problem = self.schema.problem(arguments) or "the arguments do not fit"
        trace.note("schema", rule, passed=False, why=problem)
        return self.deny(rule, Reason.SCHEMA_MISMATCH, problem)

    def _conditions(self, request: AccessRequest, now: datetime, trace: Trace) -> Decision:
        refused: Decision | None = None
        for gate in self.denies:
            said = gate.condition.holds(request)
            trace.gate("deny_when", gate.id, said=said, passing=False)
            if said is None:
                return self._failed(gate)
            if said and (refused is None or gate.hard):
                refused = self.deny(gate.id, Reason.CONDITION_NOT_MET, "a deny rule applies", hard=gate.hard)
                if gate.hard:
                    return refused
        if self.permit is not None:
            said = self.permit.condition.holds(request)
            trace.gate("permit_when", self.permit.id, said=said, passing=True)
            if said is None:
                return self._failed(self.permit)
            if not said:
                refused = refused or self.deny(
                    self.permit.id, Reason.CONDITION_NOT_MET, "permit_when is false", hard=self.permit.hard
                )
        if refused is None:
            return self._approve(self.way, request, trace)
        return self._waive(refused, request, now, trace)

    def _waive(self, refused: Decision, request: AccessRequest, now: datetime, trace: Trace) -> Decision:
        if refused.hard:
            return refused
        for waiver in self.waivers:
            if now >= waiver.until:
                trace.note("exception", waiver.gate.id, passed=False, why="its end has passed")
                continue
            said = waiver.gate.condition.holds(request)
            trace.gate("exception", waiver.gate.id, said=said, passing=True)
            if said is True:
                return self._approve(waiver.way, request, trace)
        return refused

    def _approve(self, way: Way, request: AccessRequest, trace: Trace) -> Decision:
        if way.held is None:
            return way.unattended
        if self.approval is None:
            trace.note("approval", _obliged(way.held), passed=True, why="always required")
            return way.held
        said = self.approval.condition.holds(request)
        trace.gate("approval", self.approval.id, said=said, passing=False, held=True)
        if said is None:
            return self._failed(self.approval)
        return way.held if said else way.unattended

    def _failed(self, gate: Gate) -> Decision:
        return self.deny(
            gate.id, Reason.CONDITION_FAILED, "the condition failed or is neither true nor false", hard=gate.hard
        )


def compile_rule(policy: Policy, key: str, *, exceptions: tuple[ExceptionEntry, ...], digest: str) -> ToolRule:
    """Return the rule of the tool *key*, which the policy knows, with its *exceptions*.

    *digest* is that of its entries.
    """
    entry = policy.tools[key]
    rule = permit_id(key, entry)
    base = _base(entry, rule, digest)
    permit = None if entry.permit_when is None else Gate(rule, compile_condition(entry.permit_when), entry.hard)
    schema = None
    if entry.argument_schema is not None:
        schema = _validator(orjson.dumps(dict(entry.argument_schema), option=orjson.OPT_SORT_KEYS), key)
    obligation, approval = None, None
    if entry.approval is not None:
        obligation, approval = _obligation(policy, key, entry.approval)
    way = _way(base, obligation)
    denies = tuple(Gate(deny.id, compile_condition(deny.when), deny.hard) for deny in entry.deny_when)
    return ToolRule(
        scope=entry.scope,
        refusal=replace(base, effect=Effect.DENY),
        way=way,
        schema=schema,
        denies=denies,
        permit=permit,
        waivers=_waivers(exceptions, base, obligation),
        approval=approval,
        plain=schema is None and not denies and permit is None and approval is None,
        answer=way.unattended if way.held is None else way.held,
    )


def asked_of(policy: Policy, key: str) -> ApprovalObligation | None:
    """Return who is asked about a call of the tool *key* ("server/tool") that has no authority; None for nobody."""
    entry = policy.tools.get(key)
    asking = None if entry is None else policy.asking(entry)
    if entry is None or asking is None:
        return None
    return _asking(policy, asking, asking_id(key, entry, asking))


@lru_cache(maxsize=16_384)
def _validator(schema: bytes, subject: str) -> SchemaValidator:
    return compile_schema(orjson.loads(schema), subject=subject)


def _base(entry: ToolEntry, rule: str, digest: str) -> Decision:
    return Decision(
        effect=Effect.PERMIT,
        rule=rule,
        reason=Reason.PERMITTED,
        policy=digest,
        tool_effect=entry.effect,
        idempotent=entry.idempotent,
        atomic=entry.atomic,
        irreversible=entry.irreversible,
        hard=entry.hard,
        durable=entry.record is Recording.DURABLE,
        limits=Limits(entry.limits.per_thread, entry.limits.per_hour),
        result_labels=entry.result,
    )


def _obligation(policy: Policy, key: str, approval: ApprovalEntry) -> tuple[ApprovalObligation, Gate | None]:
    rule = approval_id(key, approval)
    gate = None if approval.when is None else Gate(rule, compile_condition(approval.when), hard=False)
    return _asking(policy, approval, rule), gate


def _asking(policy: Policy, approval: AskingEntry, rule: str) -> ApprovalObligation:
    escalates = approval.escalate_within_s is not None
    return ApprovalObligation(
        rule=rule,
        group=approval.approvers,
        members=policy.members(approval.approvers),
        quorum=approval.quorum,
        decide_within_s=approval.decide_within_s,
        execute_within_s=approval.execute_within_s,
        editor_may_approve=approval.editor_may_approve,
        backup=policy.approvers[approval.approvers].backup if escalates else None,
        escalate_within_s=approval.escalate_within_s,
    )


def _way(base: Decision, obligation: ApprovalObligation | None) -> Way:
    return Way(base, None if obligation is None else replace(base, approval=obligation))


def _waivers(
    exceptions: tuple[ExceptionEntry, ...], base: Decision, obligation: ApprovalObligation | None
) -> tuple[Waiver, ...]:
    return tuple(
        Waiver(
            Gate(exception.id, compile_condition(exception.when), hard=False),
            exception.until,
            _way(replace(base, rule=exception.id, detail="permitted by an exception"), obligation),
        )
        for exception in exceptions
    )


def _obliged(decision: Decision) -> str:
    return "" if decision.approval is None else decision.approval.rule
