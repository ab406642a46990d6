"""``guarded-agents approvals list|show``: what waits, and exactly what will be sent."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from guarded_agents.cli import _called, _shown
from guarded_agents.cli._listed import MAX_READ, Listing, asking, listing
from guarded_agents.cli._listed import as_json as line_as_json
from guarded_agents.cli._opened import opened, require_intact, standing_request
from guarded_agents.cli._options import AsJson, Deployment, RequestId, options
from guarded_agents.cli._people import CastVote, asked, cast_votes, counted, is_proven, reviewers
from guarded_agents.cli._precedents import precedents
from guarded_agents.cli._report import claim_as_json, doubtful, doubts, review_as_json, reviews
from guarded_agents.cli._text import columns, print_json, wrapped
from guarded_agents.moments import utc
from guarded_agents.records import Answer, ApprovalRequest, CallKey, RequestStatus, SignedReview

if TYPE_CHECKING:
    from guarded_agents.stores import Store


@options
def list_requests(
    at: Deployment,
    *,
    status: Annotated[RequestStatus, typer.Option(help="Which requests.")] = RequestStatus.PENDING,
    every: Annotated[bool, typer.Option("--all", help="Those of any status.")] = False,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Only those that this group answers.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many lines at most; with --json, how many requests.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the requests that wait: the highest risk first, then the one that ends soonest.

    Those that ask exactly the same in several threads are one line (x3), with the fewest and the most approvals that
    one of them has (0-1/2). A line is not verified, nor whether an approval counts: look at the request with `show`.
    Of those that are settled, `consumed` are those whose approval was used to send the call, which it can be once.
    With --json, `total` says how many there are, `truncated` whether some are left out, and `in_doubt` and
    `reviews_due` name all that somebody has to look at.
    """
    now = datetime.now(UTC)
    with opened(at.store) as store:
        found = listing(store, status=None if every else status, group=group)
        in_doubt, to_review = doubtful(store, now=now, limit=MAX_READ), store.broken_glass(limit=MAX_READ)
        told = [f"IN DOUBT: {line}" for line in doubts(store, now=now)]
        told += [f"TO REVIEW: {line}" for line in reviews(store, now=now)]
    for line in wrapped(told, columns=columns()):
        typer.echo(line, err=True)
    if as_json:
        print_json(
            {
                "requests": [line_as_json(request) for request in found.requests[:limit]],
                "total": len(found.requests),
                "truncated": limit < len(found.requests) or not found.is_whole,
                "in_doubt": [claim_as_json(claim, tool) for claim, tool in in_doubt],
                "reviews_due": [review_as_json(glass, now=now) for glass in to_review],
            }
        )
        return
    what = "recorded" if every else status.value
    if not found.requests:
        typer.echo(f"{at.store}: nothing is {what}")
        return
    _print_lines(found, what=what, limit=limit, with_status=every or status is not RequestStatus.PENDING, now=now)


def _print_lines(found: Listing, *, what: str, limit: int, with_status: bool, now: datetime) -> None:
    from guarded_agents.cli._tables import print_requests

    lines = found.lines[:limit]
    typer.echo(found.title(what=what, shown=len(lines)))
    print_requests(lines, with_status=with_status, now=now)
    below = [f"As of {utc(now)}. Lines are not verified: look at `approvals show ID`."]
    if any(line.fewest != line.most for line in lines):
        below.append("VOTES 0-1/2: of the requests that are one line, some have 0 approvals and some 1.")
    typer.echo("\n".join(wrapped(below, columns=columns())))


@options
def show(
    request_id: RequestId,
    at: Deployment,
    *,
    full: Annotated[bool, typer.Option("--full", help="Long values whole, not folded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show exactly what will be sent, why it was held, who asks, who may answer, until when, and the votes so far.

    Of a request that is settled it says what came of it; `consumed` is one whose approval was used. The id of a
    call, as `list` or its request prints it, shows that call and what is known of it.
    """
    now = datetime.now(UTC)
    if not at.policy_file.is_file():
        where = f"{at.policy_file.name} not found beside the store" if at.policy is None else f"{at.policy} not found"
        typer.echo(f"{where}: who may answer is not known here, and no vote is checked (--policy)", err=True)
    from guarded_agents.stores import key_named

    with opened(at.store) as store:
        if store.request(request_id) is None and (key := key_named(store, request_id, now=now)) is not None:
            _show_call(store, key, at, now=now, is_full=full, as_json=as_json)
            return
        view = view_of(store, request_id, at, now=now)
    if as_json:
        print_json(_shown.as_json(view, now=now))
    else:
        typer.echo(_shown.as_text(view, now=now, is_full=full, columns=columns()))


def _show_call(store: "Store", key: CallKey, at: Deployment, *, now: datetime, is_full: bool, as_json: bool) -> None:
    execution = store.execution(key)
    if execution is None:  # pragma: no cover - a row is never deleted
        return
    view = _called.call_of(store, execution, at, now=now)
    if as_json:
        print_json(_called.as_json(view, now=now))
        return
    typer.echo(_called.as_text(view, at, now=now, is_full=is_full, columns=columns()))


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
    execution, glass, review = store.execution(request.key), store.glass_of(request_id), store.review_of(request_id)
    return _shown.View(
        standing=standing,
        votes=votes,
        edits=edits,
        asked=asked(request, votes, editor=_editor(edits, request), at=at) if is_pending else (),
        model=model,
        similar=precedents(store, standing, at, without=frozenset(parent.id for parent in earlier), now=now),
        waiting=tuple(other for other in asking(store, request.question) if other != request_id),
        counted=counted(request, (*votes, *edits), at=at, now=now) if is_pending else None,
        execution=execution,
        said=() if execution is None else _called.said_of(execution, request, at, now=now),
        glass=glass,
        review=None if review is None else _checked(review, request, at, now=now),
        is_verified=is_verified,
    )


def _checked(review: SignedReview, request: ApprovalRequest, at: Deployment, *, now: datetime) -> _called.Said:
    """Return the review, and whether it is proven and about this request."""
    said = review.review
    is_about = (said.request, said.digest) == (request.id, request.digest)
    return _called.Said(review, is_about and is_proven(review, groups=reviewers(at), at=at, now=now))


def _before(store: "Store", request: ApprovalRequest, at: Deployment) -> tuple[tuple[ApprovalRequest, ...], str | None]:
    """Return the requests that edits led from to *request*, the last first, and the model's own arguments.

    One whose arguments were erased ends the way back, for what it names as the one before it proves nothing.
    """
    from guarded_agents.stores import originals

    earlier: list[ApprovalRequest] = []
    for edited in originals(store, request.id):
        if edited.request.parent is None:
            break
        standing = standing_request(store, edited.request.parent)  # it is there, and no other one in its place
        earlier.append(standing.request)
        if not require_intact(standing, at):
            break
    return tuple(earlier), earlier[-1].arguments if earlier else None


def _editor(edits: Sequence[CastVote], request: ApprovalRequest) -> str | None:
    """Return who edited the call and so cannot approve it, None where the rule lets the editor approve."""
    editors = [cast.signed.vote.approver for cast in edits if cast.signed.vote.answer is Answer.EDIT]
    return editors[-1] if editors and not request.editor_may_approve else None


__all__ = ["list_requests", "show", "view_of"]
