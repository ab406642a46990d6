"""``guarded-agents approvals approve|edit|reject|respond|delegate|break-glass``: an approver's signed answer."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from guarded_agents.binding import canonical, parse
from guarded_agents.catalog import visible
from guarded_agents.cli._closing import close, summary, tell
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._listed import asking, differences
from guarded_agents.cli._looking import view_of
from guarded_agents.cli._opened import opened
from guarded_agents.cli._options import Approver, Deployment, Onward, RequestId, options
from guarded_agents.cli._prove import prover_of
from guarded_agents.cli._shown import View, as_text
from guarded_agents.cli._text import one_line, print_json
from guarded_agents.cli._vote import Reply, vote, vote_all
from guarded_agents.errors import BindingError
from guarded_agents.records import Answer

_Identical = Annotated[
    bool,
    typer.Option(
        "--identical", help="Every pending request that asks exactly the same as well: shown, signed one by one."
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", help="With --identical: do not ask at the terminal.")]


@options
def approve(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    then: Onward,
    *,
    identical: _Identical = False,
    yes: _Yes = False,
) -> None:
    """Approve the call exactly as `show` prints it. It is sent once, when enough people have approved."""
    reply = Reply(Answer.APPROVE, by.name, prover_of(by))
    _answer(request_id, reply, at, then, is_for_all=identical, is_asked=not yes)


@options
def edit(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    then: Onward,
    *,
    args: Annotated[
        str, typer.Option(metavar="JSON", help="The arguments to send instead, all of them; - reads stdin.")
    ],
) -> None:
    """Put other arguments in place of the model's: a new request, which the policy decides afresh.

    It inherits no vote: unless the rule lets the editor approve, somebody else has to.
    """
    arguments = _arguments(sys.stdin.read() if args == "-" else args)
    _answer(request_id, Reply(Answer.EDIT, by.name, prover_of(by), arguments=arguments), at, then)


@options
def reject(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    then: Onward,
    *,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, if you like; the model is told.")] = None,
    identical: _Identical = False,
    yes: _Yes = False,
) -> None:
    """Reject the call. It is never sent, and the model is told so. One rejection is enough."""
    reply = Reply(Answer.REJECT, by.name, prover_of(by), text=reason if reason and reason.strip() else None)
    _answer(request_id, reply, at, then, is_for_all=identical, is_asked=not yes)


@options
def respond(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    then: Onward,
    *,
    text: Annotated[str, typer.Option(metavar="TEXT", help="What the model is told in place of the tool's answer.")],
    identical: _Identical = False,
    yes: _Yes = False,
) -> None:
    """Answer in the tool's place. The call is never sent."""
    reply = Reply(Answer.RESPOND, by.name, prover_of(by), text=text)
    _answer(request_id, reply, at, then, is_for_all=identical, is_asked=not yes)


@options
def delegate(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    then: Onward,
    *,
    to: Annotated[str, typer.Option(metavar="NAME", help="Who answers in your place: somebody who may answer anyway.")],
) -> None:
    """Let another approver answer this request in your place. Both of you then count as one person."""
    _answer(request_id, Reply(Answer.DELEGATE, by.name, prover_of(by), delegate=to), at, then)


@options
def break_glass(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    then: Onward,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why nobody else can answer in time; it is recorded.")],
    second_key: Annotated[
        Path, typer.Option(metavar="FILE", help="Another key of yours, registered like the first.", show_default=False)
    ],
) -> None:
    """Approve alone, in an emergency. Somebody else reviews it later; until then the next one may be refused."""
    prover = prover_of(by, second_key=second_key)
    _answer(request_id, Reply(Answer.BREAK_GLASS, by.name, prover, text=reason), at, then)


def _answer(
    request_id: str,
    reply: Reply,
    at: Deployment,
    then: Onward,
    *,
    is_for_all: bool = False,
    is_asked: bool = True,
) -> None:
    if is_for_all:
        _answer_all(request_id, reply, at, then, is_asked=is_asked)
        return
    settled = asyncio.run(vote(at, request_id, reply, graph=then.graph))
    if settled is None:  # kept in a file, to be proven by an ID token
        return
    tell(settled, request_id, reply, at, is_woken=then.graph is not None)
    if then.graph is not None:
        close(at, settled, then)
    elif then.as_json:
        print_json(summary(settled))


def _answer_all(request_id: str, reply: Reply, at: Deployment, then: Onward, *, is_asked: bool) -> None:
    """Answer every request that is identical, and say of each what stands or why the vote does not count."""
    if reply.prover.key is None or reply.prover.save is not None:
        raise typer.BadParameter(
            "an ID token or a file is over one request; --identical takes a key", param_hint="--identical"
        )
    same = _identical(request_id, at)
    for number, view in enumerate(same, 1):
        typer.echo(f"{number} of {len(same)}\n{as_text(view, now=datetime.now(UTC))}\n", err=True)
    if is_asked and sys.stdin.isatty():
        typer.confirm(f"Sign a vote for each of these {len(same)}?", abort=True, err=True)
    ids = [view.standing.request.id for view in same]
    settled, failed = asyncio.run(vote_all(at, ids, reply, graph=then.graph))
    for one in settled:
        tell(one, one.standing.request.id, reply, at, is_woken=then.graph is not None)
    for error in failed:
        typer.echo(f"error: {one_line(str(error))}", err=True)
    if then.as_json:
        print_json([summary(one) for one in settled])
    if failed:
        raise typer.Exit(FAILED)


def _identical(request_id: str, at: Deployment) -> list[View]:
    """Return the request and those that are identical, each verified; say of the others that ask it what differs."""
    now, same = datetime.now(UTC), list[View]()
    with opened(at.store) as store:
        first = view_of(store, request_id, at, now=now)
        question = first.standing.request.question
        for found in (request_id, *(other for other in asking(store, question) if other != request_id)):
            view = view_of(store, found, at, now=now)
            others = differences(first.standing.request, view.standing.request)
            if others:
                typer.echo(f"{visible(found)} is left out: not the same {', '.join(others)}", err=True)
            else:
                same.append(view)
    return same


def _arguments(text: str) -> dict[str, object]:
    try:
        return dict(parse(canonical(json.loads(text, object_pairs_hook=_once))))
    except (ValueError, RecursionError):  # a number of 5,000 digits, 1,000 levels
        raise typer.BadParameter("it is no JSON", param_hint="--args") from None
    except BindingError as error:
        raise typer.BadParameter(f"expected {error.expected}, got {error.got}", param_hint="--args") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of *pairs*. Raises BadParameter for a name that stands twice: which value was meant?"""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise typer.BadParameter("one name stands in it twice", param_hint="--args")
    return found


__all__ = ["approve", "break_glass", "delegate", "edit", "reject", "respond"]
