"""``guarded-agents demo``: the refund desk of ``graphs`` on real MCP servers, from its request to its proof."""

import asyncio
import os
import shlex
import shutil
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Final

import typer

from guarded_agents.cli import _shown
from guarded_agents.cli._closing import print_closing
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._graph import application
from guarded_agents.cli._looking import view_of
from guarded_agents.cli._opened import opened
from guarded_agents.cli._options import Approver, AsJson, Deployment
from guarded_agents.cli._prove import prover_of
from guarded_agents.cli._report import report, waiting
from guarded_agents.cli._spans import recording, tree
from guarded_agents.cli._text import printable
from guarded_agents.cli._vote import Reply, answer_all, last_words, vote
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import Answer, Principal

if TYPE_CHECKING:
    from graphs._run import Run

GRAPH: Final = "graphs.refund_desk.app:saved"
EFFECTS: Final = "graphs.refund_desk.run:effects"
THREAD: Final = "demo"
MODEL_ENVIRONMENT: Final = "GUARDED_AGENTS_MODEL"
_MAX_ANSWERS: Final = 20  # a real model may ask again and again


class Choice(StrEnum):
    """What the demo does with a request that waits."""

    APPROVE = "approve"
    REJECT = "reject"
    LEAVE = "leave"


_Model = Annotated[
    str | None,
    typer.Option(
        metavar="PROVIDER:NAME", envvar=MODEL_ENVIRONMENT, help="A real model; without one a script plays it."
    ),
]
_Folder = Annotated[Path | None, typer.Option(help="Where the run is kept; by default a new folder in .runs.")]
_Choice = Annotated[
    Choice | None, typer.Option("--answer", help="By default leave; at a terminal you are asked.", show_default=False)
]


_Trace = Annotated[bool, typer.Option("--trace", help="Print the spans that were made, as a tree, to standard error.")]


def demo(
    answer: _Choice = None,
    model: _Model = None,
    folder: _Folder = None,
    *,
    is_traced: _Trace = False,
    as_json: AsJson = False,
) -> None:
    """Run a guarded agent on real MCP servers: a permitted read, refused calls, and one that waits for a person."""
    spans = recording() if is_traced else tuple
    run = _prepared(folder, model)
    _say(f"run folder: {_short(run.folder)}")
    said = asyncio.run(_work(run, answer))
    for _ in range(_MAX_ANSWERS):
        waits = () if answer is not None else _waiting(run)
        choice = _ask(run, waits[0], as_json=as_json) if waits else Choice.LEAVE
        if choice is Choice.LEAVE:
            break
        _say(f"{run.approvers[0]} signs: {choice.value} {waits[0]}; the thread goes on")
        settled = asyncio.run(vote(Deployment(run.store), waits[0], _reply(run, choice), graph=GRAPH))
        said = None if settled is None else settled.said
    from graphs.refund_desk.run import effects

    found = report(run.store, THREAD, effects=effects(run.folder), now=datetime.now(UTC))
    print_closing(found, said, as_json=as_json)
    for line in tree(spans()):
        _say(line)
    if found.waiting:
        typer.echo(_how_to_answer(run, found.waiting[0], model), err=as_json)
    if not found.audit.verified:
        raise typer.Exit(FAILED)


def _prepared(folder: Path | None, model: str | None) -> "Run":
    """Return a fresh run. Raises ConfigurationError, before anything is made where the model cannot be used."""
    try:
        from graphs._models import chat_model
        from graphs.refund_desk.run import prepare
        from graphs.refund_desk.script import scripted_model
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "demo",
            expected="the folder graphs of the project",
            got=f"no module {error.name}",
            action="run it in a checkout, where `make demo` sets everything up",
        ) from None
    chat_model(model, scripted=scripted_model())
    if model:
        os.environ[MODEL_ENVIRONMENT] = model  # where the graph's factory looks for it
    now = datetime.now(UTC)
    folder = folder or Path(".runs") / f"demo-{now:%Y%m%d-%H%M%S}-{token_hex(2)}"
    try:
        return prepare(folder, now=now)
    except OSError as error:
        raise ConfigurationError(
            str(folder),
            expected="a folder that can be made and written to",
            got=error.strerror or type(error).__name__,
            action="choose another one with --folder",
        ) from error


