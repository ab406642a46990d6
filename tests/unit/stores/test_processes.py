"""Several processes on one file, and processes that end without a word."""

import inspect
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from guarded_agents.audit import GENESIS, leaf_hash
from guarded_agents.records import ClaimStatus
from guarded_agents.stores import Admission, SqliteStore, Store, Told
from tests.support.store_desk import Desk
from tests.support.store_writes import WRITES, prepare
from tests.support.stores import MINUTE, NOTE, TEN, alone, key, request

ROOT = Path(__file__).parents[3]


def _start(role: str, path: Path, name: str = "0") -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-m", "tests.support.store_process", role, str(path), name]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


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


async def _answered_by_two(path: Path, rounds: int) -> None:
    desk = Desk(SqliteStore.open(path))
    both = {name: _start("answer", path, name) for name in ("ana", "raj")}
    for turn in range(rounds):
        of = request(alone(str(turn)))
        await desk.ask(of)
        for process in both.values():
            print(turn, file=process.stdin, flush=True)
        said = {name: process.stdout.readline().strip() for name, process in both.items()}  # type: ignore[union-attr]
        standing = desk.store.request(of.id)
        assert standing is not None
        winner, status = standing.settled_by or "", standing.status.value
        assert status == {"ana": "approved", "raj": "rejected"}[winner]
        assert said.pop(winner) == status
        (loser,) = said.values()
        assert loser.startswith(f"RequestClosedError: approval r-{turn}: expected a pending request, got one that")
        assert f"{status} by {winner}" in loser
        assert [signed.vote.approver for signed in desk.store.votes(of.id)] == [winner]
        admitted = await desk.admit(of.key, request=of.id)
        assert isinstance(admitted, Admission) is (status == "approved")
    for process in both.values():
        _end(process)
    assert desk.kinds().count("vote") == rounds
    await desk.store.aclose()


@pytest.mark.requirement("B5")
async def test_of_two_processes_that_answer_at_once_one_does(path: Path) -> None:
    await _answered_by_two(path, 10)


@pytest.mark.long
@pytest.mark.requirement("B5")
async def test_of_two_processes_that_answer_at_once_one_does_each_of_200_times(path: Path) -> None:
    await _answered_by_two(path, 200)


def _content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def _writes() -> set[str]:
    """Return the methods of `Store` that change something: reads are synchronous and return it."""
    methods = {name: method for name, method in inspect.getmembers(Store, inspect.isfunction) if name[0] != "_"}
    return {
        name
        for name, method in methods.items()
        if inspect.iscoroutinefunction(method) or inspect.signature(method).return_annotation is None
    }


def test_each_write_of_a_store_is_among_those_that_a_process_dies_in() -> None:
    assert {name.partition(":")[0] for name in WRITES} == _writes() - {"aclose"}  # it writes what others buffered


@pytest.mark.requirement("I5")
@pytest.mark.parametrize("transaction", WRITES)
async def test_a_process_that_dies_in_a_transaction_has_done_nothing_of_it(path: Path, transaction: str) -> None:
    desk = Desk(SqliteStore.open(path))
    await prepare(desk)
    await desk.store.aclose()
    before = _content(path)
    _end(_start("die_in", path, transaction), 9)
    assert _content(path) == before
    desk = Desk(SqliteStore.open(path))
    await WRITES[transaction](desk)
    await desk.store.aclose()
    assert _content(path) != before


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
