"""B13: the store fails: nothing runs that is not on record, and nothing runs twice once it is healed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import ConfigurationError, StoreError
from guarded_agents.stores import SqliteStore, _schema
from tests.support.bank import calls
from tests.support.siege import HAPPENED_TOPUP, HAPPENED_WIRE, TOPUP, WIRE, Post, Siege

pytestmark = pytest.mark.requirement("B13", "I5", "I6")

SCRIPT = calls(("wire", WIRE), ("topup", TOPUP))
ONCE = [HAPPENED_TOPUP, HAPPENED_WIRE]


class Failing:
    """Stands in for a collaborator, and raises at the calls named in ``fails`` until it is healed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.fails: set[str] = set()
        self.error: BaseException = StoreError("store", expected="an answer", got="none", action="try again")
        self.after = False  # raise once the work is done
        self.raised = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self.fails:
            return found
        if name in ("thread", "proposal", "claim", "request", "request_of", "note", "audit_head", "decide"):

            def call(*args: Any, **kwargs: Any) -> Any:
                self.raised += 1
                raise self.error

            return call

        async def acall(*args: Any, **kwargs: Any) -> Any:
            if self.after:
                await found(*args, **kwargs)
            self.raised += 1
            raise self.error

        return acall


# -- the store ----------------------------------------------------------------------------------

WRITES = ["open_entry", "propose", "hold", "admit", "refuse", "vote"]
READS = ["thread", "proposal", "request", "request_of"]


def _with_store(siege: Siege) -> tuple[Post, Failing]:
    store = Failing(SqliteStore.open(siege.bank.folder / "guard.db"))
    return siege.open(SCRIPT, store=store, root_key=siege.bank.folder / "root.key"), store


@pytest.mark.parametrize("method", [*WRITES, *READS])
def test_a_store_that_fails_from_the_start_runs_nothing_that_it_did_not_record(siege: Siege, method: str) -> None:
    post, store = _with_store(siege)
    store.fails = {method}
    post.failing("ask")
    post.press()
    needed = method in ("open_entry", "propose", "admit", "thread", "proposal", "request_of")
    assert siege.effects == ([] if needed else [HAPPENED_TOPUP])
    assert store.raised or method in ("vote", "request", "refuse")
    store.fails = set()
    post.press()
    assert HAPPENED_WIRE not in siege.effects
    assert siege.effects in ([], [HAPPENED_TOPUP])


