"""``guarded-agents doctor``: what does not fit together, and what is to be done about it."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from guarded_agents.approval import doubt_id
from guarded_agents.catalog import visible
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._opened import voting_guard
from guarded_agents.cli._options import AsJson, Deployment, options
from guarded_agents.cli._report import MAX_LINES, claim_as_json, with_tools
from guarded_agents.cli._text import columns, one_line, print_json, wrapped
from guarded_agents.cli._vote import opened_graph
from guarded_agents.moments import utc
from guarded_agents.records import Claim

if TYPE_CHECKING:
    from guarded_agents import Guard
    from guarded_agents.assembly import AnyGraph
    from guarded_agents.operations import Ailment, Repaired
    from guarded_agents.stores import Store


class _Looked(NamedTuple):
    """What was found, what was done about it, what is left; and the calls that are being sent, with their tools."""

    found: "tuple[Ailment, ...]"
    repaired: "Repaired | None"
    left: "tuple[Ailment, ...]"
    sending: tuple[tuple[Claim, str | None], ...]


@options
def doctor(
    at: Deployment,
    *,
    graph: Annotated[
        str | None,
        typer.Option("--graph", metavar="MODULE:FACTORY", help="The graph, to compare its threads with the requests."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what needs no person: sweep, withdraw, wake. Takes --graph.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what does not fit together: threads and requests, calls in doubt, what is overdue, the log.

    It approves nothing. Exit status 0 where nothing is found (or left, with --repair), else 1. A call that is being
    sent is listed with until when a reply is waited for, and is nothing wrong. Do not repair while another process
    works on the same threads.
    """
    if repair and graph is None:
        raise typer.BadParameter("name the graph that the threads go on in", param_hint="--graph")
    looked = asyncio.run(_look(at, graph, is_repaired=repair))
    if as_json:
        print_json(
            {
                "found": [_json(ailment) for ailment in looked.found],
                "repaired": None if looked.repaired is None else asdict(looked.repaired),
                "left": [_json(ailment) for ailment in looked.left],
                "sending": [claim_as_json(claim, tool) for claim, tool in looked.sending],
            }
        )
    else:
        _print(looked)
    if looked.left:
        raise typer.Exit(FAILED)


async def _look(at: Deployment, graph: str | None, *, is_repaired: bool) -> _Looked:
    async with voting_guard(at) as guard:
        if graph is None:
            return await _examine(guard, None, is_repaired=False)
        async with opened_graph(graph, at) as agent:
            return await _examine(guard, agent, is_repaired=is_repaired)


async def _examine(guard: "Guard", agent: "AnyGraph | None", *, is_repaired: bool) -> _Looked:
    from guarded_agents.operations import diagnose, repair

    found = await diagnose(guard, agent, now=datetime.now(UTC))
    if agent is None or not is_repaired or not found:
        return _Looked(found, None, found, _sending(guard.store))
    repaired = await repair(guard, agent, found)
    return _Looked(found, repaired, await diagnose(guard, agent, now=datetime.now(UTC)), _sending(guard.store))


def _sending(store: "Store") -> tuple[tuple[Claim, str | None], ...]:
    """Return the calls under their senders' leases, with their tools: nothing is wrong, but a sender may have died."""
    from guarded_agents.stores import being_sent

    return with_tools(store, being_sent(store, now=datetime.now(UTC)))


def _json(ailment: "Ailment") -> dict[str, object]:
    return asdict(ailment) | {"kind": ailment.kind.value}


def _print(looked: _Looked) -> None:
    _print_ailments(looked.found, "found")
    if looked.repaired is not None:
        _print_repaired(looked.repaired)
        _print_ailments(looked.left, "left")
    for claim, tool in looked.sending[:MAX_LINES]:
        _print_about("being sent", doubt_id(claim.key), claim.key.thread)
        until = f"under its sender's lease until {utc(claim.lease_until)}"
        _say(f"    {visible(tool or 'a call')}, {until}; in doubt after that, unless a reply has come")
    if len(looked.sending) > MAX_LINES:
        typer.echo(f"and {len(looked.sending) - MAX_LINES} more that are being sent")


def _print_repaired(repaired: "Repaired") -> None:
    swept = repaired.swept
    typer.echo(
        f"\nrepaired: {len(swept.expired)} expired, {len(swept.lapsed)} lapsed, {len(repaired.withdrawn)} withdrawn,"
        f" {len(repaired.woken)} threads woken"
    )
    for thread, error in repaired.failed:
        _say(f"thread {visible(thread)} did not go on: {one_line(error)}")
    for thread in repaired.left:
        _say(f"thread {visible(thread)} was left alone: something else stands in it than was found")
    typer.echo("")


def _print_ailments(ailments: "Sequence[Ailment]", what: str) -> None:
    typer.echo(f"{len(ailments) or 'nothing'} {what}")
    for ailment in ailments:
        _print_about(ailment.kind.value, ailment.subject, ailment.thread)
        _say(f"    {one_line(ailment.what)}")
        _say(f"    {one_line(ailment.action)}")


def _print_about(what: str, subject: str, thread: str | None) -> None:
    of_thread = "" if thread is None else f"  (thread {visible(thread)})"
    _say(f"{what.replace('_', ' ').upper()}  {visible(subject)}{of_thread}")


def _say(text: str) -> None:
    for line in wrapped([text], columns=columns(), hanging=4):
        typer.echo(line)


__all__ = ["doctor"]
