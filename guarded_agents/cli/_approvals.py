"""``guarded-agents approvals``: find what waits, see exactly what will be sent, answer it, wake the thread."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from guarded_agents.approval import allowed_signers_line, load_private_key
from guarded_agents.binding import canonical, parse
from guarded_agents.catalog import visible
from guarded_agents.cli import _shown
from guarded_agents.cli._graph import effects_of
from guarded_agents.cli._report import Report, doubts, report
from guarded_agents.cli._store import DEFAULT, AsJson, StoreOption, opened, require_intact, standing_request
from guarded_agents.cli._text import indented, printable
from guarded_agents.cli._vote import Ballot, Deployment, Settled, vote, wake
from guarded_agents.errors import BindingError
from guarded_agents.keys import new_approver_key
from guarded_agents.records import Answer, RequestStatus

app: Final = typer.Typer(
    name="approvals", help="Find what waits for an answer, look at it, answer it.", no_args_is_help=True
)

_FAILED_EXIT: Final = 1
_Id = Annotated[str, typer.Argument(metavar="ID", help="The request's id.", show_default=False)]
_Key = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="Your Ed25519 private key (OpenSSH).", show_default=False)
]
_As = Annotated[str, typer.Option("--as", metavar="NAME", help="Your name among the approvers.", show_default=False)]
_Policy = Annotated[Path | None, typer.Option(metavar="FILE", help="By default policy.yaml beside the store.")]
_Lock = Annotated[
    Path | None, typer.Option("--lockfile", metavar="FILE", help="By default tools.lock beside the store.")
]
_Root = Annotated[
    Path | None, typer.Option("--root-key", metavar="FILE", help="By default the store's name with .key added.")
]
_Graph = Annotated[
    str | None,
    typer.Option("--graph", metavar="MODULE:FACTORY", help="The graph that the thread goes on in; else it waits on."),
]
_Effects = Annotated[
    str | None,
    typer.Option("--effects", metavar="MODULE:FUNCTION", help="What tells of the effects, given the store's folder."),
]


@app.command(name="list")
def list_requests(
    store: StoreOption = DEFAULT,
    *,
    status: Annotated[RequestStatus, typer.Option(help="Which requests.")] = RequestStatus.PENDING,
    every: Annotated[bool, typer.Option("--all", help="Those of any status.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    root_key: _Root = None,
    as_json: AsJson = False,
) -> None:
    """List the requests that wait, the one to be answered first at the top (times are UTC)."""
    now = datetime.now(UTC)
    with opened(store) as found:
        listed = found.requests(status=None if every else status, limit=limit)
        for doubt in doubts(found, now=now):
            typer.echo(f"IN DOUBT: {doubt}", err=True)
        for standing in listed:
            require_intact(standing, store, root_key)
        if as_json:
            listing = [_shown.as_json(standing, found.votes(standing.request.id), now=now) for standing in listed]
            typer.echo(orjson.dumps(listing, option=orjson.OPT_INDENT_2))
            return
    if not listed:
        typer.echo(f"{store}: nothing is {'recorded' if every else status.value}")
        return
    from guarded_agents.cli._tables import print_requests

    print_requests(listed)


@app.command()
def show(request_id: _Id, store: StoreOption = DEFAULT, *, root_key: _Root = None, as_json: AsJson = False) -> None:
    """Show exactly what will be sent, why it was held, who asks, until when, and the votes so far."""
    now = datetime.now(UTC)
    with opened(store) as found:
        standing, votes = standing_request(found, request_id), found.votes(request_id)
    require_intact(standing, store, root_key)
    if as_json:
        typer.echo(orjson.dumps(_shown.as_json(standing, votes, now=now), option=orjson.OPT_INDENT_2))
    else:
        typer.echo(_shown.as_text(standing, votes, now=now))


@app.command()
def approve(  # noqa: PLR0913, PLR0917  the options of a command
    request_id: _Id,
    key: _Key,
    approver: _As,
    store: StoreOption = DEFAULT,
    policy: _Policy = None,
    lockfile: _Lock = None,
    root_key: _Root = None,
    graph: _Graph = None,
    effects: _Effects = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Approve the call exactly as `show` prints it."""
    _answer(
        Deployment(store, policy, lockfile, root_key),
        request_id,
        Ballot(Answer.APPROVE, approver, key),
        (graph, effects),
        as_json=as_json,
    )


