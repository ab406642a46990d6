"""The records of a policy file (DESIGN section 6). Closed, frozen, strict: an unknown key is an error."""

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import Field, JsonValue

from guarded_agents.policy._fields import (
    Count,
    FileName,
    Name,
    Names,
    Phrases,
    Pointer,
    Pointers,
    RuleId,
    Scope,
    Scopes,
    Seconds,
    Table,
    Text,
    ToolName,
    ToolNames,
    Until,
)
from guarded_agents.policy._screening import ScreeningEntry, ValueKinds
from guarded_agents.records import (
    ArgumentUse,
    BreakGlassTerms,
    Confidentiality,
    ContentRule,
    Labels,
    QueueLimits,
    Record,
    ToolEffect,
)

_QUEUE: Final = QueueLimits()


class Recording(StrEnum):
    """When a read is recorded. An effect is always recorded before it is sent (DESIGN I5)."""

    DURABLE = "durable"
    BUFFERED = "buffered"


class PrincipalEntry(Record):
    """What a principal may hold at most. ``tenants`` restricts it to these; left out, it may act in each."""

    scopes: Scopes = ()
    tenants: Names | None = None


class ApproverGroup(Record):
    """Who may answer. ``backup`` names the group that is asked next; ``capacity`` bounds what waits.

    Who belongs to an ``external`` group a directory knows, not the file.
    """

    members: Names = ()
    external: bool = False
    backup: Name | None = None
    capacity: Count = _QUEUE.per_group


class BreakGlassEntry(Record):
    """Who may approve alone in an emergency, with which tools and how often; *reviewers* look at it afterwards."""

    holders: Annotated[Names, Field(min_length=1)]
    tools: Annotated[ToolNames, Field(min_length=1)]
    reviewers: Name
    per_person: Count = 1
    period_s: Seconds = Field(default=7 * 86_400, alias="period")
    execute_within_s: Seconds = Field(default=900, alias="execute_within")
    review_within_s: Seconds = Field(default=3 * 86_400, alias="review_within")


class QueueEntry(Record):
    """How much may wait for people, beside each group's capacity, and how soon a rejected call is asked again."""

    per_principal: Count = _QUEUE.per_principal
    per_tenant: Count = _QUEUE.per_tenant
    ask_again_after_s: Seconds = Field(default=_QUEUE.ask_again_after_s, alias="ask_again_after")


class ArgumentEntry(Record):
    """How the value of one argument gets its authority."""

    use: ArgumentUse
    natural_key: bool = False
    content: ContentRule | None = None
    minor_units: Annotated[int, Field(ge=0, le=18)] = 0
    from_fields: Pointers = ()
    keys: Names = ()


class RecordsEntry(Record):
    """Where in an answer a record stands, or a list of them, and by which of its fields a person may name one.

    *every* are the phrases by which a person names all of them.
    """

    at: Pointer = ""
    keys: Annotated[Pointers, Field(min_length=1)]
    every: Phrases = ()


class DenyEntry(Record):
    """Denies where ``when`` is anything but false. A hard one stands against exceptions too."""

    id: RuleId
    when: Text
    hard: bool = False


class AskingEntry(Record):
    """Whom to ask, how many of them have to agree, and by when."""

    id: RuleId | None = None  # None: "approval:server/tool", for values without authority "authority:server/tool"
    approvers: Name
    quorum: Count = 1
    decide_within_s: Seconds = Field(alias="decide_within")
    execute_within_s: Seconds = Field(alias="execute_within")
    escalate_within_s: Seconds | None = Field(default=None, alias="escalate_within")
    editor_may_approve: bool = False


class ApprovalEntry(AskingEntry):
    """A person has to agree, unless ``when`` is exactly false; without ``when``, always."""

    when: Text | None = None


class PlanOrigin(StrEnum):
    """Who says which tools with an effect a run may use."""

    POLICY = "policy"
    CALLER = "caller"  # GuardContext.plan of the thread's first run
    MODEL = "model"  # what it proposes before it has read anything


class PlanEntry(Record):
    """A run may use no tool with an effect but those of a plan, pinned before any untrusted text is read."""

    origin: PlanOrigin = Field(default=PlanOrigin.POLICY, alias="from")
    tools: ToolNames = ()  # of the policy's own plan


class LimitEntry(Record):
    """How often a tool may be admitted: in a thread; per principal and tenant over the last 3,600 s."""

    per_thread: Count | None = None
    per_hour: Count | None = None


