"""Group commit: what is buffered is visible at once, written in order, and never silently lost."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guarded_agents.audit import EMPTY_ROOT, GENESIS, Frontier, leaf_hash
from guarded_agents.errors import NotEligibleError, StoreError
from guarded_agents.records import Confidentiality, Integrity, Labels, Principal
from guarded_agents.stores import Admission, AuditNote, SqliteStore, _writer
from tests.support.store_desk import Desk
from tests.support.stores import NOTE, TEN, key, proposal

UNTRUSTED = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC)
SECRET = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.RESTRICTED)


@pytest.fixture
def _only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time write nothing, so that what is read is what is buffered."""
    monkeypatch.setattr(_writer, "FLUSH_AFTER_S", 3_600.0)


def until(holds: Callable[[], bool]) -> None:
    for _ in range(10_000):
        if holds():
            return
        threading.Event().wait(0.001)
    pytest.fail("it never came to hold")


def _said(store: SqliteStore) -> list[object]:
    return [json.loads(stored)["fields"]["n"] for _, stored, _ in store.audit_rows()]


@pytest.mark.usefixtures("_only_when_asked")
async def test_buffered_proposals_and_labels_are_visible_at_once(desk: Desk) -> None:
    read = proposal(consequential=False)
    await desk.propose(read, durable=False)
    await desk.store.relabel("thread", UNTRUSTED)
    await desk.store.relabel("thread", SECRET)
    assert desk.store.proposal(key()) == read
    assert desk.store.thread("thread").labels == Labels()  # type: ignore[union-attr]
    with sqlite3.connect(desk.store.path) as db:
        assert db.execute("SELECT count(*) FROM proposals").fetchone() == (0,)
    db.close()
    await desk.store.append([], now=TEN)
    assert desk.store.proposal(key()) == read
    assert desk.store.thread("thread").labels == Labels()  # type: ignore[union-attr]
    await desk.propose(read, durable=False)  # again, over the written one
    await desk.store.append([], now=TEN)
    assert desk.store.proposal(key()) == read


@pytest.mark.usefixtures("_only_when_asked")
async def test_labels_of_a_thread_that_is_not_opened_yet_are_kept(desk: Desk) -> None:
    await desk.store.relabel("later", SECRET)
    assert desk.store.thread("later") is None
    await desk.store.append([], now=TEN)
    opened = await desk.store.open_entry(
        thread="later", entry="e", requester=Principal(id="x"), tenant="t", labels=UNTRUSTED, now=TEN
    )
    assert opened.facts.labels == Labels()


@pytest.mark.usefixtures("_only_when_asked")
async def test_notes_are_written_in_order_before_the_next_transaction(desk: Desk) -> None:
    for n in range(3):
        desk.store.note([AuditNote("decision", {"n": 2 * n}), AuditNote("decision", {"n": 2 * n + 1})], now=TEN)
    assert desk.store.audit_head().size == 0
    head = await desk.store.append([AuditNote("decision", {"n": 6})], now=TEN)
    assert head == desk.store.audit_head()
    assert (head.size, _said(desk.store)) == (7, list(range(7)))


async def test_notes_are_written_after_a_moment_without_being_asked(desk: Desk) -> None:
    desk.store.note([NOTE], now=TEN)
    await asyncio.to_thread(until, lambda: desk.store.audit_head().size == 1)


@pytest.mark.usefixtures("_only_when_asked")
async def test_a_large_group_is_written_at_once(desk: Desk) -> None:
    for _ in range(_writer.FLUSH_ITEMS):
        desk.store.note([NOTE], now=TEN)
    await asyncio.to_thread(until, lambda: desk.store.audit_head().size == _writer.FLUSH_ITEMS)


@pytest.mark.usefixtures("_only_when_asked")
async def test_closing_writes_what_is_buffered(desk: Desk, path: Path) -> None:
    desk.store.note([NOTE], now=TEN)
    await desk.store.aclose()
    store = SqliteStore.open(path)
    assert store.audit_head().size == 1
    await store.aclose()


