"""The exit statuses of every command. 0 is success."""

from typing import Final

import typer

from guarded_agents.cli._text import one_line
from guarded_agents.errors import GuardError

FAILED: Final = 1
"""A check failed, something was found, or an answer does not count."""

USAGE: Final = 2
"""Wrong use, or a file that cannot be used."""


def wrong_use(error: GuardError) -> typer.Exit:
    """Say *error* on stderr, in one line, and return the exit for wrong use."""
    typer.echo(f"error: {one_line(str(error))}", err=True)
    return typer.Exit(USAGE)


__all__ = ["FAILED", "USAGE", "wrong_use"]
