"""What a command says at its end: what stands, what the agent said, and the tables of the thread."""

from datetime import UTC, datetime
from typing import Final

import typer

from guarded_agents.catalog import visible
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._graph import effects_of
from guarded_agents.cli._looking import view_of
from guarded_agents.cli._opened import opened
from guarded_agents.cli._options import Deployment, Onward
from guarded_agents.cli._report import Report, report
from guarded_agents.cli._text import indented, print_json, printable
from guarded_agents.cli._vote import Reply, Settled
from guarded_agents.records import Answer, ApprovalRequest, RequestStatus

_DONE: Final = {
    Answer.APPROVE: "approved",
    Answer.EDIT: "edited",
    Answer.REJECT: "rejected",
    Answer.RESPOND: "answered",
    Answer.DELEGATE: "delegated",
    Answer.BREAK_GLASS: "glass broken",
}


def tell(settled: Settled, request_id: str, reply: Reply, at: Deployment, *, is_woken: bool) -> None:
    """Say on stderr what was recorded, where the request now stands, and what is still to be done."""
    standing, request = settled.standing, settled.standing.request
    to = "" if reply.delegate is None else f" to {visible(reply.delegate)}"
    typer.echo(
        f"{visible(request_id)}: {_DONE[reply.answer]}{to} by {visible(reply.approver)}, the vote is recorded", err=True
    )
    if request.id != request_id:
        typer.echo(f"the edited call is request {visible(request.id)}", err=True)
    if standing.status is RequestStatus.PENDING:
        agreed = _agreed(request, at)
        typer.echo(f"{visible(request.id)} waits for {visible(request.group)}, with {agreed}", err=True)
        return
    typer.echo(f"{visible(request.id)} is {standing.status.value}", err=True)
    if not is_woken:
        typer.echo(
            f"a worker lets thread {visible(request.thread)} go on; without one:"
            f" guarded-agents approvals wake {visible(request.id)} --graph MODULE:FACTORY",
            err=True,
        )


def _agreed(request: ApprovalRequest, at: Deployment) -> str:
    """Return how many approvals of *request* count now."""
    now = datetime.now(UTC)
    with opened(at.store) as store:
        found = view_of(store, request.id, at, now=now).counted
    if found is None:
        return f"{request.quorum} to approve it; who may is not known here, nor which votes count"
    return f"{len(found)} of {request.quorum} approvals so far"


def summary(settled: Settled) -> dict[str, object]:
    """Return where the request now stands as JSON."""
    request = settled.standing.request
    return {"request": request.id, "status": settled.standing.status.value, "thread": request.thread}


def close(deployment: Deployment, settled: Settled, then: Onward) -> None:
    """Print the closing tables of the thread. Raises Exit (status 1) where the log does not verify."""
    told = None if then.effects is None else effects_of(then.effects, deployment.folder)
    found = report(deployment.store, settled.standing.request.thread, effects=told, now=datetime.now(UTC))
    print_closing(found, settled.said, as_json=then.as_json)
    for waits in found.waiting:
        typer.echo(f"the thread waits for {visible(waits)}", err=True)
    if not found.audit.verified:
        raise typer.Exit(FAILED)


def print_closing(found: Report, said: str | None, *, as_json: bool) -> None:
    """Print what the agent said last, and the closing tables; or all of them as JSON. Doubts go to stderr."""
    for doubt in found.doubts:
        typer.echo(f"IN DOUBT: {doubt}", err=True)
    if as_json:
        print_json(found.as_json())
        return
    from guarded_agents.cli._tables import print_report

    if said is not None:
        typer.echo(f"the agent says:\n{indented(printable(said))}\n")
    print_report(found)


__all__ = ["close", "print_closing", "summary", "tell"]
