"""What the policy says of a call."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from guarded_agents.records._call import ToolEffect
from guarded_agents.records._miss import Licence, Miss
from guarded_agents.records._origin import Labels

HOLDERS: Final = "break_glass"
"""The group in whose name a glass is broken: that of the policy's holders. No group of a policy has this name."""


class Effect(StrEnum):
    """What a policy decision point answers (XACML 3.0). There is no third kind."""

    PERMIT = "permit"
    DENY = "deny"


class Reason(StrEnum):
    """Why a call was denied; PERMITTED where it was not. Stable codes: they stand in the audit log."""

    PERMITTED = "permitted"
    UNKNOWN_TOOL = "unknown_tool"
    QUARANTINED_TOOL = "quarantined_tool"
    UNKNOWN_PRINCIPAL = "unknown_principal"
    MISSING_SCOPE = "missing_scope"
    NO_RULE = "no_rule"
    CONDITION_NOT_MET = "condition_not_met"
    CONDITION_FAILED = "condition_failed"
    SCHEMA_MISMATCH = "schema_mismatch"
    RESERVED_ARGUMENT = "reserved_argument"
    UNDIGESTIBLE = "undigestible"
    INVALID_CALL = "invalid_call"
    NOT_PROPOSED = "not_proposed"
    SUPERSEDED = "superseded"
    LIMIT_REACHED = "limit_reached"
    NO_THREAD = "no_thread"
    NOT_DURABLE = "not_durable"
    STORE_UNAVAILABLE = "store_unavailable"
    GUARD_FAILED = "guard_failed"
    REJECTED = "rejected"
    ANSWERED = "answered"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    VOIDED = "voided"
    WITHDRAWN = "withdrawn"
    COALESCED = "coalesced"  # an identical call of the same thread waits already
    ALREADY_REJECTED = "already_rejected"  # the same was rejected just now, so nobody is asked
    QUEUE_FULL = "queue_full"
    DIRECTORY_UNAVAILABLE = "directory_unavailable"
    UNLICENSED = "unlicensed"  # its values or its verb are not the user's, and nobody is to be asked
    UNPLANNED = "unplanned"  # not in the pinned plan
    PLAN_PROPOSED = "plan_proposed"  # it proposes a plan, and reaches no server
    REDACTED = "redacted"  # an argument holds a token whose value does not travel to the tool, or that is forged


@dataclass(frozen=True, slots=True)
class Limits:
    """How often a tool may be admitted. None means that the policy sets no such limit."""

    per_thread: int | None = None
    per_hour: int | None = None  # per principal and tenant, over the last 3,600 s


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How much may wait for people. Beyond it a call is refused at once (DESIGN section 8).

    What they were told of less than ``ask_again_after_s`` ago, and nobody answered, counts as if it waited still.
    By default neither one principal nor one tenant can fill a group for all others.
    """

    per_group: int = 200
    per_principal: int = 20  # in one tenant, whoever it acts for
    per_tenant: int = 100
    ask_again_after_s: int = 900  # after a rejection the same is not asked again for so long


@dataclass(frozen=True, slots=True)
class BreakGlassTerms:
    """Who may break the glass, for which tools, how often, and what follows."""

    holders: frozenset[str]
    tools: frozenset[str]  # server/tool: its scope
    per_person: int
    period_s: int
    execute_within_s: int
    review_within_s: int
    reviewers: str  # an approver group


@dataclass(frozen=True, slots=True)
class ApprovalObligation:
    """A person has to agree before the permit counts."""

    rule: str
    group: str
    members: tuple[str, ...]
    quorum: int
    decide_within_s: int
    execute_within_s: int
    editor_may_approve: bool = False
    backup: str | None = None  # the group that may answer as well, after escalate_within_s
    escalate_within_s: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one call. *policy* is the digest of the entries that decide it (hex)."""

    effect: Effect
    rule: str  # the id of the rule that decided; "default-deny" where none did
    reason: Reason
    detail: str = ""  # for people and the audit log; never shown to the model; never an argument
    policy: str = ""
    tool_effect: ToolEffect = ToolEffect.EGRESS
    idempotent: bool = False
    atomic: bool = False  # the server promises that an error reply means nothing happened
    irreversible: bool = False
    hard: bool = False
    durable: bool = False  # record before sending even though it is a read
    approval: ApprovalObligation | None = None
    limits: Limits = NO_LIMITS
    result_labels: Labels = Labels()
    misses: tuple[Miss, ...] = ()  # what a person has to agree to, for where the values come from
    use: Licence | None = None  # what the call draws on of what its user asked for

    @property
    def permitted(self) -> bool:
        """Return whether the call may go on (perhaps after an approval)."""
        return self.effect is Effect.PERMIT

    @property
    def claimed(self) -> bool:
        """Return whether the call needs a claim: all but plain reads without approval or limits."""
        return (
            self.tool_effect is not ToolEffect.READ
            or self.approval is not None
            or (self.limits is not NO_LIMITS and self.limits != NO_LIMITS)
            or self.durable
        )
