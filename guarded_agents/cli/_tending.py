"""``guarded-agents approvals review|resolve|sweep|wake``: what is left to do around the answers."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from guarded_agents.catalog import visible
from guarded_agents.cli._called import call_of
from guarded_agents.cli._closing import close
from guarded_agents.cli._opened import voting_guard
from guarded_agents.cli._options import Approver, AsJson, Deployment, Onward, RequestId, moment, options
from guarded_agents.cli._prove import prover_of
from guarded_agents.cli._text import print_json, unproven
from guarded_agents.cli._vote import wake
from guarded_agents.errors import RequestClosedError
from guarded_agents.moments import utc
from guarded_agents.records import BrokenGlass, Claim, ClaimStatus, ReviewFinding, Verdict

if TYPE_CHECKING:
    from guarded_agents.stores import Store, Swept

_Verdict = Annotated[
    Verdict,
    typer.Option(
        help="happened; not_happened: you are sure, for the sender had ended before you looked;"
        " not_observed: you saw nothing, and it may still happen."
    ),
]
_LookedAt = Annotated[
    datetime,
    typer.Option(
        parser=moment,
        metavar="TIME",
        help="When you looked at the system that the call acts on, such as 2026-01-05T10:00:00Z (UTC).",
    ),
]


@options
def review(
    request_id: RequestId,
    by: Approver,
    at: Deployment,
    *,
    finding: Annotated[
        ReviewFinding, typer.Option(help="reviewed: it was right to break the glass; violation: it was not.")
    ],
    text: Annotated[str, typer.Option(metavar="TEXT", help="What you looked at and found.")],
    as_json: AsJson = False,
) -> None:
    """Review an approval that somebody else gave alone, in an emergency."""
    prover = prover_of(by)

    async def send() -> BrokenGlass | None:
        async with voting_guard(at) as guard:
            prepared = guard.prepare_review(request_id, finding, reviewer=by.name, text=text)
            return None if prover.keep(prepared) else await guard.review(prover.of_review(prepared))

    glass = asyncio.run(send())
    if glass is None:
        return
    if as_json:
        print_json({"request": glass.request, "finding": finding.value, "reviewed_by": glass.reviewed_by})
    else:
        typer.echo(f"{visible(glass.request)}: {finding.value} by {visible(by.name)}, the review is recorded")


@options
def resolve(
    call: Annotated[
        str, typer.Argument(metavar="CALL", help="The call's id, as `list` and `doctor` print it.", show_default=False)
    ],
    by: Approver,
    at: Deployment,
    *,
    verdict: _Verdict,
    looked_at: _LookedAt,
    text: Annotated[str, typer.Option(metavar="TEXT", help="What you saw, and where.")],
    as_json: AsJson = False,
) -> None:
    """Say of a call in doubt whether it happened. It is never sent again.

    The model is told what you say where its thread still goes on; where that is at its end, it is on record only.
    `approvals show CALL` prints what was sent.
    """
    prover = prover_of(by)

    async def send() -> Claim | None:
        async with voting_guard(at) as guard:
            await asyncio.to_thread(_require_unresolved, guard.store, call, at, now=guard.now())  # it runs a loop
            prepared = guard.prepare_resolution(call, verdict, resolver=by.name, looked_at=looked_at, text=text)
            return None if prover.keep(prepared) else await guard.resolve(prover.of_resolution(prepared))

    claim = asyncio.run(send())
    if claim is None:
        return
    if as_json:
        print_json({"call": call, "status": claim.status.value, "attempt": claim.attempt})
    else:
        typer.echo(f"{visible(call)}: {claim.status.value} says {visible(by.name)}, the resolution is recorded")


def _require_unresolved(store: "Store", call: str, at: Deployment, *, now: datetime) -> None:
    """Raise RequestClosedError for a call that a person has settled, with what they said: before anything is signed."""
    from guarded_agents.stores import claim_named

    claim = claim_named(store, call, now=now)
    if claim is None or claim.status in (ClaimStatus.SENDING, ClaimStatus.IN_DOUBT):
        return
    execution = store.execution(claim.key)
    if execution is None or not execution.resolutions:
        return
    last = call_of(store, execution, at, now=now).said[-1]
    said = execution.resolutions[-1].resolution
    conflict = ", and that its server says happened" if claim.status is ClaimStatus.CONFLICT else ""
    raise RequestClosedError(
        f"call {call}",
        expected="one in doubt",
        got=f"one that was resolved as {said.verdict.value} by {said.resolver} at {utc(said.at)}"
        f"{unproven([last.is_proven])}{conflict}",
        action=f"nothing is left to say here; `guarded-agents approvals show {call}` prints what is known",
    )


@options
def sweep(at: Deployment, *, as_json: AsJson = False) -> None:
    """Do what time alone does: expire, escalate, and tell of what is overdue. It approves nothing.

    A worker does the same all the time, and lets answered threads go on as well.
    """
    swept = asyncio.run(_sweep(at))
    if as_json:
        print_json(
            {
                "expired": list(swept.expired),
                "lapsed": list(swept.lapsed),
                "escalated": list(swept.escalated),
                "in_doubt": swept.in_doubt,
                "overdue": list(swept.overdue),
            }
        )
        return
    for what, ids in (
        ("expired: nobody answered in time", swept.expired),
        ("lapsed: approved, and not sent in time", swept.lapsed),
        ("escalated: the backup may answer too", swept.escalated),
        ("overdue for review", swept.overdue),
    ):
        typer.echo(f"{what}: {', '.join(map(visible, ids)) or 'none'}")
    typer.echo(f"calls that went in doubt: {swept.in_doubt or 'none'}")


async def _sweep(at: Deployment) -> "Swept":
    async with voting_guard(at) as guard:
        return await guard.sweep()


@options
def wake_command(request_id: RequestId, at: Deployment, then: Onward) -> None:
    """Let the thread of a request go on that was answered without --graph, or whose process ended in between."""
    if then.graph is None:
        raise typer.BadParameter("name the graph that it goes on in", param_hint="--graph")
    settled = asyncio.run(wake(at, request_id, graph=then.graph))
    close(at, settled, then)


__all__ = ["resolve", "review", "sweep", "wake_command"]
