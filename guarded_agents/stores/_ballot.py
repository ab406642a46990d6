"""One vote as it comes in, and the votes that were cast before it."""

from dataclasses import dataclass
from datetime import datetime

from guarded_agents.records import ApprovalRequest, BreakGlassTerms, Electorate, SignedVote, TraceContext
from guarded_agents.stores._reads import votes
from guarded_agents.stores._results import AuditNote
from guarded_agents.stores._tx import Tx


@dataclass(frozen=True, slots=True)
class Ballot:
    """One verified vote, and what the facade knew when it came in."""

    signed: SignedVote
    electorate: Electorate
    edited: ApprovalRequest | None
    glass: BreakGlassTerms | None
    credentials: tuple[str, ...]  # the ids of what proved it
    note: AuditNote
    now: datetime  # UTC
    trace: TraceContext | None = None  # of the span in which it is cast


def votes_on(tx: Tx, request: ApprovalRequest) -> tuple[SignedVote, ...]:
    """Return the votes on *request* and on the one whose edit led to it."""
    return votes(tx.db, request.id) + (() if request.parent is None else votes(tx.db, request.parent))
