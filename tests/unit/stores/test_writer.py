"""On which thread a transaction runs, and what it then waits for."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guarded_agents.stores import _writer
from guarded_agents.stores._tx import Tx
from guarded_agents.stores._writer import Writer
from tests.support.store_desk import Desk
from tests.support.stores import key, proposal


def _thread(_: Tx) -> str:
    return threading.current_thread().name


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
        threading.Event().wait(0.001)
    pytest.fail("it never came to hold")


def _settled(writer: Writer) -> Writer:
    """Return *writer* after its first commit, as on a fast disk."""
    writer.queue(_thread).result()
    writer._commit_s = 0.0
    return writer


def test_a_transaction_runs_on_the_thread_that_brings_it_where_commits_are_fast(desk: Desk) -> None:
    done = _settled(desk.store._writer).submit(_thread)
    assert done.done()
    assert done.result() == threading.current_thread().name


@pytest.mark.parametrize("commit_s", [_writer.HERE_BELOW_S * 2, float("inf")], ids=["slow", "not known yet"])
def test_a_transaction_runs_on_the_writers_thread_where_commits_are_slow(desk: Desk, commit_s: float) -> None:
    writer = desk.store._writer
    writer._commit_s = commit_s
    assert writer.submit(_thread).result() == "guarded_agents store"


def test_one_fast_commit_does_not_hide_that_the_disk_has_become_slow(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = _settled(desk.store._writer)
    writer._commit_s = 0.0015
    clock = iter(range(0, 1_000, 5))
    monkeypatch.setattr(_writer.time, "monotonic", lambda: float(next(clock)))
    for _ in range(3):
        writer.submit(_thread)
    monkeypatch.undo()
    assert writer.submit(_thread).result() == "guarded_agents store"


def test_whoever_waits_for_another_process_is_the_writers_thread(desk: Desk, path: Path) -> None:
    writer = _settled(desk.store._writer)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = writer.submit(_thread)
    assert not waiting.done()
    other.execute("ROLLBACK")
    other.close()
    assert waiting.result() == "guarded_agents store"


def test_a_transaction_waits_behind_those_that_came_before(desk: Desk) -> None:
    writer, gate, order = _settled(desk.store._writer), threading.Event(), []
    first = writer.queue(lambda _: gate.wait() and order.append("first"))
    second = writer.submit(lambda _: order.append("second"))
    assert not second.done()
    gate.set()
    second.result()
    first.result()
    assert order == ["first", "second"]


def test_transactions_of_many_threads_each_run_once(desk: Desk) -> None:
    writer, ran = _settled(desk.store._writer), []

    def bring(number: int) -> None:
        for turn in range(20):
            writer.submit(lambda _, turn=turn: ran.append((number, turn))).result()

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == [(number, turn) for number in range(4) for turn in range(20)]
    assert [turn for number, turn in ran if number == 2] == list(range(20))


@pytest.mark.requirement("I5")
@pytest.mark.parametrize(
    ("bring", "levels"),
    [(lambda desk: desk.propose(), [1]), (lambda desk: desk.admit(), [2])],
    ids=["a proposal is written and synchronised later", "an intent is synchronised before it is told"],
)
async def test_only_what_fails_safely_may_be_lost_with_the_power(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, bring: Callable[[Desk], object], levels: list[int]
) -> None:
    await desk.propose(proposal(key(digest="other")))
    writer, seen = _settled(desk.store._writer), []
    original = Tx.in_savepoint

    def spied(tx: Tx, transaction: Callable[[Tx], object], *, path: str) -> object:
        seen.append(tx.db.execute("PRAGMA synchronous").fetchone()[0])  # 1 is NORMAL, 2 is FULL
        return original(tx, transaction, path=path)

    monkeypatch.setattr(Tx, "in_savepoint", spied)
    await bring(desk)  # type: ignore[misc]
    assert seen == levels
    assert writer.submit(lambda tx: tx.db.execute("PRAGMA synchronous").fetchone()[0]).result() == 2


async def test_a_light_transaction_that_fails_leaves_the_next_one_synchronised(desk: Desk) -> None:
    writer = _settled(desk.store._writer)

    def fail(_: Tx) -> None:
        raise ValueError("a bug")

    with pytest.raises(Exception, match="ValueError"):
        writer.submit(fail, is_light=True).result()
    assert writer.submit(lambda tx: tx.db.execute("PRAGMA synchronous").fetchone()[0]).result() == 2


@pytest.mark.requirement("I5")
async def test_what_was_written_lightly_is_synchronised_soon(desk: Desk) -> None:
    writer = _settled(desk.store._writer)
    await desk.propose()
    assert writer._is_unsynced
    await asyncio.to_thread(_until, lambda: not writer._is_unsynced)
    assert desk.store.proposal(key()) == proposal()


def _change_and_fail(tx: Tx) -> None:
    tx.db.execute("DELETE FROM proposals")
    raise ValueError("a bug")


@pytest.mark.requirement("I5")
@pytest.mark.parametrize("empty", [_thread, _change_and_fail], ids=["changes nothing", "is undone"])
async def test_what_was_written_lightly_is_synchronised_by_the_next_transaction_even_an_empty_one(
    desk: Desk, empty: Callable[[Tx], object]
) -> None:
    writer, seen = _settled(desk.store._writer), []
    await desk.propose()
    writer._db.set_trace_callback(seen.append)
    writer.submit(empty).exception()
    assert seen[-2:] == ["UPDATE guard_meta SET value = value", "COMMIT"]  # SQLite does not synchronise an empty commit
    assert not writer._is_unsynced


async def test_many_calls_at_once_are_all_recorded(desk: Desk) -> None:
    _settled(desk.store._writer)
    calls = [proposal(key(digest=f"d{number}", turn=number)) for number in range(20)]
    await asyncio.gather(*(desk.propose(call) for call in calls))
    assert [desk.store.proposal(call.key) for call in calls] == calls