async def test_the_log_is_a_chain_and_a_tree_over_the_stored_bytes(desk: Desk) -> None:
    assert desk.store.audit_head()[1:] == (0, EMPTY_ROOT.hex())
    await desk.store.append([NOTE, NOTE], now=TEN)
    desk.store.note([NOTE], now=TEN)
    head = await desk.store.append([NOTE], now=TEN)
    previous, tree = GENESIS, Frontier()
    rows = list(desk.store.audit_rows())
    for number, (sequence, stored, digest) in enumerate(rows):
        entry = json.loads(stored)
        assert (sequence, entry["sequence"], entry["log"], entry["previous"]) == (number, number, head.log, previous)
        assert leaf_hash(stored) == digest
        previous = digest
        tree.append(bytes.fromhex(digest))
    assert (head.size, head.root) == (4, tree.root().hex())
    assert list(desk.store.audit_rows(2)) == rows[2:]
    assert list(desk.store.audit_rows(4)) == []


# -- what cannot be written -------------------------------------------------------------------


@pytest.mark.parametrize(
    "note",
    [AuditNote("gossip", {}), AuditNote("decision", {"tool": "\ud800"}), AuditNote("decision", {"n": 2**70})],
    ids=["unknown kind", "lone surrogate", "huge integer"],
)
async def test_a_note_that_cannot_be_written_is_refused_to_who_takes_it(desk: Desk, note: AuditNote) -> None:
    with pytest.raises(StoreError):
        desk.store.note([note], now=TEN)
    with pytest.raises(StoreError):
        await desk.store.append([note], now=TEN)
    assert (await desk.store.append([NOTE], now=TEN)).size == 1


@pytest.mark.parametrize(
    "of",
    [key(thread="\ud800"), key(turn=2**63), key(turn=-1)],
    ids=["lone surrogate", "huge turn", "turn below zero"],
)
async def test_a_proposal_that_cannot_be_written_is_refused_to_who_makes_it(desk: Desk, of: object) -> None:
    with pytest.raises(StoreError):
        await desk.propose(proposal(of, consequential=False), durable=False)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        await desk.store.relabel("\ud800", UNTRUSTED)
    assert (await desk.store.append([NOTE], now=TEN)).size == 1


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("of", [key("\ud800"), key(turn=2**63)], ids=["lone surrogate", "huge turn"])
async def test_a_key_that_cannot_be_looked_up_is_a_store_error(desk: Desk, of: object) -> None:
    with pytest.raises(StoreError):
        desk.store.claim(of)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        await desk.admit(of)  # type: ignore[arg-type]


async def test_a_transaction_that_fails_undoes_itself_and_no_other(desk: Desk) -> None:
    await desk.propose()
    gate = threading.Event()
    desk.store._writer.queue(lambda tx: gate.wait())  # type: ignore[arg-type, return-value]
    calls = asyncio.gather(
        desk.store.append([NOTE], now=TEN),
        desk.store.append([NOTE, AuditNote("gossip", {})], now=TEN),
        desk.enter(tenant="other"),
        desk.admit(),
        return_exceptions=True,
    )
    await asyncio.sleep(0)  # all of them wait, and go into one group
    gate.set()
    appended, refused, taken, admitted = await calls
    assert appended.size == 1  # type: ignore[union-attr]
    assert isinstance(refused, StoreError)
    assert isinstance(taken, NotEligibleError)
    assert isinstance(admitted, Admission)
    assert desk.kinds() == ["decision", "intent"]


@pytest.fixture
def _try_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_writer, "TRY_AGAIN_AFTER_S", 0.01)


def _refuse(db: sqlite3.Connection) -> None:
    db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END")


@pytest.mark.requirement("I5")
@pytest.mark.usefixtures("_try_again_at_once")
async def test_a_group_that_cannot_be_written_is_kept_and_every_call_raises(desk: Desk) -> None:
    await asyncio.to_thread(lambda: desk.store._writer.submit(lambda tx: _refuse(tx.db)).result())  # type: ignore[func-returns-value]
    desk.store.note([NOTE], now=TEN)
    await desk.store.relabel("thread", SECRET)
    await asyncio.to_thread(until, lambda: desk.store._writer._cause is not None)
    with pytest.raises(StoreError):
        desk.store.note([NOTE], now=TEN)
    with pytest.raises(StoreError):
        await desk.store.relabel("thread", UNTRUSTED)
    with pytest.raises(StoreError):
        await desk.propose()
    assert desk.store.thread("thread").labels == SECRET  # type: ignore[union-attr]  # still seen
    other = sqlite3.connect(desk.store.path, isolation_level=None)
    other.execute("DROP TRIGGER full")
    other.close()
    await asyncio.to_thread(until, lambda: desk.store.audit_head().size == 1)
    await asyncio.to_thread(until, lambda: desk.store._writer._cause is None)
    desk.store.note([NOTE], now=TEN)
    assert (await desk.store.append([], now=TEN)).size == 2
    assert desk.store.thread("thread").labels == SECRET  # type: ignore[union-attr]


