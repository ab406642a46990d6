"""What became of similar requests: who asked, to whom it went, who settled it and why, and whether it was sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from guarded_agents.approval import status_at
from guarded_agents.catalog import visible
from guarded_agents.cli._called import status_of
from guarded_agents.cli._opened import require_intact
from guarded_agents.cli._options import Deployment
from guarded_agents.cli._people import CastVote, cast_votes, says_why
from guarded_agents.cli._report import AGREED, approvers
from guarded_agents.cli._text import unproven
from guarded_agents.errors import ProofError, StoreError
from guarded_agents.moments import utc
from guarded_agents.records import ClaimStatus, RequestSummary, StandingRequest

if TYPE_CHECKING:
    from guarded_agents.stores import Store


@dataclass(frozen=True, slots=True)
class Precedent:
    """One other request of the same principal and tool that was settled. *standing* is None where it was changed."""

    summary: RequestSummary
    standing: StandingRequest | None
    votes: Sequence[CastVote] = ()
    edits: Sequence[CastVote] = ()  # the votes on the one that it is an edit of
    execution: ClaimStatus | None = None  # where it was sent, or may have been
    is_verified: bool = True  # False where its arguments were erased


def precedents(
    store: "Store", standing: StandingRequest, at: Deployment, *, without: frozenset[str], now: datetime
) -> tuple[Precedent, ...]:
    """Return what became of at most five others like *standing*, the newest first. Raises StoreError."""
    found = (summary for summary in store.similar(standing) if summary.id not in without)
    return tuple(_precedent(store, summary, at, now=now) for summary in found)


def _precedent(store: "Store", summary: RequestSummary, at: Deployment, *, now: datetime) -> Precedent:
    standing, is_verified, parent = None, False, None
    try:
        standing = store.request(summary.id)
        is_verified = standing is not None and require_intact(standing, at)
        if standing is not None and standing.request.parent is not None:
            parent = store.request(standing.request.parent)
    except (ProofError, StoreError):  # changed, or not to be read
        standing = None
    if standing is None:
        return Precedent(summary, None, is_verified=False)
    execution = store.execution(standing.request.key)
    votes = cast_votes(store.votes(summary.id), standing.request, at=at, now=now)
    return Precedent(
        summary,
        standing,
        votes,
        edits=() if parent is None else cast_votes(store.votes(parent.request.id), parent.request, at=at, now=now),
        execution=None if execution is None else status_of(execution, now=now),
        is_verified=is_verified,
    )


def as_json(precedent: Precedent, *, question: str, now: datetime) -> dict[str, object]:
    """Return the precedent as JSON; ``text`` is None where no proven vote says it."""
    summary, standing = precedent.summary, precedent.standing
    found: dict[str, object] = {
        "id": summary.id,
        "tool": summary.tool,
        "same_arguments": summary.question == question,
        "verified": precedent.is_verified,
    }
    if standing is None:
        return found
    who = standing.request.requester
    return found | {
        "status": status_at(standing, now=now).value,
        "asked_by": who.id,
        "acting_for": who.acting_for,
        "group": standing.request.group,
        "settled_at": None if standing.settled_at is None else utc(standing.settled_at),
        "settled_by": standing.settled_by,
        "settled_by_proven": _who(precedent),
        "approved_by": approved_by(standing, (*precedent.votes, *precedent.edits)),
        "text": standing.text if says_why(standing, precedent.votes) else None,
        "execution": None if precedent.execution is None else precedent.execution.value,
    }


def as_text(precedent: Precedent, *, question: str, now: datetime) -> Iterator[str]:
    """Yield what is said of it in some lines, each of which says who proves it where nobody does."""
    standing, number = precedent.standing, visible(precedent.summary.id)
    if standing is None:
        yield f"    {number}  NOT VERIFIED: it was changed in the store"
        return
    same = "the same arguments" if precedent.summary.question == question else "other arguments"
    status, request = status_at(standing, now=now), standing.request
    sent = "" if precedent.execution in (None, ClaimStatus.CLOSED) else f", {precedent.execution.value}"
    doubt = "" if precedent.is_verified else " (NOT VERIFIED: erased)"
    yield f"    {number}  {status.value}{sent.replace('_', ' ')}, {same}{doubt}"
    acting = "" if request.requester.acting_for is None else f", acting for {visible(request.requester.acting_for)}"
    settled = "not settled"
    if standing.settled_at is not None:
        settled = f"settled {utc(standing.settled_at)} {by_whom(standing, (*precedent.votes, *precedent.edits))}"
    yield f"        asked by {visible(request.requester.id)}{acting} of {visible(request.group)}, {settled}"
    if standing.text and says_why(standing, precedent.votes):
        yield f"        {visible(standing.text)}"


def _settlers(standing: StandingRequest, votes: Sequence[CastVote]) -> tuple[str, ...]:
    """Return who approved the request, else who settled it.

    A vote that is not its author's is left out, unless the others are too few to have approved it.
    """
    found = approvers(standing, [cast.signed for cast in votes if cast.is_proven is not False])
    return found if len(found) >= standing.request.quorum else approvers(standing, [cast.signed for cast in votes])


def approved_by(standing: StandingRequest, votes: Sequence[CastVote]) -> list[str]:
    """Return who approved the request, nobody where it was settled otherwise."""
    return list(_settlers(standing, votes)) if standing.status in AGREED else []


def by_whom(standing: StandingRequest, votes: Sequence[CastVote]) -> str:
    """Return who approved the request, else who settled it, in words, each with whether a vote of theirs is proven."""
    return (
        " and ".join(
            f"by {visible(name)}{unproven(cast.is_proven for cast in votes if cast.signed.vote.approver == name)}"
            for name in _settlers(standing, votes)
        )
        or "by nobody"
    )


def _who(precedent: Precedent) -> bool | None:
    """Return whether a vote of who is said to have settled it is proven, None where nothing here can tell."""
    standing = precedent.standing
    found = {
        cast.is_proven for cast in precedent.votes if standing and cast.signed.vote.approver == standing.settled_by
    }
    return True if True in found else None if None in found else False


__all__ = ["Precedent", "approved_by", "as_json", "as_text", "by_whom", "precedents"]
