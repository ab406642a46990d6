"""``guarded-agents approvals list|show``: what waits, and exactly what will be sent."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from guarded_agents.approval import groups_asked, may_answer
from guarded_agents.cli import _shown
from guarded_agents.cli._closing import print_json
from guarded_agents.cli._listed import as_json as line_as_json
from guarded_agents.cli._listed import listing
from guarded_agents.cli._opened import directory_of, opened, require_intact, standing_request
from guarded_agents.cli._options import AsJson, Deployment, RequestId, options
from guarded_agents.cli._report import doubts, reviews
from guarded_agents.errors import ConfigurationError, DirectoryError
from guarded_agents.moments import utc
from guarded_agents.records import Answer, ApprovalRequest, Electorate, RequestStatus, SignedVote

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
        view = view_of(store, request_id, at)
    if as_json:
        print_json(_shown.as_json(view, now=now))
    else:
        typer.echo(_shown.as_text(view, now=now, is_full=full))


def view_of(store: "Store", request_id: str, at: Deployment) -> _shown.View:
    """Return the request and what an approver has to know beside it.

    Raises UnknownRequestError, ProofError where it is not as the guard wrote it, ConfigurationError and StoreError.
    """
    standing = standing_request(store, request_id)
    require_intact(standing, at)
    votes, earlier, proposed = store.votes(request_id), [request_id], standing
    while proposed.request.parent is not None:
        earlier.append(proposed.request.parent)
        proposed = standing_request(store, proposed.request.parent)
        require_intact(proposed, at)
    editor = (
        None if standing.request.parent is None else _editor(store.votes(standing.request.parent), standing.request)
    )
    return _shown.View(
        standing=standing,
        votes=votes,
        asked=_asked(standing.request, votes, editor, at) if standing.status is RequestStatus.PENDING else (),
        model=proposed.request.arguments if proposed is not standing else None,
        similar=[found for found in store.similar(standing) if found.id not in earlier],
    )


def _editor(votes: tuple[SignedVote, ...], request: ApprovalRequest) -> str | None:
    """Return who edited the call and so cannot approve it, None where the rule lets the editor approve."""
    editors = [signed.vote.approver for signed in votes if signed.vote.answer is Answer.EDIT]
    return editors[-1] if editors and not request.editor_may_approve else None


def _asked(
    request: ApprovalRequest, votes: tuple[SignedVote, ...], editor: str | None, at: Deployment
) -> tuple[_shown.Asked, ...]:
    """Return each group that may answer, now or once it is escalated, without those who may not or have."""
    found = []
    for group in groups_asked(request, now=request.decide_by):  # by then the backup has joined
        members = _members(group, at)
        electorate = Electorate(members or frozenset())
        left = [name for name in electorate.voters if may_answer(request, name, electorate=electorate, cast=votes)]
        found.append(
            _shown.Asked(
                group,
                members=None if members is None else tuple(sorted(left)),
                since=None if group == request.group else request.escalate_at,
                editor=editor,
            )
        )
    return tuple(found)


def _members(group: str, at: Deployment) -> frozenset[str] | None:
    """Return who is in *group* now, None where nothing here can tell: looking at a request takes no policy."""
    from guarded_agents.identity import PolicyDirectory
    from guarded_agents.policy import load_policy

    try:
        policy = load_policy(at.policy_file.read_bytes(), source=str(at.policy_file))
        outside = directory_of(at)
        if outside is None and group in policy.external_groups:
            return None
        return asyncio.run(PolicyDirectory(policy, outside or _Nobody()).members(group))
    except (ConfigurationError, DirectoryError, OSError):
        return None


class _Nobody:
    """Stands in where there is no directory: what it is asked, nobody is shown."""

    async def members(self, group: str) -> frozenset[str]:
        raise DirectoryError(f"group {group}", expected="a directory", got="none", action="name one with --directory")


__all__ = ["list_requests", "show", "view_of"]
