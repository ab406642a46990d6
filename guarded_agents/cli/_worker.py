"""``guarded-agents worker``: does what nobody waits for, in rounds; one or several side by side."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from guarded_agents.catalog import visible
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._graph import made_by
from guarded_agents.cli._opened import voting_guard
from guarded_agents.cli._options import AsJson, Deployment, options
from guarded_agents.cli._text import columns, json_text, one_line, wrapped
from guarded_agents.cli._vote import opened_graph
from guarded_agents.keys import read_key_file
from guarded_agents.moments import utc

if TYPE_CHECKING:
    from guarded_agents.notify import Delivered, Notifier
    from guarded_agents.operations import Round, Worker
    from guarded_agents.stores import Delayed

_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0}
_DURATION: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)([smh])")


@dataclass(frozen=True, slots=True)
class Notices:
    """Where notices go: to a webhook, or to a notifier of the application's own."""

    webhook: Annotated[
        str | None, typer.Option("--webhook", metavar="URL", help="Where notices are posted, signed.")
    ] = None
    secret: Annotated[
        Path | None, typer.Option("--webhook-secret", metavar="FILE", help="The webhook's secret (base64, mode 0600).")
    ] = None
    link: Annotated[
        str | None,
        typer.Option("--link", metavar="URL", help="Where a notice leads; {request} stands for the request's id."),
    ] = None
    notifier: Annotated[
        str | None,
        typer.Option("--notifier", metavar="MODULE:FACTORY", help="A notifier of your own, in place of --webhook."),
    ] = None


@options
def worker(
    graph: Annotated[
        str, typer.Argument(metavar="MODULE:FACTORY", help="The graph that the threads go on in.", show_default=False)
    ],
    at: Deployment,
    notices: Notices,
    *,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="How often to look for work: 5s (the default), 1m.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Do what there is to do now, then end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Expire and escalate requests, let answered threads go on, and deliver notices, until it is interrupted.

    It approves nothing. Several may run side by side, and one that ends in the middle is made up for by another.
    With --once it exits with 1 where a thread did not go on or a notice did not arrive.
    """
    if once and every is not None:
        raise typer.BadParameter("name one of --once and --every", param_hint="--every")
    every_s = None if once else _seconds("5s" if every is None else every)
    if asyncio.run(_work(at, graph, _notifier(notices), every_s=every_s, as_json=as_json)):
        raise typer.Exit(FAILED)


async def _work(at: Deployment, graph: str, told: "Notifier | None", *, every_s: float | None, as_json: bool) -> bool:
    """Work until a signal, or once where *every_s* is None; return whether that one round left something undone."""
    async with _opened_worker(at, graph, told) as working:
        if every_s is None:
            found = await working.run_once()
            _say(found, as_json=as_json, is_idle_told=True)
            return bool(found.failed or found.problems or found.delivered.failed)
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        typer.echo("working; Ctrl-C ends it after what is under way", err=True)
        await working.run(every_s=every_s, stop=stop, report=lambda found: _say(found, as_json=as_json))
        return False


@asynccontextmanager
async def _opened_worker(at: Deployment, graph: str, told: "Notifier | None") -> "AsyncIterator[Worker]":
    from guarded_agents.operations import Worker

    async with voting_guard(at) as guard, opened_graph(graph, at, option="graph") as agent:
        yield Worker(guard, agent, notifier=told)


def _notifier(notices: Notices) -> "Notifier | None":
    if (notices.webhook is None) is not (notices.secret is None):
        raise typer.BadParameter("--webhook and --webhook-secret go together", param_hint="--webhook")
    if notices.webhook is not None and notices.secret is not None:
        if notices.notifier is not None:
            raise typer.BadParameter("name one of --webhook and --notifier", param_hint="--notifier")
        from guarded_agents.notify import Webhook

        return Webhook(
            notices.webhook, read_key_file(notices.secret).decode("ascii", "replace").strip(), link=notices.link
        )
    if notices.notifier is None:
        return None
    return cast("Notifier", made_by(notices.notifier, option="--notifier", kind="Notifier", method="notify"))


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds <= 0:
        raise typer.BadParameter("a time such as 5s, 1m or 0.5s", param_hint="--every")
    return seconds


def _say(found: "Round", *, as_json: bool, is_idle_told: bool = False) -> None:
    """Print what was done: a line of JSON, or lines for a person; nothing where there was nothing to do."""
    if found.is_idle and not is_idle_told:
        return
    at = utc(datetime.now(UTC))
    if as_json:
        typer.echo(json_text({"at": at, **_json(found)}, is_indented=False))
        return
    swept, delivered = found.swept, found.delivered
    lines = [
        *(f"expired {visible(request)}" for request in swept.expired),
        *(f"lapsed {visible(request)}" for request in swept.lapsed),
        *(f"escalated {visible(request)}" for request in swept.escalated),
        *(f"review overdue {visible(request)}" for request in swept.overdue),
        *([f"in doubt: {swept.in_doubt}, see `guarded-agents doctor`"] if swept.in_doubt else []),
        *(f"thread {visible(thread)} went on" for thread in found.woken),
        *(f"thread {visible(failure.thread)} did not go on: {one_line(failure.error)}" for failure in found.failed),
        *([f"notices sent: {delivered.sent}"] if delivered.sent else []),
        *([f"notices to be tried again: {delivered.failed}{_why(delivered)}"] if delivered.failed else []),
        *(f"notice {visible(identifier)} was given up" for identifier in delivered.given_up),
        *(f"problem: {one_line(problem)}" for problem in found.problems),
        *(f"thread {visible(delayed.thread)} {_when(delayed)}" for delayed in found.delayed),
    ]
    told = [f"{at} {line}" for line in lines or ["nothing to do"]]
    for line in wrapped(told, columns=columns(), hanging=len(at) + 1):
        typer.echo(line)


def _when(delayed: "Delayed") -> str:
    return f"is {'leased to another worker until' if delayed.is_leased else 'tried again at'} {utc(delayed.until)}"


def _why(delivered: "Delivered") -> str:
    return "" if delivered.reason is None else f"; {one_line(delivered.reason)}"


def _json(found: "Round") -> dict[str, object]:
    swept, delivered = found.swept, found.delivered
    return {
        "expired": swept.expired,
        "lapsed": swept.lapsed,
        "escalated": swept.escalated,
        "overdue": swept.overdue,
        "in_doubt": swept.in_doubt,
        "woken": found.woken,
        "failed": [failure._asdict() for failure in found.failed],
        "sent": delivered.sent,
        "retried": delivered.failed,
        "reason": delivered.reason,
        "given_up": delivered.given_up,
        "problems": found.problems,
        "delayed": [delayed._asdict() | {"until": utc(delayed.until)} for delayed in found.delayed],
    }


__all__ = ["worker"]