class ToolEntry(Record):
    """What the policy says of one tool. It permits what its scope, schema and condition let through."""

    id: RuleId | None = None  # None: "permit:server/tool"
    scope: Scope
    effect: ToolEffect
    irreversible: bool = False
    idempotent: bool = False
    atomic: bool = False
    hard: bool = False
    record: Recording | None = None
    result: Labels = Labels()
    fields: Table[Pointer, Labels] = Field(default_factory=lambda: MappingProxyType({}))
    records: RecordsEntry | None = None
    verbs: Phrases = ()
    readers: Table[Name, Confidentiality] | None = None
    receives: ValueKinds = ()
    permit_when: Text | None = None
    deny_when: tuple[DenyEntry, ...] = ()
    arguments: Table[Name, ArgumentEntry] = Field(default_factory=lambda: MappingProxyType({}))
    argument_schema: Table[str, JsonValue] | None = Field(default=None, alias="schema")
    approval: ApprovalEntry | None = None
    limits: LimitEntry = LimitEntry()


class ExceptionEntry(Record):
    """Permits what the tool's own condition does not, until its end. Nothing renews it.

    A date alone ends at its first moment, 00:00 UTC: in doubt the shorter reading.
    """

    id: RuleId
    allows: ToolName
    when: Text
    until: Until
    reason: Text
    granted_by: Annotated[Names, Field(min_length=1)]

    def is_live(self, *, now: datetime) -> bool:
        """Return whether the exception still counts at *now* (aware, UTC)."""
        return now < self.until


class PolicyFile(Record):
    """The sections of the file."""

    version: Literal[1]
    signers: FileName | None = None
    principals: Table[Name, PrincipalEntry] = Field(default_factory=lambda: MappingProxyType({}))
    approvers: Table[Name, ApproverGroup] = Field(default_factory=lambda: MappingProxyType({}))
    tools: Table[ToolName, ToolEntry]
    exceptions: tuple[ExceptionEntry, ...] = ()
    break_glass: BreakGlassEntry | None = None
    operators: Name | None = None  # the group that settles calls in doubt for which nobody was asked
    queue: QueueEntry = QueueEntry()
    screening: ScreeningEntry = ScreeningEntry()
    authority: AskingEntry | None = None  # asked about values that are not the user's, where a tool names nobody
    plan: PlanEntry | None = None

    def asking(self, entry: ToolEntry) -> AskingEntry | None:
        """Return who may be asked about calls of a tool of *entry*: as it says, else, for an effect, anybody's."""
        if entry.approval is None and entry.effect is not ToolEffect.READ:
            return self.authority
        return entry.approval


class Policy(PolicyFile):
    """A loaded policy. ``digest`` is the SHA-256 of the file's bytes (hex); ``source`` names the file.

    ``signers`` is the name of an OpenSSH allowed_signers file beside the policy, with the
    approvers' keys; None where there is none.
    """

    digest: str
    source: str

    def members(self, group: str) -> tuple[str, ...]:
        """Return whom the file puts into *group*, sorted; nobody for an external group and for an unknown one."""
        entry = self.approvers.get(group)
        return () if entry is None else entry.members

    def queue_limits(self, group: str) -> QueueLimits:
        """Return how much may wait: for *group*, and at all; an unknown group has the capacity by default."""
        entry = self.approvers.get(group)
        return QueueLimits(
            per_group=_QUEUE.per_group if entry is None else entry.capacity,
            per_principal=self.queue.per_principal,
            per_tenant=self.queue.per_tenant,
            ask_again_after_s=self.queue.ask_again_after_s,
        )

    @property
    def glass(self) -> BreakGlassTerms | None:
        """Return the terms of breaking the glass; None where nobody may."""
        entry = self.break_glass
        if entry is None:
            return None
        return BreakGlassTerms(
            holders=frozenset(entry.holders),
            tools=frozenset(entry.tools),
            per_person=entry.per_person,
            period_s=entry.period_s,
            execute_within_s=entry.execute_within_s,
            review_within_s=entry.review_within_s,
            reviewers=entry.reviewers,
        )

    @property
    def external_groups(self) -> tuple[str, ...]:
        """Return the groups whose members only a directory knows, sorted."""
        return tuple(sorted(name for name, group in self.approvers.items() if group.external))
