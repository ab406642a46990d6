"""``guarded-agents doctor``: what does not fit together, and what is to be done about it."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from guarded_agents.catalog import visible
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._opened import voting_guard
from guarded_agents.cli._options import AsJson, Deployment, options
from guarded_agents.cli._text import one_line, print_json
from guarded_agents.cli._vote import opened_graph

if TYPE_CHECKING:
    from guarded_agents import Guard
    from guarded_agents.assembly import AnyGraph
    from guarded_agents.operations import Ailment, Repaired


class _Looked(NamedTuple):
    """What was found, what was done about it, and what is left."""

    found: "tuple[Ailment, ...]"
    repaired: "Repaired | None"
    left: "tuple[Ailment, ...]"


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

    It approves nothing. Exit status 0 where nothing is found (or left, with --repair), else 1. Do not repair while
    another process works on the same threads.
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
        return _Looked(found, None, found)
    repaired = await repair(guard, agent, found)
    return _Looked(found, repaired, await diagnose(guard, agent, now=datetime.now(UTC)))


def _json(ailment: "Ailment") -> dict[str, object]:
    return asdict(ailment) | {"kind": ailment.kind.value}


def _print(looked: _Looked) -> None:
    _print_ailments(looked.found, "found")
    repaired = looked.repaired
    if repaired is None:
        return
    swept = repaired.swept
    typer.echo(
        f"\nrepaired: {len(swept.expired)} expired, {len(swept.lapsed)} lapsed, {len(repaired.withdrawn)} withdrawn,"
        f" {len(repaired.woken)} threads woken"
    )
    for thread, error in repaired.failed:
        typer.echo(f"thread {visible(thread)} did not go on: {one_line(error)}")
    for thread in repaired.left:
        typer.echo(f"thread {visible(thread)} was left alone: something else stands in it than was found")
    typer.echo("")
    _print_ailments(looked.left, "left")


def _print_ailments(ailments: "Sequence[Ailment]", what: str) -> None:
    typer.echo(f"{len(ailments) or 'nothing'} {what}")
    for ailment in ailments:
        thread = "" if ailment.thread is None else f"  (thread {visible(ailment.thread)})"
        typer.echo(f"{ailment.kind.value.replace('_', ' ').upper()}  {visible(ailment.subject)}{thread}")
        typer.echo(f"    {one_line(ailment.what)}")
        typer.echo(f"    {one_line(ailment.action)}")


__all__ = ["doctor"]
