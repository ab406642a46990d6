"""Every command of the runbooks and of the page on approvals is read by the command line itself, and not run."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from guarded_agents.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.stem: path for path in [*sorted((ROOT / "docs" / "runbooks").glob("*.md")), ROOT / "docs" / "approvals.md"]
}
SENTENCES = PAGES | {"observability": ROOT / "docs" / "observability" / "README.md"}
STANDS_FOR = {"LOOKED_AT": "2026-01-05T10:20:00Z"}  # what the reader puts in, where not every text will do

Typed = tuple[Any, list[str]]  # typer brings a click of its own, whose types have no public name


def joined(page: str) -> str:
    return re.sub(r"\\\n\s*", "", page)


def whole(page: str) -> list[str]:
    """Return the command lines that a reader types as they stand: those of blocks."""
    return re.findall(r"^ *(?:\$ )?guarded-agents (?!\w+ v1$)(.*)$", joined(page), re.MULTILINE)


def mentioned(page: str) -> list[str]:
    """Return what stands in a sentence, and may leave out what does not matter there."""
    return re.findall(r"`guarded-agents (?!\w+ v1`)([^`]*)`", " ".join(page.split()))


def found(line: str) -> Typed:
    """Return the command that *line* names, and the words behind its name."""
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line, comments=True)]
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, line
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    return command, words


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_every_command_line_is_one_that_the_command_takes(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert whole(page)
    for line in whole(page):
        command, words = found(line)
        command.make_context(line, words)  # it parses and runs nothing; a word it does not know is an error


@pytest.mark.parametrize("path", SENTENCES.values(), ids=SENTENCES)
def test_what_a_sentence_mentions_are_commands_and_options_of_theirs(path: Path) -> None:
    for line in mentioned(path.read_text(encoding="utf-8")):
        command, words = found(line)
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= options, line


@pytest.mark.parametrize("path", SENTENCES.values(), ids=SENTENCES)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[a-z-]+)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
