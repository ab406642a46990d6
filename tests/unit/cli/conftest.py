"""A desk of each test's own, and commands that are typed in its folder."""

import shutil
from pathlib import Path

import pytest

from tests.support.commands import Command, command_line


@pytest.fixture
def desk(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the test's module has *prepared*, which is the working folder."""
    folder = shutil.copytree(prepared, tmp_path / "run")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GUARDED_AGENTS_STORE", raising=False)
    return folder


@pytest.fixture
def run(desk: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    return command_line(capfd)


@pytest.fixture
def ids(run: Command) -> dict[str, str]:
    """The requests by their threads."""
    return {found["thread"]: found["id"] for found in run("approvals", "list", "--json").json["requests"]}
