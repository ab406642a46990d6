"""The transcript of docs/approvals.md is typed, line by line, and what is printed is compared."""

import os
import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "approvals.md").read_text(encoding="utf-8")
[TRANSCRIPT] = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
STEPS = re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", TRANSCRIPT, re.MULTILINE)

ID = re.compile(r"\b[0-9a-f]{12}\b")  # of a request, another one in each run
VARYING = re.compile(
    r"\b[0-9a-f]{64}\b"  # digests are keyed
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    r"|\(in \d+ (?:h|min|s)(?: \d+ min)?\)"
    r"|\b\dh\d\dm\b"
)


class Renamed(dict[str, str]):
    """The ids of this run by those of the page."""

    def of(self, text: str) -> str:
        """Return *text* of the page with the ids of this run."""
        return ID.sub(lambda found: self.get(found[0], found[0]), text)

    def learn(self, page: str, printed: str) -> None:
        """Take the ids that stand where the page has others."""
        for theirs, ours in zip(ID.findall(page), ID.findall(printed), strict=False):
            self.setdefault(theirs, ours)


def type_in(command: str, folder: Path) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


@pytest.mark.timeout(240)
@pytest.mark.requirement("I8")
def test_a_new_approver_can_type_the_transcript(tmp_path: Path) -> None:
    ids = Renamed()
    assert len(STEPS) > 10
    for command, shown in STEPS:
        printed = type_in(ids.of(command), tmp_path)
        ids.learn(shown, printed)
        for expected, got in zip_longest(ids.of(shown).split("\n"), printed.split("\n")):
            assert VARYING.sub("…", expected or "") == VARYING.sub("…", got or ""), command
    assert len(set(ids.values())) == 4  # asked, as it was edited, asked next, and in an emergency


def test_every_link_of_the_page_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_a_line_of_the_page_is_no_longer_than_130_characters() -> None:
    said = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)  # what is typed and printed is as it is
    assert [line for line in said.split("\n") if len(line) > 130] == []


PROMISED = (
    "**Never send one, or anything secret, as a resume value**",
    "The store keeps it with the vote",
    "a holder who has voted on the request or delegated it cannot break its glass",
    "`acting_for` has to be spelt as the approvers' names are",
)


@pytest.mark.parametrize("promised", PROMISED)
def test_the_page_says_what_cannot_be_enforced(promised: str) -> None:
    assert promised in " ".join(PAGE.split())


def test_the_part_for_approvers_is_one_page_without_python() -> None:
    part = PAGE[PAGE.index("## For approvers") : PAGE.index("## Setting it up")]
    assert part.count("\n") < 66
    assert not re.search(r"import|await|Guard\.|```python", part)


def test_every_command_that_the_page_names_is_one() -> None:
    from guarded_agents.cli._approvals import app

    known = {command.name for command in app.registered_commands}
    named = set(re.findall(r"guarded-agents approvals ([a-z-]+)", PAGE)) | set(
        re.findall(r"`(approve|edit|reject|respond|delegate|break-glass|review|resolve|sweep|wake) ", PAGE)
    )
    assert named <= known
    assert {"list", "show", "approve", "edit", "reject", "respond", "delegate", "break-glass", "review"} <= named
