"""``python -m graphs.two_people.app`` makes a desk where there is none, and writes nothing where it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphs._run import POLICY, ROOT
from guarded_agents.keys import new_approver_key

ANA = "ana@example.com"


def typed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graphs.two_people.app", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def keyed(tmp_path: Path) -> Path:
    """A folder in which an approver has made a key, and nothing else."""
    (tmp_path / "allowed_signers").write_text(f"{ANA} {new_approver_key(tmp_path / 'ana.key')}\n")
    return tmp_path


def refused(folder: Path, *words: str) -> str:
    """Return what is said of a command that is wrong use, in one line, and leaves *folder* as it is."""
    before = contents(folder)
    told = typed(folder, *words)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1), told.stderr
    assert contents(folder) == before
    return told.stderr


def test_a_desk_is_made_once_and_what_was_changed_in_it_stays(keyed: Path) -> None:
    first = typed(keyed)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("the agent waits for an answer to ")
    with (keyed / POLICY).open("a") as policy:
        policy.write("# mine\n")
    said = refused(keyed)
    assert f"{keyed}: expected a folder without a desk, got one with policy.yaml" in said
    assert "guarded-agents approvals list" in said


@pytest.mark.parametrize("found", ["desk.db", "guard.db"])
def test_a_folder_that_holds_part_of_a_desk_is_left_as_it_is(keyed: Path, found: str) -> None:
    (keyed / found).write_text("mine")
    assert f"got one with {found}; " in refused(keyed)


def test_without_a_key_no_desk_is_made(tmp_path: Path) -> None:
    assert "; make one: guarded-agents approvals keygen ana@example.com --key ana.key" in refused(tmp_path)


def test_what_is_urgent_takes_a_desk(keyed: Path) -> None:
    assert "; make it: python -m graphs.two_people.app" in refused(keyed, "urgent")


def test_another_word_makes_no_desk(keyed: Path) -> None:
    assert refused(keyed, "urgnet") == "usage: python -m graphs.two_people.app [urgent]\n"
