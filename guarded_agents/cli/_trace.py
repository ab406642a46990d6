"""``guarded-agents trace``: what a thread did, over every wait, with the spans in which it did it."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from guarded_agents.audit import FROM_THE_FIRST
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._opened import opened
from guarded_agents.cli._options import DEFAULT_STORE, STORE_ENVIRONMENT, AsJson
from guarded_agents.cli._text import one_line, print_json
from guarded_agents.cli._traced import Step, TracedCall, calls_of
from guarded_agents.moments import duration, exact

_A_WAIT_S: Final = 1.0  # between two steps, from here on it is said
_ID_CHARS: Final = 8  # of a trace or span, as they are shown

_Thread = Annotated[str, typer.Argument(metavar="THREAD", help="The thread's id.", show_default=False)]
_Store = Annotated[Path, typer.Option("--store", metavar="FILE", envvar=STORE_ENVIRONMENT, help="The guard's store.")]


def trace(thread: _Thread, store: _Store = DEFAULT_STORE, *, as_json: AsJson = False) -> None:
    """Print the calls of THREAD as the audit log has them: times, waits, decisions, and the span of each step.

    A call that waited goes on in another trace, which links to the one before. The log is not checked here (that is
    ``audit verify``). Exit status 1 where the log says nothing of the thread.
    """
    with opened(store) as log:
        found = calls_of(log.audit_rows(FROM_THE_FIRST), thread)
    if as_json:
        listing = [{"tool": call.tool or None, "steps": [asdict(step) for step in call.steps]} for call in found]
        print_json({"thread": thread, "calls": listing})
    else:
        nothing = [f"nothing of thread {thread} in {store}: check the id, and --store"]
        typer.echo("\n".join(one_line(line) for line in (_lines(thread, found) if found else nothing)))
    if not found:
        raise typer.Exit(FAILED)


def _lines(thread: str, calls: tuple[TracedCall, ...]) -> Iterator[str]:
    traces = dict.fromkeys(name for call in calls for name in call.traces)
    counted = f"{_count(sum(bool(call.tool) for call in calls), 'call')}, {_count(len(traces), 'trace')}"
    since = min((step.at for call in calls for step in call.steps), default=None)
    yield f"thread {thread}: {counted}" + ("" if since is None else f", since {exact(since)[:10]}")
    for number, call in enumerate(calls, 1):
        is_last = number == len(calls)
        yield f"{'└' if is_last else '├'}─ {call.tool or 'the thread'}"
        yield from (f"{' ' if is_last else '│'}  {line}" for line in _steps(call.steps))


def _steps(steps: list[Step]) -> Iterator[str]:
    """Yield a line for each span, below it one for each of its steps, and one for each wait between them."""
    before: Step | None = None
    for step in steps:
        if before is not None and (waited := _waited(before.at, step.at)):
            yield f"┆  {waited}"
        if before is None or (step.trace_id, step.span_id) != (before.trace_id, before.span_id):
            yield _span(step)
        yield f"   {exact(step.at)[11:]}  {step.what}  #{step.sequence}"
        before = step


def _span(step: Step) -> str:
    if not step.span_id:
        return "○ in no span"
    return f"● trace {step.trace_id[:_ID_CHARS]}… span {step.span_id[:_ID_CHARS]}…"


def _waited(one: datetime, other: datetime) -> str:
    seconds = (other - one).total_seconds()
    return f"{duration(seconds)} later, on {other:%Y-%m-%d}" if seconds >= _A_WAIT_S else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


__all__ = ["trace"]
