"""Why a call is permitted or denied, for people: the checks in their order, and the rule that decided."""

from datetime import datetime

from guarded_agents.policy._decide import RulePolicy
from guarded_agents.policy._file import Policy
from guarded_agents.policy._trace import Step
from guarded_agents.records import AccessRequest, Effect, Reason, Record


class AskedApprovers(Record):
    """Who has to agree: how many (*quorum*) of *members*, and the two deadlines in seconds."""

    rule: str
    group: str
    members: tuple[str, ...]
    quorum: int
    decide_within_s: int
    execute_within_s: int


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

    def text(self) -> str:
        """Return it as lines of text: the answer, then each check."""
        answer = f"{self.effect.upper()} {self.tool} for {self.principal} by rule {self.rule}"
        lines = [answer if self.effect is Effect.PERMIT else f"{answer} ({self.reason}: {self.detail})"]
        if self.approval is not None:
            asked = self.approval
            lines.append(
                f"  after {asked.quorum} of {', '.join(asked.members)} agree within {asked.decide_within_s} s"
                f" (rule {asked.rule}, group {asked.group}); then {asked.execute_within_s} s to execute"
            )
        lines += [f"  {'ok ' if step.passed else 'NO '} {step.check}: {step.why} [{step.rule}]" for step in self.steps]
        return "\n".join(lines)


def explain(policy: Policy, request: AccessRequest, *, now: datetime) -> Explanation:
    """Return how *policy* decides *request* at *now* (aware, UTC), and why."""
    decision, steps = RulePolicy(policy).trace(request, now=now)
    asked = decision.approval
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
        approval=None
        if asked is None
        else AskedApprovers(
            rule=asked.rule,
            group=asked.group,
            members=asked.members,
            quorum=asked.quorum,
            decide_within_s=asked.decide_within_s,
            execute_within_s=asked.execute_within_s,
        ),
    )
