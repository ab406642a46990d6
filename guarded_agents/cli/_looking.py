"""``guarded-agents approvals list|show``: what waits, and exactly what will be sent."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from guarded_agents.cli import _shown
from guarded_agents.cli._listed import as_json as line_as_json
from guarded_agents.cli._listed import listing
from guarded_agents.cli._opened import opened, require_intact, standing_request
from guarded_agents.cli._options import AsJson, Deployment, RequestId, options
from guarded_agents.cli._people import CastVote, asked, cast_votes
from guarded_agents.cli._report import doubts, reviews
from guarded_agents.cli._text import print_json
from guarded_agents.moments import utc
from guarded_agents.records import Answer, ApprovalRequest, RequestStatus

if TYPE_CHECKING:
    from guarded_agents.stores import Store


@options
def list_requests(
    at: Deployment,
    *,
    status: Annotated[RequestStatus, typer.Option(help="Which requests.")] = RequestStatus.PENDING,
    every: Annotated[bool, typer.Option("--all", help="Those of any status.")] = False,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Only those that this group answers.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many lines at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the requests that wait: the highest risk first, then the one that ends soonest.

    Those that ask exactly the same in several threads are one line (x3). A line is not verified: look at the
    request with `show`, which is, before you answer.
    """
    now = datetime.now(UTC)
    with opened(at.store) as store:
        found = listing(store, status=None if every else status, group=group)
        in_doubt, to_review = doubts(store, now=now), reviews(store, now=now)
    for line in (*(f"IN DOUBT: {line}" for line in in_doubt), *(f"TO REVIEW: {line}" for line in to_review)):
        typer.echo(line, err=True)
    if as_json:
        print_json([line_as_json(request) for request in found.requests[:limit]])
        return
    what = "recorded" if every else status.value
    if not found.requests:
        typer.echo(f"{at.store}: nothing is {what}")
        return
    from guarded_agents.cli._tables import print_requests

    lines = found.lines[:limit]
    typer.echo(found.title(what=what, shown=len(lines)))
    print_requests(lines, with_status=every or status is not RequestStatus.PENDING, now=now)
    typer.echo(f"As of {utc(now)}. Lines are not verified: look at `approvals show ID`.")


@options
def show(
    request_id: RequestId,
    at: Deployment,
    *,
    full: Annotated[bool, typer.Option("--full", help="Long values whole, not folded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show exactly what will be sent, why it was held, who asks, who may answer, until when, and the votes so far."""
    now = datetime.now(UTC)
    with opened(at.store) as store:
        view = view_of(store, request_id, at, now=now)
    if as_json:
        print_json(_shown.as_json(view, now=now))
    else:
        typer.echo(_shown.as_text(view, now=now, is_full=full))


def view_of(store: "Store", request_id: str, at: Deployment, *, now: datetime) -> _shown.View:
    """Return the request at *now* (UTC) and what an approver has to know beside it.

    Raises UnknownRequestError, ProofError where it is not as the guard wrote it, ConfigurationError and StoreError.
    """
    standing = standing_request(store, request_id)
    is_verified, request = require_intact(standing, at), standing.request
    earlier, model = _before(store, request, at) if is_verified else ((), None)
    votes = cast_votes(store.votes(request_id), request, at=at, now=now)
    edits: tuple[CastVote, ...] = ()
    if earlier:
        edits = cast_votes(store.votes(earlier[0].id), earlier[0], at=at, now=now)
    is_pending = standing.status is RequestStatus.PENDING
    known = {request_id, *(parent.id for parent in earlier)}
    return _shown.View(
        standing=standing,
        votes=votes,
        edits=edits,
        asked=asked(request, votes, editor=_editor(edits, request), at=at) if is_pending else (),
        model=model,
        similar=[found for found in store.similar(standing) if found.id not in known],
        is_verified=is_verified,
    )


def _before(store: "Store", request: ApprovalRequest, at: Deployment) -> tuple[tuple[ApprovalRequest, ...], str | None]:
    """Return the requests that edits led from to *request*, the last first, and the model's own arguments.

    One whose arguments were erased ends the way back, for what it names as the one before it proves nothing.
    """
    earlier: list[ApprovalRequest] = []
    parent, is_verified = request.parent, True
    while parent is not None and is_verified:
        standing = standing_request(store, parent)
        is_verified = require_intact(standing, at)
        earlier.append(standing.request)
        parent = standing.request.parent
    return tuple(earlier), earlier[-1].arguments if earlier else None


def _editor(edits: Sequence[CastVote], request: ApprovalRequest) -> str | None:
    """Return who edited the call and so cannot approve it, None where the rule lets the editor approve."""
    editors = [cast.signed.vote.approver for cast in edits if cast.signed.vote.answer is Answer.EDIT]
    return editors[-1] if editors and not request.editor_may_approve else None


__all__ = ["list_requests", "show", "view_of"]
