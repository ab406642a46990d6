"""What a store is handed to record, and what its transactions answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import JsonValue

from guarded_agents.records import (
    ApprovalRequest,
    BreakGlassTerms,
    Claim,
    Electorate,
    Endorsement,
    Labels,
    Licence,
    Reason,
    SignedVote,
    StandingRequest,
    ThreadFacts,
)


class Waiting(NamedTuple):
    """What waits for people."""

    requests: int
    since: datetime | None  # UTC; when people were first asked of one that still waits, None where none was


class AuditNote(NamedTuple):
    """What a transaction adds to the audit log, in itself: a kind and closed JSON fields without floats."""

    kind: str
    fields: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Proven:
    """A request as it was verified, and who was proven to have said what of it. The claim counts over nothing else."""

    request: ApprovalRequest
    votes: tuple[SignedVote, ...]  # all that stand in the store, on it and then on the one that it is an edit of
    said: tuple[SignedVote, ...]  # those of them whose proof stands
    electorate: Electorate  # who counts now
    glass: BreakGlassTerms | None = None  # the guard's own, by which a broken glass is judged again


@dataclass(frozen=True, slots=True)
class ClosedCall:
    """A proposal of an entry that has a claim row, and where that stands: closed, being sent or settled."""

    call_id: str
    tool: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class EntryOpened:
    """The thread after its newest user input was recorded."""

    facts: ThreadFacts
    fresh: bool  # False where this entry was recorded before: a resume or a replay


@dataclass(frozen=True, slots=True)
class Use:
    """What a call draws on of what its user asked for, and which of its values were agreed to in its request.

    With ``is_checked`` the call runs unattended, so that nothing else may have spent what it draws on.
    """

    licence: Licence | None = None
    is_checked: bool = False
    endorsed: tuple[Endorsement, ...] = ()
    labels: Labels = field(default_factory=Labels)


NO_USE: Final = Use()


@dataclass(frozen=True, slots=True)
class Admission:
    """The permit was consumed and the intent is on disk: the caller is the owner and may send, once."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Told:
    """The call was not admitted; this is what stands in the store instead.

    ``claim`` is set where a claim row exists (also one that this transaction closed); it is None
    where nothing was closed: the call is not a recorded proposal (``reason`` NOT_PROPOSED), or its
    request is still pending (``waiting`` is then True and nothing may be told as refused), or nobody
    is asked (``reason`` COALESCED, ALREADY_REJECTED or QUEUE_FULL, each at the earliest again at ``retry_at``).
    """

    reason: Reason
    claim: Claim | None = None
    waiting: bool = False
    standing: StandingRequest | None = None
    retry_at: datetime | None = None  # UTC


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as the model was shown it: the digest of the whole of it (hex), and its labels.

    Of a tool's answer also the id of the message, the tool ("server/tool") and what it answered, in the side store.
    """

    digest: str
    labels: Labels
    message: str = ""
    tool: str = ""
    value: JsonValue = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """What screening took out of the text called *name*: a tool message, or an entry."""

    name: str
    values: Mapping[str, str] = field(repr=False)  # by token
    original: bytes | None = field(default=None, repr=False)  # JSON of a withheld answer
    is_suspect: bool = False


@dataclass(slots=True)
class Trail:
    """What is on record of a thread, up to *number*; what was erased is left out.

    *texts* are the user's, by entry; *uses* what was spent, by call; *plan* is None where none was pinned;
    *extensions* are the tools by which people extended it, each with the nonce of their statement; *suspects* are the
    messages that were found to ask for a person.
    """

    number: int = 0
    texts: dict[str, str] = field(default_factory=dict, repr=False)
    seen: list[SeenMessage] = field(default_factory=list)
    endorsed: list[Endorsement] = field(default_factory=list)
    uses: dict[str, Licence] = field(default_factory=dict)
    plan: tuple[str, ...] | None = None
    extensions: list[tuple[str, str]] = field(default_factory=list)
    suspects: set[str] = field(default_factory=set)


class Wake(NamedTuple):
    """A thread that a worker has leased. *is_told*: its calls are closed or settled, and perhaps it knows of that."""

    thread: str
    is_told: bool = False


class Delayed(NamedTuple):
    """A thread that no worker takes before *until* (UTC): one has leased it, or else it is to be tried again then."""

    thread: str
    until: datetime
    is_leased: bool


class StuckNotice(NamedTuple):
    """A notice of the outbox that does not arrive: *problem* is why its last attempt failed.

    One for which *is_readable* is False was written by somebody else, and is never delivered.
    """

    id: str
    request: str
    to: str
    attempt: int
    problem: str
    is_readable: bool


class UnreadableRow(NamedTuple):
    """A row that makes no record, of a *kind*, request or call: somebody else has written it. Nothing comes of it.

    *name* is what people call it by, as far as that and *thread* can be read.
    """

    kind: str
    name: str
    thread: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What time has done since the last sweep: ids of requests, and how many claims went in doubt."""

    expired: tuple[str, ...] = ()
    lapsed: tuple[str, ...] = ()
    escalated: tuple[str, ...] = ()
    in_doubt: int = 0
    overdue: tuple[str, ...] = ()  # requests whose glass was broken and whose review is overdue