async def _work(run: "Run", answer: Choice | None) -> str | None:
    """Let the agent work until it ends, or waits and *answer* is none; return its last words, None where it waits."""
    from graphs.refund_desk.run import PRINCIPAL, SCOPES
    from graphs.refund_desk.script import REQUEST
    from guarded_agents import GuardContext

    context = GuardContext(principal=Principal(id=PRINCIPAL, scopes=SCOPES))
    _say("starting three MCP servers (stdio): mail, orders, payments")
    async with application(GRAPH, thread=THREAD, store=run.store) as agent:
        _say(f"user: {REQUEST}")
        async for update in agent.astream(
            {"messages": [{"role": "user", "content": REQUEST}]},
            {"configurable": {"thread_id": THREAD}},
            context=context,
            stream_mode="updates",
            durability="sync",
        ):
            _say_progress(update)
        if answer in (Choice.APPROVE, Choice.REJECT):
            reply = _reply(run, answer)
            answered = await answer_all(Deployment(run.store), agent, THREAD, reply, max_answers=_MAX_ANSWERS)
            for request_id in answered:
                _say(f"{reply.approver} signed: {answer.value} {request_id}")
        return await last_words(agent, THREAD)


def _say_progress(update: dict[str, object]) -> None:
    for node, written in update.items():
        if node == "__interrupt__" and isinstance(written, tuple):
            for found in written:
                _say(f"  held     {printable(found.value['description'])}")
        calls = written.get("guard_calls") if isinstance(written, dict) else None
        for call in (calls or {}).get("calls", {}).values():
            ended = f": {call['status']}" if call["decision"] == "permit" else f", by {printable(call['rule'])}"
            _say(f"  {call['decision']:<8} {printable(call['tool'])}{ended}")


def _waiting(run: "Run") -> tuple[str, ...]:
    with opened(run.store) as store:
        return waiting(store, THREAD)


def _ask(run: "Run", request_id: str, *, as_json: bool) -> Choice:
    """Return what the person at the terminal chooses; LEAVE where there is none."""
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Choice.LEAVE
    with opened(run.store) as store:
        view = view_of(store, request_id, Deployment(run.store), now=datetime.now(UTC))
    _say("")
    _say(_shown.as_text(view, now=datetime.now(UTC)))
    _say("")
    try:
        while True:
            typed: str = typer.prompt(
                f"You are {run.approvers[0]}: approve, reject or leave", default="leave", err=True
            )
            meant = [choice for choice in Choice if choice.value.startswith(typed.strip().lower())]
            if len(meant) == 1:
                return meant[0]
    except typer.Abort:  # Ctrl-C or the end of the input: nothing is answered
        _say("")
        return Choice.LEAVE


def _reply(run: "Run", choice: Choice) -> Reply:
    approver = run.approvers[0]
    return Reply(Answer(choice.value), approver, prover_of(Approver(approver, run.key(approver))))


def _how_to_answer(run: "Run", request_id: str, model: str | None) -> str:
    """Return the commands that look at the request and answer it, to be pasted into a shell."""
    program, approver = _program(), run.approvers[0]
    prefix = [f"{MODEL_ENVIRONMENT}={model}"] if model else []
    lines = (
        [*prefix, *program, "approvals", "approve", request_id, "--store", _short(run.store)],
        ["--key", _short(run.key(approver)), "--as", approver],
        ["--graph", GRAPH, "--effects", EFFECTS],
    )
    look = shlex.join([*program, "approvals", "show", request_id, "--store", _short(run.store)])
    command = " \\\n    ".join(map(shlex.join, lines))
    return (
        f"\nThe thread waits. Look at the request:\n\n  {look}\n\n"
        f"and answer it (or `reject`), from any process:\n\n  {command}"
    )


def _program() -> list[str]:
    """Return the words that start this very command line again."""
    started = Path(sys.argv[0])
    if started.name != "guarded-agents":
        return [_short(Path(sys.executable)), "-m", "guarded_agents.cli"]
    found = shutil.which(started.name)
    if found is not None and Path(found).resolve() == started.resolve():
        return [started.name]
    return [_short(started)]


def _short(path: Path) -> str:
    """Return *path*, relative where it lies in the working directory."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  resolve() would leave a virtual environment for its base
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _say(line: str) -> None:
    typer.echo(line, err=True)


__all__ = ["Choice", "demo"]