@app.command()
def edit(  # noqa: PLR0913, PLR0917  the options of a command
    request_id: _Id,
    key: _Key,
    approver: _As,
    args: Annotated[
        str, typer.Option(metavar="JSON", help="The arguments to send instead, all of them; - reads stdin.")
    ],
    store: StoreOption = DEFAULT,
    policy: _Policy = None,
    lockfile: _Lock = None,
    root_key: _Root = None,
    graph: _Graph = None,
    effects: _Effects = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Put other arguments in place of the model's. The policy decides afresh, and they may need an approval again."""
    arguments = _arguments(sys.stdin.read() if args == "-" else args)
    _answer(
        Deployment(store, policy, lockfile, root_key),
        request_id,
        Ballot(Answer.EDIT, approver, key, arguments=arguments),
        (graph, effects),
        as_json=as_json,
    )


@app.command()
def reject(  # noqa: PLR0913, PLR0917  the options of a command
    request_id: _Id,
    key: _Key,
    approver: _As,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; the model is told.")] = None,
    store: StoreOption = DEFAULT,
    policy: _Policy = None,
    lockfile: _Lock = None,
    root_key: _Root = None,
    graph: _Graph = None,
    effects: _Effects = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Reject the call. It is never sent; the model is told so."""
    _answer(
        Deployment(store, policy, lockfile, root_key),
        request_id,
        Ballot(Answer.REJECT, approver, key, text=reason),
        (graph, effects),
        as_json=as_json,
    )


@app.command()
def respond(  # noqa: PLR0913, PLR0917  the options of a command
    request_id: _Id,
    key: _Key,
    approver: _As,
    text: Annotated[str, typer.Option(metavar="TEXT", help="What the model is told in place of the tool's answer.")],
    store: StoreOption = DEFAULT,
    policy: _Policy = None,
    lockfile: _Lock = None,
    root_key: _Root = None,
    graph: _Graph = None,
    effects: _Effects = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Answer in the tool's place. The call is never sent."""
    _answer(
        Deployment(store, policy, lockfile, root_key),
        request_id,
        Ballot(Answer.RESPOND, approver, key, text=text),
        (graph, effects),
        as_json=as_json,
    )


@app.command(name="wake")
def wake_command(  # noqa: PLR0917  the options of a command
    request_id: _Id,
    graph: Annotated[str, typer.Option("--graph", metavar="MODULE:FACTORY", help="The graph that it goes on in.")],
    store: StoreOption = DEFAULT,
    policy: _Policy = None,
    lockfile: _Lock = None,
    root_key: _Root = None,
    effects: _Effects = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Let the thread of a request go on that was answered without --graph, or whose process ended in between."""
    deployment = Deployment(store, policy, lockfile, root_key)
    settled = asyncio.run(wake(deployment, request_id, graph=graph))
    close(deployment, settled, effects, as_json=as_json)


def _answer(
    deployment: Deployment, request_id: str, ballot: Ballot, names: tuple[str | None, str | None], *, as_json: bool
) -> None:
    graph, effects = names
    settled = asyncio.run(vote(deployment, request_id, ballot, graph=graph))
    standing, request = settled.standing, settled.standing.request
    typer.echo(f"{request.id}: {standing.status.value} by {visible(ballot.approver)}, the vote is recorded", err=True)
    if graph is not None:
        close(deployment, settled, effects, as_json=as_json)
        return
    if as_json:
        found = {"request": request.id, "status": standing.status.value, "thread": request.thread}
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    if standing.status is RequestStatus.PENDING:
        typer.echo(f"it waits for {request.quorum} of {visible(request.group)}", err=True)
    else:
        typer.echo(
            f"thread {visible(request.thread)} still waits: wake it with `guarded-agents approvals wake {request.id}"
            " --graph MODULE:FACTORY`, or in the application with `await guard.wake(agent, thread)`",
            err=True,
        )


def close(deployment: Deployment, settled: Settled, effects: str | None, *, as_json: bool) -> None:
    """Print the closing tables of the thread. Raises Exit (status 1) where the log does not verify."""
    told = None if effects is None else effects_of(effects, deployment.folder)
    found = report(deployment.store, settled.standing.request.thread, effects=told, now=datetime.now(UTC))
    print_closing(found, settled.said, as_json=as_json)
    for waits in found.waiting:
        typer.echo(f"the thread waits for {waits}", err=True)
    if not found.audit.verified:
        raise typer.Exit(_FAILED_EXIT)


def print_closing(found: Report, said: str | None, *, as_json: bool) -> None:
    """Print what the agent said last, and the closing tables; or all of them as JSON. Doubts go to stderr."""
    for doubt in found.doubts:
        typer.echo(f"IN DOUBT: {doubt}", err=True)
    if as_json:
        typer.echo(orjson.dumps(found.as_json(), option=orjson.OPT_INDENT_2))
        return
    from guarded_agents.cli._tables import print_report

    if said is not None:
        typer.echo(f"the agent says:\n{indented(printable(said))}\n")
    print_report(found)


def _arguments(text: str) -> dict[str, object]:
    try:
        return dict(parse(canonical(orjson.loads(text))))
    except orjson.JSONDecodeError:
        raise typer.BadParameter("it is no JSON", param_hint="--args") from None
    except BindingError as error:
        raise typer.BadParameter(f"expected {error.expected}, got {error.got}", param_hint="--args") from None


__all__ = ["app", "close", "print_closing"]


@app.command()
def keygen(
    name: Annotated[str, typer.Argument(help="The approver's name, as the policy's groups spell it.")],
    *,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The private key to write (OpenSSH, mode 0600).")],
    signers: Annotated[
        Path, typer.Option(metavar="FILE", help="The allowed_signers file that the public key is added to.")
    ] = Path("allowed_signers"),
) -> None:
    """Make an Ed25519 key without a password and allow it. `ssh-keygen -t ed25519` makes one with a password."""
    known = signers.read_text(encoding="utf-8") if signers.exists() else ""
    new_approver_key(key)
    line = allowed_signers_line(name, load_private_key(key.read_bytes()).public_key()) + "\n"
    signers.write_text(known + ("" if not known or known.endswith("\n") else "\n") + line, encoding="utf-8")
    typer.echo(f"{key}: private key of {name}; {signers}: its public key was added")
