"""Why a call is permitted or denied, for people: the checks in their order, and the rule that decided."""

from datetime import datetime
from typing import Final

from guarded_agents.moments import duration
from guarded_agents.policy._decide import RulePolicy
from guarded_agents.policy._file import Policy
from guarded_agents.policy._trace import Step
from guarded_agents.records import AccessRequest, Decision, Effect, Reason, Record

_DIRECTORY: Final = "whom the directory knows"


class AskedApprovers(Record):
    """Who has to agree: how many (*quorum*) of *members*, and the deadlines in seconds.

    Whom an external group has, the file does not say, so ``members`` is then empty. After
    ``escalate_within_s`` those of the backup group may answer as well; None where nobody is asked next.
    """

    rule: str
    group: str
    members: tuple[str, ...]
    quorum: int
    decide_within_s: int
    execute_within_s: int
    backup: str | None = None
    backup_members: tuple[str, ...] = ()
    escalate_within_s: int | None = None


class EmergencyTerms(Record):
    """Who may approve alone in an emergency and how often, and the times in seconds."""

    holders: tuple[str, ...]
    per_person: int
    period_s: int
    execute_within_s: int
    review_within_s: int
    reviewers: str  # the group that looks at it afterwards


class Explanation(Record):
    """A decision and the steps that led to it. Holds no argument, so it may be shown and logged."""

    principal: str
    tenant: str
    tool: str
    effect: Effect
    rule: str
    reason: Reason
    detail: str
    policy: str  # digest of the entries that decided (hex)
    steps: tuple[Step, ...]
    approval: AskedApprovers | None
    break_glass: EmergencyTerms | None = None

    def text(self) -> str:
        """Return it as lines of text: the answer, then each check."""
        answer = f"{self.effect.upper()} {self.tool} for {self.principal} by rule {self.rule}"
        lines = [answer if self.effect is Effect.PERMIT else f"{answer} ({self.reason}: {self.detail})"]
        lines += _asked(self.approval)
        lines += _emergency(self.break_glass)
        lines += [f"  {'ok ' if step.passed else 'NO '} {step.check}: {step.why} [{step.rule}]" for step in self.steps]
        return "\n".join(lines)


def explain(policy: Policy, request: AccessRequest, *, now: datetime) -> Explanation:
    """Return how *policy* decides *request* at *now* (aware, UTC), and why."""
    decision, steps = RulePolicy(policy).trace(request, now=now)
    return Explanation(
        principal=request.principal.id,
        tenant=request.tenant,
        tool=request.tool.key,
        effect=decision.effect,
        rule=decision.rule,
        reason=decision.reason,
        detail=decision.detail,
        policy=decision.policy,
        steps=steps,
        approval=_approvers(policy, decision),
        break_glass=_terms(policy, decision, request.tool.key),
    )


def _approvers(policy: Policy, decision: Decision) -> AskedApprovers | None:
    asked = decision.approval
    if asked is None:
        return None
    return AskedApprovers(
        rule=asked.rule,
        group=asked.group,
        members=asked.members,
        quorum=asked.quorum,
        decide_within_s=asked.decide_within_s,
        execute_within_s=asked.execute_within_s,
        backup=asked.backup,
        backup_members=() if asked.backup is None else policy.members(asked.backup),
        escalate_within_s=asked.escalate_within_s,
    )


def _terms(policy: Policy, decision: Decision, tool: str) -> EmergencyTerms | None:
    glass, asked = policy.glass, decision.approval
    if glass is None or asked is None or tool not in glass.tools:
        return None
    return EmergencyTerms(
        holders=tuple(sorted(glass.holders)),
        per_person=glass.per_person,
        period_s=glass.period_s,
        execute_within_s=min(glass.execute_within_s, asked.execute_within_s),
        review_within_s=glass.review_within_s,
        reviewers=glass.reviewers,
    )


def _asked(asked: AskedApprovers | None) -> list[str]:
    if asked is None:
        return []
    answer = (
        f"  after {asked.quorum} of {', '.join(asked.members) or _DIRECTORY} agree"
        f" within {duration(asked.decide_within_s)} (rule {asked.rule}, group {asked.group});"
        f" then {duration(asked.execute_within_s)} to execute"
    )
    if asked.backup is None:
        return [answer]
    who = ", ".join(asked.backup_members) or _DIRECTORY
    return [answer, f"  after {duration(asked.escalate_within_s)} group {asked.backup} may answer as well: {who}"]


def _emergency(terms: EmergencyTerms | None) -> list[str]:
    if terms is None:
        return []
    answer = (
        f"  in an emergency {' or '.join(terms.holders)} may approve alone, each at most {terms.per_person} in"
        f" {duration(terms.period_s)}; then {duration(terms.execute_within_s)} to execute,"
        f" and a review by group {terms.reviewers} within {duration(terms.review_within_s)}"
    )
    return [answer]
