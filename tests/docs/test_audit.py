"""``docs/audit.md``: each command that it shows is one, with the options that it is shown with."""

import re
from pathlib import Path
from typing import cast

import click
import pytest
from typer.main import get_command

from guarded_agents.audit import standalone_verify
from guarded_agents.cli import app

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
SHOWN = re.findall(r"^\$ guarded-agents audit ([^#\n]+)", PAGE, re.MULTILINE)
AUDIT = cast("click.Group", cast("click.Group", get_command(app)).commands["audit"])


@pytest.mark.parametrize("shown", SHOWN)
def test_a_command_that_the_page_shows_is_one(shown: str) -> None:
    name, *words = shown.split()
    options = {option for parameter in AUDIT.commands[name].params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= options


def test_the_page_shows_every_command() -> None:
    assert {shown.split()[0] for shown in SHOWN} == set(AUDIT.commands)


def test_the_options_of_the_verifier_of_one_file_are_its_own() -> None:
    shown = {
        word
        for line in re.findall(r"^\$ python standalone_verify\.py (.+)", PAGE, re.MULTILINE)
        for word in line.split()
    }
    assert {"--vkey", "--head", "--witness"} == {word for word in shown if word.startswith("--")}
    assert all(option in standalone_verify.__doc__ for option in ("--vkey", "--head", "--witness"))  # type: ignore[operator]