async def test_a_note_that_only_code_can_bring_about_stops_the_group(path: Path) -> None:
    store = SqliteStore.open(path)
    store.note([AuditNote("decision", {"amount": 0.5})], now=TEN)
    with pytest.raises(StoreError, match="audit entry 0: expected JSON without floats"):
        await store.append([NOTE], now=TEN)
    with pytest.raises(StoreError, match="audit entry 0"):
        store.note([NOTE], now=TEN)
    with pytest.raises(StoreError, match="audit entry 0"):
        await store.aclose()


@pytest.mark.usefixtures("_only_when_asked")
async def test_what_is_being_written_is_still_visible(desk: Desk) -> None:
    read = proposal(consequential=False)
    other = proposal(key("b"), consequential=False)
    await desk.propose(read, durable=False)
    await desk.store.relabel("thread", UNTRUSTED)
    gate = threading.Event()
    writing = desk.store._writer.queue(lambda tx: gate.wait())  # type: ignore[arg-type, return-value]
    until(lambda: bool(desk.store._writer._flushing))
    await desk.propose(other, durable=False)
    await desk.store.relabel("thread", SECRET)
    await desk.store.relabel("elsewhere", SECRET)
    assert (desk.store.proposal(key()), desk.store.proposal(key("b"))) == (read, other)
    assert desk.store.thread("thread").labels == Labels()  # type: ignore[union-attr]
    assert desk.store.thread("elsewhere") is None
    gate.set()
    await asyncio.wrap_future(writing)


async def test_closing_says_what_could_not_be_written(path: Path) -> None:
    store = SqliteStore.open(path)
    await asyncio.to_thread(lambda: store._writer.submit(lambda tx: _refuse(tx.db)).result())  # type: ignore[func-returns-value]
    store.note([NOTE], now=TEN)
    with pytest.raises(StoreError, match=str(path)):
        await store.aclose()
    await store.aclose()


@pytest.mark.usefixtures("_only_when_asked")
async def test_a_buffer_that_is_full_takes_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_writer, "MAX_BUFFERED", 3)
    desk.store.note([NOTE] * 3, now=TEN)
    with pytest.raises(StoreError, match="at most 3 entries"):
        desk.store.note([NOTE], now=TEN)
    assert (await desk.store.append([], now=TEN)).size == 3


# -- loops and threads ------------------------------------------------------------------------


def test_a_store_serves_several_event_loops(path: Path) -> None:
    store = SqliteStore.open(path)
    sizes = [asyncio.run(store.append([NOTE], now=TEN)).size for _ in range(3)]
    assert sizes == [1, 2, 3]
    asyncio.run(store.aclose())


@pytest.mark.requirement("I4")
def test_threads_that_ask_at_once_admit_one(path: Path) -> None:
    store = SqliteStore.open(path)
    desk = Desk(store)
    asyncio.run(desk.propose())
    start = threading.Barrier(8)
    admitted = []

    def ask(name: int) -> None:
        start.wait()
        admitted.append(asyncio.run(desk.admit(owner=str(name))))

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(type(one).__name__ == "Admission" for one in admitted) == 1
    asyncio.run(store.aclose())


async def test_a_caller_that_gave_up_before_its_turn_changed_nothing(desk: Desk) -> None:
    gate = threading.Event()
    desk.store._writer.queue(lambda tx: gate.wait())  # type: ignore[arg-type, return-value]
    until(lambda: not desk.store._writer._jobs)
    asking = asyncio.ensure_future(desk.store.append([NOTE], now=TEN))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.set()
    assert (await desk.store.append([], now=TEN)).size == 0


async def test_who_never_pauses_is_slowed_down_and_not_refused(desk: Desk) -> None:
    for _ in range(3 * _writer.MAX_BUFFERED):
        desk.store.note([NOTE], now=TEN)
    head = await desk.store.append([NOTE], now=TEN)
    assert head.size == 3 * _writer.MAX_BUFFERED + 1