@pytest.mark.parametrize("method", ["vote", "admit", "thread", "proposal", "request", "request_of", "refuse", "note"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_store_that_fails_at_the_resume_runs_it_at_most_once(siege: Siege, method: str, after: bool) -> None:
    post, store = _with_store(siege)
    post.ask()
    signed = siege.signed(post, post.waits()[0])
    store.fails, store.after = {method}, after
    post.failing("call", "resume", signed)
    siege.bank.clock.advance(3_600)  # a lease that was taken lapses
    post.press()
    if method == "admit":
        assert siege.effects == [HAPPENED_TOPUP]
    store.fails = set()
    post.failing("call", "resume", signed)
    post.press()
    assert siege.effects in ([HAPPENED_TOPUP], ONCE)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_effect_whose_outcome_cannot_be_stored_is_not_repeated(siege: Siege, after: bool) -> None:
    post, store = _with_store(siege)
    store.fails, store.after = {"settle"}, after
    post.ask()
    siege.bank.clock.advance(600)
    post.failing("call", "resume", siege.signed(post, post.waits()[0]))
    assert store.raised == 2
    store.fails = set()
    siege.bank.clock.advance(3_600)  # the leases lapse
    post.press()
    assert siege.effects == ONCE
    assert len(post.guard.doubts) == (0 if after else 2)


# -- its file -----------------------------------------------------------------------------------


def _writer(post: Post) -> sqlite3.Connection:
    store: Any = post.guard.store
    db: sqlite3.Connection = store._writer._db
    return db


def _locked(siege: Siege, post: Post) -> Iterator[None]:
    with closing(sqlite3.connect(siege.bank.folder / "guard.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _read_only(siege: Siege, post: Post) -> Iterator[None]:
    post.line.wait(_pragma(post, "query_only = 1"))
    yield
    post.line.wait(_pragma(post, "query_only = 0"))


def _full(siege: Siege, post: Post) -> Iterator[None]:
    db = _writer(post)
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    yield
    db.execute("PRAGMA max_page_count = 1000000")


async def _pragma(post: Post, text: str) -> None:
    _writer(post).execute(f"PRAGMA {text}")


def _garbage(siege: Siege, post: Post) -> Iterator[None]:
    path = siege.bank.folder / "guard.db"
    _writer(post).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sound = path.read_bytes()
    path.write_bytes(b"\xff" * len(sound))
    yield
    path.write_bytes(sound)


def _claims(siege: Siege) -> int:
    with closing(sqlite3.connect(siege.bank.folder / "guard.db")) as db:
        (count,) = db.execute("SELECT count(*) FROM claims WHERE admitted_at IS NOT NULL").fetchone()
    return int(count)


FAULTS = {"locked": _locked, "read-only": _read_only, "full": _full, "garbage": _garbage}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a locked database fail at once."""
    monkeypatch.setattr(_schema, "BUSY_TIMEOUT_S", 0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("when", ["from the start", "while it waits"])
def test_a_store_file_that_fails_runs_nothing(siege: Siege, fault: Any, when: str) -> None:
    post = siege.open(SCRIPT)
    if when == "from the start":
        before: list[Any] = []
        signed = None
    else:
        before = [HAPPENED_TOPUP]
        post.ask()
        signed = siege.signed(post, post.waits()[0])
    broken = fault(siege, post)
    next(broken)
    post.failing("ask" if signed is None else "call", *(() if signed is None else ("resume", signed)))
    post.press()
    happened = siege.effects
    next(broken, None)
    if fault is _full:  # a page may still have room for a row: what ran is on record
        assert len(happened) <= _claims(siege)
    else:
        assert happened == before
    if fault is _garbage:
        siege.forget()  # what was read while it was broken cannot be closed in order
        return
    post.press()
    assert siege.effects.count(HAPPENED_WIRE) <= (signed is not None)
    assert siege.effects.count(HAPPENED_TOPUP) <= 1


def test_a_store_that_was_replaced_while_it_waited_approves_nothing(siege: Siege, tmp_path: Path) -> None:
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    signed = siege.signed(first, first.waits()[0])
    siege.close()
    for suffix in ("", "-wal", "-shm"):
        (siege.bank.folder / f"guard.db{suffix}").unlink(missing_ok=True)
    second = siege.open(SCRIPT, saver=saver)
    second.failing("call", "resume", signed)
    second.failing("call", "wake", "t1")
    second.failing("run")
    assert siege.effects == [HAPPENED_TOPUP]


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough to be read as one" * 40])
def test_a_store_that_is_none_is_not_opened_or_is_new(siege: Siege, content: bytes) -> None:
    (siege.bank.folder / "guard.db").write_bytes(content)
    try:
        post = siege.open(SCRIPT)
    except StoreError:
        assert content
        return
    post.ask()
    assert siege.effects == [HAPPENED_TOPUP]


@pytest.mark.parametrize("name", ["policy.yaml", "tools.lock", "allowed_signers"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"{"], ids=repr)
def test_a_file_that_cannot_be_used_starts_nothing(siege: Siege, name: str, content: bytes | None) -> None:
    path = siege.bank.folder / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    try:
        post = siege.open(SCRIPT)
    except ConfigurationError:
        assert not (siege.bank.folder / "guard.db").exists()
        return
    assert name == "allowed_signers"  # without signers nobody can approve
    post.ask()
    assert siege.effects == [HAPPENED_TOPUP]
