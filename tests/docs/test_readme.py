"""Every code block of the README is run: files are written, commands typed, and what they print is compared."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TWO_COMMANDS = ["make demo", "make test"]
ACTIVATE = ". .venv/bin/activate"
REPLAY = ".venv/bin/python -m graphs.replay"


class Block(NamedTuple):
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the block's first line names."""
        found = re.match(r"# ([\w.]+)\n", self.text)
        return found[1] if found else None


class Typed(NamedTuple):
    command: str
    printed: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)]


def typed(text: str) -> list[Typed]:
    """Return the commands of a console block, each with what the README says that it prints."""
    return [
        Typed(command, printed) for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    ]


SESSION = [step for block in BLOCKS if block.language == "console" for step in typed(block.text)]


def run(command: str) -> subprocess.CompletedProcess[str]:
    """Return what *command* does, typed in the checkout by somebody whose shell knows nothing of `.venv`."""
    path = os.pathsep.join(folder for folder in os.get_exec_path() if Path(folder) != Path(sys.executable).parent)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        command, shell=True, cwd=ROOT, env={**environment, "PATH": path}, capture_output=True, text=True, check=False
    )


def test_every_block_is_a_file_a_console_session_or_the_output_of_the_replay() -> None:
    assert BLOCKS
    for block in BLOCKS:
        assert block.language in ("console", "text") or block.file is not None
    assert [block.language for block in BLOCKS].count("text") == 1


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    assert [step.command for step in SESSION[:3]] == [*TWO_COMMANDS, ACTIVATE]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in TWO_COMMANDS:
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE)


@pytest.mark.timeout(240)
@pytest.mark.requirement("I4")
def test_the_replayed_approval_prints_what_the_readme_shows() -> None:
    [shown] = [block.text for block in BLOCKS if block.language == "text"]
    assert f"`{REPLAY}`" in README
    assert run(REPLAY).stdout == shown


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the README's files."""
    for block in BLOCKS:
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
    return tmp_path


def type_in(steps: list[Typed], folder: Path) -> None:
    """Type *steps* in *folder*, each in a shell where `.venv` was activated as the README says."""
    for step in steps:
        done = run(f"{ACTIVATE} && cd {shlex.quote(str(folder))} && {step.command}")
        assert done.returncode == 0, f"{step.command}\n{done.stderr}"
        if step.printed:
            assert done.stdout == step.printed, step.command


@pytest.mark.timeout(240)
def test_a_stranger_can_type_what_the_readme_says(written: Path) -> None:
    type_in(SESSION[3:], written)
    type_in([step for step in SESSION[3:] if step.command.startswith("python ")], written)  # and do it once more
    assert (written / "notes.txt").read_text() == "water the plants\n" * 2


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
