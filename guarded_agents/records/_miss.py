"""What a call has no authority for, what it spends of what its user asked for, and what people agreed to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from guarded_agents.records._base import Record


class Lack(StrEnum):
    """What a call has no authority for."""

    TARGET = "target"
    AMOUNT = "amount"
    SELECTOR = "selector"
    CONTENT = "content"
    TOGETHER = "together"  # each value was endorsed, but never in one call
    VERB = "verb"
    SPENT = "spent"
    READERS = "readers"
    PLAN = "plan"
    SUSPICION = "suspicion"


_LICENSED_BY: Final[Mapping[Lack, str]] = {
    Lack.TARGET: "the user writes this value or names the record that holds it, or an approver agrees to it",
    Lack.AMOUNT: "the user writes this number or names the record that holds it, or an approver agrees to it",
    Lack.SELECTOR: "the user writes this value or names the record that holds it, or an approver agrees to it",
    Lack.CONTENT: "it says nothing that its content rule does not let through, or an approver agrees to it",
    Lack.TOGETHER: "an approver agrees to these values in one call",
    Lack.VERB: "the user asks for this effect in words that the policy lists",
    Lack.SPENT: "the user asks for it again, or an approver agrees to this call",
    Lack.READERS: "an approver agrees to this call, or the policy says that its target may read this",
    Lack.SUSPICION: "nothing that was read is found to instruct the model, or an approver agrees to this call",
    Lack.PLAN: "a person extends the plan by this tool",
}


class Origin(Record):
    """Where a value was found in what the thread has read. *field* is a JSON pointer (RFC 6901) into the answer."""

    message: str
    server: str
    tool: str
    field: str


class Miss(Record):
    """One thing that a call has no authority for. It holds no value: *at* points into the argument (RFC 6901).

    *argument* is empty where the call as a whole lacks something, *origin* None where the value was nowhere found:
    the model made it up, or read it where nothing was recorded.
    """

    lack: Lack
    argument: str = ""
    at: str = ""
    origin: Origin | None = None

    @property
    def licensed_by(self) -> str:
        """Return what would license it, for people."""
        return _LICENSED_BY[self.lack]


class Licence(NamedTuple):
    """One use of what the user asked for: one effect on these targets. *entries* are the ids of the texts it draws on.

    *targets* are keyed digests of the target and selector values (hex), sorted by argument and within it.
    """

    tool: str
    entries: tuple[str, ...]
    targets: tuple[tuple[str, tuple[str, ...]], ...]

    def spends(self, other: "Licence") -> bool:
        """Return whether one use cannot follow the other on one asking of the user's.

        So it is where both are of the same tool and draw on a common text, and the values of one are all among the
        other's or each argument that both have shares a value: one more recipient, or one less, makes no new effect.
        """
        if self.tool != other.tool or set(self.entries).isdisjoint(other.entries):
            return False
        mine, theirs = dict(self.targets), dict(other.targets)
        ours = {digest for digests in mine.values() for digest in digests}
        others = {digest for digests in theirs.values() for digest in digests}
        shared = mine.keys() & theirs.keys()
        if ours <= others or others <= ours:
            return True
        return bool(shared) and all(not set(mine[name]).isdisjoint(theirs[name]) for name in shared)


class Endorsement(NamedTuple):
    """One value that an approver agreed to, in the call of request *approval*. *digest* is keyed (hex)."""

    tool: str
    argument: str
    digest: str
    approval: str
