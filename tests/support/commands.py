"""Commands as somebody types them, and what they print: for tests of the command line."""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest

from guarded_agents.cli import main


class Said(NamedTuple):
    """What a command printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


Command = Callable[..., Said]


def command_line(capfd: pytest.CaptureFixture[str], *before: str) -> Command:
    """Return what runs ``guarded-agents`` with the words *before* and those that it is called with."""

    def typed(*words: object) -> Said:
        status = main([*before, *map(str, words)])
        return Said(status, *capfd.readouterr())

    return typed
