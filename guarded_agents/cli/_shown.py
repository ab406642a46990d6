"""One approval request, as an approver has to see it: what will be sent, why it was held, who asks, until when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from guarded_agents.approval import status_at
from guarded_agents.binding import parse
from guarded_agents.catalog import visible
from guarded_agents.cli._folded import difference
from guarded_agents.cli._listed import as_json as summary_as_json
from guarded_agents.cli._text import clock, duration, indented, pretty
from guarded_agents.moments import utc
from guarded_agents.records import Answer, RequestStatus, RequestSummary, SignedVote, StandingRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A group that may answer, with its members now; None where nobody could be asked who they are."""

    group: str
    members: tuple[str, ...] | None
    since: datetime | None = None  # UTC; a backup's
    editor: str | None = None  # who edited the call and so cannot approve it


@dataclass(frozen=True, slots=True)
class View:
    """A request that was verified, and what an approver has to know beside it."""

    standing: StandingRequest
    votes: Sequence[SignedVote]
    asked: tuple[Asked, ...] = ()
    model: str | None = None  # the model's own arguments (canonical JSON), where a person edited them
    similar: Sequence[RequestSummary] = ()


def as_json(view: View, *, now: datetime) -> dict[str, object]:
    """Return the request with its arguments parsed, where it stands at *now* (UTC), and its votes, oldest first."""
    standing, request = view.standing, view.standing.request
    return request.model_dump(mode="json") | {
        "arguments": _parsed(request.arguments),
        "model_arguments": None if view.model is None else _parsed(view.model),
        "status": status_at(standing, now=now).value,
        "execute_by": None if standing.execute_by is None else utc(standing.execute_by),
        "settled_at": None if standing.settled_at is None else utc(standing.settled_at),
        "settled_by": standing.settled_by,
        "text": standing.text,
        "broke_glass": standing.broke_glass,
        "successor": standing.successor,
        "may_answer": [
            {
                "group": asked.group,
                "members": None if asked.members is None else list(asked.members),
                "since": None if asked.since is None else utc(asked.since),
            }
            for asked in view.asked
        ],
        "votes": [signed.model_dump(mode="json") for signed in view.votes],
        "similar": [summary_as_json(summary) for summary in view.similar],
    }


def as_text(view: View, *, now: datetime, is_full: bool = False) -> str:
    """Return the same for a person. Nothing in it is hidden; what is long is folded, unless *is_full*."""
    request = view.standing.request
    lines = [*_head(view, now), *_clocks(view.standing, now), *_end(view.standing)]
    is_open = status_at(view.standing, now=now).is_open
    lines += [
        "",
        "will be sent, exactly:" if is_open else "the call:",
        indented(pretty(request.arguments, is_full=is_full)),
    ]
    if view.model is not None:
        changes = difference(_parsed(view.model), _parsed(request.arguments), is_full=is_full)
        lines += ["", "a person changed what the model proposed (-) to this (+):", indented("\n".join(changes))]
    if not is_full and pretty(request.arguments, is_full=True) != pretty(request.arguments):
        lines += ["", "long values are folded; --full shows all of them"]
    if view.votes:
        lines += ["", "votes:", *(line for signed in view.votes for line in _vote(signed))]
    if view.similar:
        lines += ["", "the last of this kind:", *(_similar(view, summary) for summary in view.similar)]
    return "\n".join(lines)


def _parsed(canonical: str) -> object:
    return parse(canonical.encode()) if canonical else None


def _head(view: View, now: datetime) -> Iterator[str]:
    standing, request = view.standing, view.standing.request
    who = request.requester
    acting = "" if who.acting_for is None else f", acting for {visible(who.acting_for)}"
    labels = f"{request.labels.integrity.value}, {request.labels.confidentiality.value}"
    yield f"request    {request.id}  ({status_at(standing, now=now).value}, {request.risk.value} risk)"
    yield f"tool       {visible(request.server)}/{visible(request.tool)}"
    yield f"asked by   {visible(who.id)}{acting}, tenant {visible(request.tenant)}"
    yield f"thread     {visible(request.thread)}, turn {request.turn}"
    hard = "; hard: no emergency overrides it" if request.hard else ""
    yield f"held by    {visible(request.approval_rule)}  (permitted by {visible(request.rule)}{hard})"
    yield f"labels     {labels}: of all that the thread had read by then"
    yield f"waits for  {request.quorum} of {visible(request.group)}"
    yield from (f"may answer {_names(asked)}  ({visible(asked.group)}{_since(asked, now)})" for asked in view.asked)
    if request.parent is not None:
        yield f"edit of    {request.parent}"


def _names(asked: Asked) -> str:
    if asked.members is None:
        return "the members, whom nothing here knows"
    names = (f"{visible(name)} (not approve)" if name == asked.editor else visible(name) for name in asked.members)
    return ", ".join(names) or "nobody"


def _since(asked: Asked, now: datetime) -> str:
    if asked.since is None:
        return ""
    return f", {'since' if asked.since <= now else 'from'} {clock(asked.since, now=now)}"


def _clocks(standing: StandingRequest, now: datetime) -> Iterator[str]:
    request, status = standing.request, status_at(standing, now=now)
    if status is RequestStatus.PENDING:
        yield f"decide by  {clock(request.decide_by, now=now)}; nothing happens without an answer"
        yield f"send       within {duration(request.execute_within_s)} of the approval, or never"
    elif status is RequestStatus.APPROVED and standing.execute_by is not None:
        yield f"send by    {clock(standing.execute_by, now=now)}, or never"
    yield f"digest     {request.digest}"


def _end(standing: StandingRequest) -> Iterator[str]:
    if standing.settled_at is not None:
        broken = ", who broke the glass" if standing.broke_glass else ""
        yield f"settled    {utc(standing.settled_at)} by {visible(standing.settled_by or 'nobody')}{broken}"
    if standing.text:
        yield f"text       {visible(standing.text)}"
    if standing.successor is not None:
        yield f"led to     {standing.successor}"


def _vote(signed: SignedVote) -> Iterator[str]:
    vote = signed.vote
    to = "" if vote.delegate is None else f" to {visible(vote.delegate)}"
    yield f"    {utc(vote.at)}  {vote.answer.value.replace('_', ' ')}{to} by {visible(vote.approver)}"
    if vote.text:
        yield f"        {visible(vote.text)}"
    if vote.answer is Answer.EDIT and vote.arguments is not None:
        yield indented(indented(pretty(vote.arguments)))


def _similar(view: View, summary: RequestSummary) -> str:
    same = "the same arguments" if summary.question == view.standing.request.question else "other arguments"
    ended = "executed or tried" if summary.status is RequestStatus.CONSUMED else summary.status.value
    return f"    {summary.id}  {ended}, {same}, asked until {utc(summary.decide_by)}"


__all__ = ["Asked", "View", "as_json", "as_text"]
