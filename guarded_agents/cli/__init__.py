"""The ``guarded-agents`` command.

Exit status: 0 success, 1 a check failed or an answer does not count, 2 wrong use or a file that cannot be used.
An error is one line on stderr. What a command needs is imported when it runs.
"""

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from guarded_agents._release import release
from guarded_agents.cli import _approvals, _audit, _demo, _doctor, _heads, _policy, _tools, _trace, _witness, _worker
from guarded_agents.cli._exits import FAILED, USAGE
from guarded_agents.cli._text import one_line
from guarded_agents.errors import AuditError, ConfigurationError, GuardError, StoreError

app: Final = typer.Typer(
    name="guarded-agents",
    help="Guard an agent's tool calls: decide, ask a person, run once, record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, and so arguments and keys
    add_completion=False,
)
app.command(name="demo")(_demo.demo)
app.add_typer(_approvals.app)
for _command in (_heads.head, _heads.key, _heads.rotate, _heads.prove, _heads.check, _witness.cosign, _witness.witness):
    _audit.app.command()(_command)
app.add_typer(_audit.app)
app.add_typer(_policy.app)
app.add_typer(_tools.app)
app.command(name="worker")(_worker.worker)
app.command(name="trace")(_trace.trace)
app.command(name="doctor")(_doctor.doctor)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  the form of a callback of typer
    if wanted:
        typer.echo(f"guarded-agents {release()}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del show_version  # the callback has done it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on *arguments*, by default those of the process; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal that cannot show a character still shows what it is
    if any(name.startswith("OTEL_EXPORTER_OTLP_") for name in os.environ):
        from guarded_agents.telemetry import export_from_environment

        export_from_environment("guarded-agents")
    try:
        app(arguments, prog_name="guarded-agents")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else USAGE * bool(end.code)
    except GuardError as error:
        typer.echo(f"error: {one_line(str(error))}", err=True)
        return exit_status(error)
    return 0


def exit_status(error: GuardError) -> int:
    """Return 2 for a file, store or use that is wrong, 1 for a check that failed or an answer that does not count."""
    is_usage = isinstance(error, ConfigurationError | StoreError) and not isinstance(error, AuditError)
    return USAGE if is_usage else FAILED


__all__ = ["app", "exit_status", "main"]
