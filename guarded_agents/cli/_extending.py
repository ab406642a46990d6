"""``guarded-agents approvals extend-plan``: a person adds a tool to what a thread may use."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from guarded_agents.catalog import visible
from guarded_agents.cli._opened import voting_guard
from guarded_agents.cli._options import Approver, AsJson, Deployment, options
from guarded_agents.cli._prove import prover_of
from guarded_agents.cli._text import print_json

if TYPE_CHECKING:
    from guarded_agents.provenance import Plan


@options
def extend_plan(
    thread: Annotated[
        str,
        typer.Argument(metavar="THREAD", help="The id of the thread whose plan is too narrow.", show_default=False),
    ],
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="The tool to add, as server/tool.", show_default=False)],
    by: Approver,
    at: Deployment,
    *,
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, if you like; it is recorded.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let one thread use a tool that its plan does not hold, from now on. It approves no call.

    You have to be one of those who are asked about calls of that tool, and not who asks in the thread.
    """
    prover = prover_of(by)
    reason = text if text and text.strip() else None

    async def send() -> "Plan | None":
        async with voting_guard(at) as guard:
            prepared = guard.prepare_extension(thread, tool, approver=by.name, text=reason)
            return None if prover.keep(prepared) else await guard.extend_plan(prover.of_extension(prepared))

    plan = asyncio.run(send())
    if plan is None:
        return
    if as_json:
        print_json({"thread": thread, "tool": tool, "plan": list(plan.covered)})
    else:
        typer.echo(f"thread {visible(thread)}: {visible(by.name)} adds {visible(tool)} to its plan, that is recorded")
        typer.echo(f"the plan holds: {visible(', '.join(plan.covered))}")


__all__ = ["extend_plan"]
