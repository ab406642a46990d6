"""One approval request, as an approver has to see it: what will be sent, why it was held, who asks, until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from guarded_agents.approval import doubt_id, status_at, why_asked
from guarded_agents.binding import parse
from guarded_agents.catalog import visible
from guarded_agents.cli._called import ERASED, Said, execution_as_json, resolved, said_as_json, status_of
from guarded_agents.cli._folded import difference
from guarded_agents.cli._people import Asked, CastVote, asked_as_json, asked_from
from guarded_agents.cli._precedents import Precedent, approved_by, by_whom
from guarded_agents.cli._precedents import as_json as precedent_as_json
from guarded_agents.cli._precedents import as_text as precedent_as_text
from guarded_agents.cli._report import AGREED
from guarded_agents.cli._text import clock, identifier, indented, pretty, unproven, wrapped
from guarded_agents.moments import duration, utc
from guarded_agents.records import Answer, BrokenGlass, ClaimStatus, Execution, RequestStatus, StandingRequest

_MAX_WAITING: Final = 5  # ids that are named of those that ask the same
_BELOW: Final = 8  # blanks before what stands below a line


@dataclass(frozen=True, slots=True)
class View:
    """A request, and what an approver has to know beside it. Only what its digest covers is verified."""

    standing: StandingRequest
    votes: Sequence[CastVote]
    edits: Sequence[CastVote] = ()  # the votes on the request that this one is an edit of
    asked: tuple[Asked, ...] = ()
    model: str | None = None  # the model's own arguments (canonical JSON), where a person edited them
    similar: Sequence[Precedent] = ()
    waiting: tuple[str, ...] = ()  # the ids of others that wait and ask the same
    counted: tuple[str, ...] | None = None  # whose votes count now; None where nobody here can tell
    execution: Execution | None = None
    said: tuple[Said, ...] = ()  # of its call, where that was in doubt
    glass: BrokenGlass | None = None
    review: Said | None = None
    is_verified: bool = True  # False where its arguments were erased, and so nothing of it can be


def as_json(view: View, *, now: datetime) -> dict[str, object]:
    """Return the request with its arguments parsed, where it stands at *now* (UTC), and its votes, oldest first."""
    standing, request = view.standing, view.standing.request
    return request.model_dump(mode="json") | {
        "verified": view.is_verified,
        "arguments": _parsed(request.arguments),
        "model_arguments": None if view.model is None else _parsed(view.model),
        "status": status_at(standing, now=now).value,
        "execute_by": None if standing.execute_by is None else utc(standing.execute_by),
        "settled_at": None if standing.settled_at is None else utc(standing.settled_at),
        "settled_by": standing.settled_by,
        "approved_by": approved_by(standing, (*view.votes, *view.edits)),
        "text": standing.text,
        "broke_glass": standing.broke_glass,
        "successor": standing.successor,
        "may_answer": [asked_as_json(asked) for asked in view.asked],
        "votes": [said_as_json(cast) for cast in view.votes],
        "counted": None if view.counted is None else list(view.counted),
        "outcome": None if view.execution is None else execution_as_json(view.execution, view.said, now=now),
        "review": _review_as_json(view),
        "similar": [precedent_as_json(found, question=request.question, now=now) for found in view.similar],
        "waiting": list(view.waiting),
    }


def _review_as_json(view: View) -> dict[str, object] | None:
    if view.glass is None:
        return None
    said = {} if view.review is None else said_as_json(view.review)
    return {
        "due": utc(view.glass.review_due),
        "finding": None if view.glass.finding is None else view.glass.finding.value,
        "reviewed_by": view.glass.reviewed_by,
        "reviewed_at": None if view.glass.reviewed_at is None else utc(view.glass.reviewed_at),
        "statement": said or None,
    }


def as_text(view: View, *, now: datetime, is_full: bool = False, columns: int | None = None) -> str:
    """Return the same for a person. Nothing in it is hidden; what is long is folded, unless *is_full*.

    It is broken between words to fit into *columns*; of the arguments every character is kept.
    """
    request = view.standing.request
    lines = [] if view.is_verified else [ERASED]
    head = [*_head(view, now), *_clocks(view.standing, now), *_end(view), *_outcome(view, now)]
    lines += wrapped(head, columns=columns)
    is_open = status_at(view.standing, now=now).is_open
    lines += [
        "",
        "will be sent, exactly:" if is_open else "the call:",
        indented(pretty(request.arguments, is_full=is_full), columns=columns),
    ]
    if view.model == "":
        lines += ["", "a person changed what the model proposed, and that was erased"]
    elif view.model is not None:
        changes = difference(_parsed(view.model), _parsed(request.arguments), is_full=is_full)
        lines += [
            "",
            "a person changed what the model proposed (-) to this (+):",
            indented("\n".join(changes), columns=columns),
        ]
    if not is_full and pretty(request.arguments, is_full=True) != pretty(request.arguments):
        lines += ["", "long values are folded; --full shows all of them"]
    if view.votes:
        lines += ["", "votes:", *(line for cast in view.votes for line in _vote(cast, columns))]
    if view.waiting:
        more = "" if len(view.waiting) <= _MAX_WAITING else ", ..."
        ids = ", ".join(map(visible, view.waiting[:_MAX_WAITING]))
        lines += [
            "",
            *wrapped([f"the same is asked by {len(view.waiting):,} more that wait: {ids}{more}"], columns=columns),
        ]
    if view.similar:
        told = (line for found in view.similar for line in precedent_as_text(found, question=request.question, now=now))
        lines += ["", "the last of this kind:", *wrapped(told, columns=columns, hanging=_BELOW)]
    return "\n".join(lines)


def _parsed(canonical: str) -> object:
    return parse(canonical.encode()) if canonical else None


def _head(view: View, now: datetime) -> Iterator[str]:
    standing, request = view.standing, view.standing.request
    who = request.requester
    acting = "" if who.acting_for is None else f", acting for {visible(who.acting_for)}"
    labels = f"{request.labels.integrity.value}, {request.labels.confidentiality.value}"
    status = status_at(standing, now=now)
    used = ": its approval was used" if status is RequestStatus.CONSUMED else ""
    yield f"request    {visible(request.id)}  ({status.value}{used}, {request.risk.value} risk)"
    yield f"tool       {visible(request.server)}/{visible(request.tool)}"
    yield f"asked by   {visible(who.id)}{acting}, tenant {visible(request.tenant)}"
    yield f"thread     {visible(request.thread)}, turn {request.turn}"
    hard = "; hard: no emergency overrides it" if request.hard else ""
    yield f"held by    {visible(request.approval_rule)}  (permitted by {visible(request.rule)}{hard})"
    yield f"labels     {labels}: of all that the thread had read by then"
    for line in why_asked(request):
        yield f"asked for  {visible(line)}"
    yield f"waits for  {request.quorum} of {visible(request.group)}"
    yield from (
        f"may answer {_names(asked)}  ({visible(asked.group)}{asked_from(asked, now=now)})" for asked in view.asked
    )
    if request.parent is not None:
        yield f"edit of    {visible(request.parent)}"


def _names(asked: Asked) -> str:
    if asked.members is None:
        return "the members, whom nothing here knows"
    names = (f"{visible(name)} (not approve)" if name == asked.editor else visible(name) for name in asked.members)
    return ", ".join(names) or "nobody"


def _clocks(standing: StandingRequest, now: datetime) -> Iterator[str]:
    request, status = standing.request, status_at(standing, now=now)
    if status is RequestStatus.PENDING:
        yield f"decide by  {clock(request.decide_by, now=now)}; nothing happens without an answer"
        yield f"send       within {duration(request.execute_within_s)} of the approval, or never"
    elif status is RequestStatus.APPROVED and standing.execute_by is not None:
        yield f"send by    {clock(standing.execute_by, now=now)}, or never"
    yield f"digest     {visible(request.digest)}"


def _end(view: View) -> Iterator[str]:
    """Yield what no digest covers; what of it a vote says, is proven by that vote."""
    standing, who = view.standing, view.standing.settled_by
    given = [cast for cast in (*view.votes, *view.edits) if cast.signed.vote.approver == who]
    if standing.settled_at is not None:
        broken = ", who broke the glass" if standing.broke_glass else ""
        label = "approved" if standing.status in AGREED else "settled"
        yield f"{label:10} {utc(standing.settled_at)} {by_whom(standing, (*view.votes, *view.edits))}{broken}"
    if standing.text:
        said = [cast for cast in given if cast.signed.vote.text == standing.text]
        yield f"text       {visible(standing.text)}{unproven(cast.is_proven for cast in said)}"
    if standing.successor is not None:
        yield f"led to     {identifier(standing.successor)}"


def _outcome(view: View, now: datetime) -> Iterator[str]:
    """Yield what came of the call, and of a broken glass, as the store has it; what people said is proven by itself."""
    if view.execution is not None and view.execution.claim.status is not ClaimStatus.CLOSED:
        status, call = status_of(view.execution, now=now), doubt_id(view.execution.claim.key)
        look = f": `approvals show {call}`, then `approvals resolve {call}`" if status is ClaimStatus.IN_DOUBT else ""
        yield f"outcome    {status.value.replace('_', ' ')}, since {utc(view.execution.changed_at)}, call {call}{look}"
        yield from resolved(view.said)
    if view.glass is not None and view.glass.finding is None:
        overdue = "OVERDUE since" if view.glass.is_overdue(now=now) else "due by"
        yield f"review     {overdue} {utc(view.glass.review_due)}"
    elif view.glass is not None and view.review is None:
        found = "" if view.glass.finding is None else view.glass.finding.value
        yield f"review     {found}, NOT VERIFIED: nobody's statement is there"
    if view.review is not None:
        yield from resolved((view.review,))


def _vote(cast: CastVote, columns: int | None) -> Iterator[str]:
    yield from wrapped(_said(cast), columns=columns, hanging=_BELOW)
    vote = cast.signed.vote
    if vote.answer is Answer.EDIT and vote.arguments is not None:
        yield indented(indented(pretty(vote.arguments)), columns=columns)


def _said(cast: CastVote) -> Iterator[str]:
    vote = cast.signed.vote
    to = "" if vote.delegate is None else f" to {visible(vote.delegate)}"
    answer, who = f"{vote.answer.value.replace('_', ' ')}{to}", visible(vote.approver)
    if cast.is_proven is False:
        yield f"    {utc(vote.at)}  NOT VERIFIED: {answer}, said to be by {who}; nothing that counts now proves it"
    else:
        yield f"    {utc(vote.at)}  {answer} by {who}{'' if cast.is_proven else ', not checked here'}"
    if vote.text:
        yield f"        {visible(vote.text)}"


__all__ = ["View", "as_json", "as_text"]
