"""One approval request, as an approver has to see it: what will be sent, why it was held, who asks, until when."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from guarded_agents.approval import status_at
from guarded_agents.binding import parse
from guarded_agents.catalog import visible
from guarded_agents.cli._text import indented, pretty, utc
from guarded_agents.records import Answer, SignedVote, StandingRequest


def as_json(standing: StandingRequest, votes: Sequence[SignedVote], *, now: datetime) -> dict[str, object]:
    """Return the request with its arguments parsed, where it stands at *now* (UTC), and its votes, oldest first."""
    request = standing.request
    return request.model_dump(mode="json") | {
        "arguments": parse(request.arguments.encode()) if request.arguments else None,
        "status": status_at(standing, now=now).value,
        "execute_by": None if standing.execute_by is None else utc(standing.execute_by),
        "settled_at": None if standing.settled_at is None else utc(standing.settled_at),
        "settled_by": standing.settled_by,
        "text": standing.text,
        "successor": standing.successor,
        "votes": [signed.model_dump(mode="json") for signed in votes],
    }


def as_text(standing: StandingRequest, votes: Sequence[SignedVote], *, now: datetime) -> str:
    """Return the same for a person. Nothing in it is hidden or cut."""
    lines = [*_head(standing, now), "", "will be sent, exactly:", indented(pretty(standing.request.arguments))]
    if votes:
        lines += ["", "votes:", *(line for signed in votes for line in _vote(signed))]
    return "\n".join(lines)


def _head(standing: StandingRequest, now: datetime) -> Iterator[str]:
    request = standing.request
    who = request.requester
    acting = "" if who.acting_for is None else f", acting for {visible(who.acting_for)}"
    labels = f"{request.labels.integrity.value}, {request.labels.confidentiality.value}"
    yield f"request    {request.id}  ({status_at(standing, now=now).value})"
    yield f"tool       {visible(request.server)}/{visible(request.tool)}"
    yield f"asked by   {visible(who.id)}{acting}, tenant {visible(request.tenant)}"
    yield f"thread     {visible(request.thread)}, turn {request.turn}"
    yield f"held by    {visible(request.approval_rule)}  (permitted by {visible(request.rule)})"
    yield f"labels     {labels}: of all that the thread had read by then"
    yield f"waits for  {request.quorum} of {visible(request.group)}: {', '.join(map(visible, request.members))}"
    yield f"until      {utc(request.decide_by)}, then to be sent within {request.execute_within_s} s of the approval"
    yield f"digest     {request.digest}"
    if request.parent is not None:
        yield f"edit of    {request.parent}"
    if standing.settled_at is not None:
        yield f"settled    {utc(standing.settled_at)} by {visible(standing.settled_by or 'nobody')}"
    if standing.text:
        yield f"text       {visible(standing.text)}"
    if standing.successor is not None:
        yield f"led to     {standing.successor}"


def _vote(signed: SignedVote) -> Iterator[str]:
    vote = signed.vote
    yield f"    {utc(vote.at)}  {vote.answer.value} by {visible(vote.approver)}"
    if vote.text:
        yield f"        {visible(vote.text)}"
    if vote.answer is Answer.EDIT and vote.arguments is not None:
        yield indented(indented(pretty(vote.arguments)))


__all__ = ["as_json", "as_text"]
