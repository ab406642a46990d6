"""Several processes on one file, and processes that end without a word."""

import subprocess
import sys
from pathlib import Path

import pytest

from guarded_agents.audit import GENESIS, leaf_hash
from guarded_agents.records import ClaimStatus
from guarded_agents.stores import Admission, SqliteStore
from tests.support.stores import MINUTE, NOTE, TEN, Desk, Told, key

ROOT = Path(__file__).parents[3]


def _start(role: str, path: Path, name: str = "0") -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-m", "tests.support.store_process", role, str(path), name]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _end(process: "subprocess.Popen[str]", code: int = 0) -> list[int]:
    told, said = process.communicate(timeout=50)
    assert (process.returncode, said) == (code, "")
    return [int(line) for line in told.split()]


@pytest.mark.requirement("I4")
async def test_two_processes_admit_each_call_once(path: Path) -> None:
    both = [_start("race", path, name) for name in "01"]  # both make the file, too
    admitted = [turn for process in both for turn in _end(process)]
    assert sorted(admitted) == list(range(1, 21))
    store = SqliteStore.open(path)
    previous = GENESIS
    rows = list(store.audit_rows())
    for number, (sequence, stored, digest) in enumerate(rows):
        assert (sequence, digest) == (number, leaf_hash(stored))
        assert previous.encode() in stored
        previous = digest
    assert len(rows) == 20 + 2 * 20
    await store.aclose()


@pytest.mark.requirement("I4")
async def test_a_process_that_dies_after_its_intent_leaves_a_doubt(path: Path) -> None:
    _end(_start("die_after_admission", path), 9)
    desk = Desk(SqliteStore.open(path))
    told = await desk.admit(owner="another")
    assert isinstance(told, Told)
    assert told.claim is not None
    assert (told.claim.status, told.claim.owner) == (ClaimStatus.SENDING, "0")
    assert desk.kinds() == ["intent"]
    assert [claim.key for claim in desk.store.doubts(now=TEN + MINUTE)] == [key()]
    late = await desk.admit(owner="another", now=TEN + MINUTE)
    assert isinstance(late, Told)
    assert late.claim is not None
    assert late.claim.status is ClaimStatus.IN_DOUBT
    await desk.store.aclose()


@pytest.mark.requirement("I5")
async def test_a_process_that_dies_before_its_commit_leaves_nothing(path: Path) -> None:
    _end(_start("die_before_commit", path), 9)
    desk = Desk(SqliteStore.open(path))
    assert desk.store.claim(key()) is None
    assert desk.store.proposal(key()) is not None  # of the transaction before
    assert desk.kinds() == []
    assert isinstance(await desk.admit(), Admission)
    await desk.store.aclose()


async def test_a_process_that_ends_without_closing_writes_what_it_held(path: Path) -> None:
    _end(_start("leave", path))
    desk = Desk(SqliteStore.open(path))
    assert desk.kinds() == ["decision"]
    await desk.store.aclose()


@pytest.mark.requirement("I5")
@pytest.mark.parametrize("again", [False, True], ids=["one store", "another store of ours on it"])
async def test_a_process_that_closes_the_file_takes_nothing_from_under_another(path: Path, *, again: bool) -> None:
    desk = Desk(SqliteStore.open(path))
    if again:
        await SqliteStore.open(path).aclose()
    _end(_start("close", path))  # the last connection to a file deletes its log of changes: is this one seen?
    desk.store.note([NOTE], now=TEN)
    await desk.propose()
    await desk.admit()
    _end(_start("read", path), code=2)
    await desk.store.aclose()
    _end(_start("read", path), code=2)


@pytest.mark.requirement("I9")
async def test_what_another_process_changed_is_seen_at_once(desk: Desk, path: Path) -> None:
    other = Desk(SqliteStore.open(path))
    await other.enter("second")
    assert desk.store.thread("thread").entry == "second"  # type: ignore[union-attr]
    await other.store.aclose()
