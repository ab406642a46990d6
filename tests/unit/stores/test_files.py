"""The file: how it is opened, and what is said where it cannot be used."""

import asyncio
import gc
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from guarded_agents.errors import StoreError
from guarded_agents.stores import Admission, SqliteStore, _schema, _sqlite_reads
from guarded_agents.stores import _failures as failures
from guarded_agents.stores._tables import SCHEMA_VERSION
from guarded_agents.stores._tx import Tx
from tests.support.store_desk import Desk
from tests.support.stores import NOTE, TEN, key, proposal, request


def test_a_store_is_made_where_there_is_none(path: Path) -> None:
    store = SqliteStore.open(str(path), log_id="log")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert store.audit_head().log == "log"
    asyncio.run(store.append([NOTE], now=TEN))
    asyncio.run(store.aclose())
    again = SqliteStore.open(path, log_id="log")
    assert again.audit_head().size == 1
    asyncio.run(again.aclose())


async def test_a_log_without_a_name_gets_one(path: Path) -> None:
    store = SqliteStore.open(path)
    log = store.audit_head().log
    await store.aclose()
    again = SqliteStore.open(path)
    assert again.audit_head().log == log
    await again.aclose()


async def test_a_store_in_memory_works_alike() -> None:
    desk = Desk(SqliteStore.open(":memory:"))
    await desk.propose()
    await desk.propose(proposal(key("b"), consequential=False), durable=False)
    assert isinstance(await desk.admit(), Admission)
    assert desk.store.proposal(key("b")) is not None
    await desk.store.aclose()


@pytest.mark.requirement("I5")
async def test_a_commit_is_on_disk(desk: Desk) -> None:
    settings = await asyncio.to_thread(
        desk.store._writer.submit(
            lambda tx: [tx.db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")]
        ).result
    )
    assert settings == [2, "wal"]  # FULL


# -- files that are none of ours --------------------------------------------------------------


def _another_application(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    db.close()


def _newer(path: Path) -> None:
    _version(path, str(SCHEMA_VERSION + 1))


def _older(path: Path) -> None:
    _version(path, "1")


def _version(path: Path, version: str) -> None:
    asyncio.run(SqliteStore.open(path).aclose())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE guard_meta SET value = ? WHERE name = 'schema_version'", (version,))
    db.close()


def _no_version(path: Path) -> None:
    asyncio.run(SqliteStore.open(path).aclose())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("DELETE FROM guard_meta")
    db.close()


def _no_database(path: Path) -> None:
    path.write_bytes(b"a text, and a long one\n" * 400)


def _torn(path: Path) -> None:
    asyncio.run(SqliteStore.open(path).aclose())
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 8_092 + content[8_192:])


def _changed(path: Path, *statements: str) -> None:
    asyncio.run(SqliteStore.open(path).aclose())
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def _with_a_view(path: Path) -> None:
    _changed(
        path,
        "PRAGMA legacy_alter_table = ON",
        "ALTER TABLE requests RENAME TO behind",
        "CREATE VIEW requests AS SELECT * FROM behind",
    )


def _with_a_trigger(path: Path) -> None:
    _changed(path, "CREATE TRIGGER wakes_none AFTER UPDATE ON requests BEGIN DELETE FROM wakes; END")


def _with_another_table(path: Path) -> None:
    _changed(path, "CREATE TABLE more (id INTEGER PRIMARY KEY)")


def _with_another_column(path: Path) -> None:
    _changed(path, "ALTER TABLE votes ADD COLUMN more TEXT")


def _with_another_index(path: Path) -> None:
    _changed(
        path,
        "DROP INDEX requests_asked",
        "CREATE INDEX requests_asked ON requests (question, asked_at) WHERE asked_at IS NOT NULL AND asked_at < 9",
    )


def _without_an_index(path: Path) -> None:
    _changed(path, "DROP INDEX requests_asked")


BROKEN = {
    "a view": (_with_a_view, "changed by somebody else"),
    "a trigger": (_with_a_trigger, "changed by somebody else"),
    "another table": (_with_another_table, "changed by somebody else"),
    "another column": (_with_another_column, "changed by somebody else"),
    "another index": (_with_another_index, "changed by somebody else"),
    "an index that is gone": (_without_an_index, "changed by somebody else"),
    "another application": (_another_application, "a database of another application"),
    "newer": (_newer, f"expected schema version {SCHEMA_VERSION}, got version {SCHEMA_VERSION + 1}"),
    "older": (_older, f"expected schema version {SCHEMA_VERSION}, got version 1; use the release"),
    "no version": (_no_version, "got version None"),
    "no database": (_no_database, "expected an SQLite database"),
    "torn": (_torn, "a corrupt one"),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("spoil", "words"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_used_is_named_and_left_as_it_is(
    path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words) as caught:
        SqliteStore.open(path)
    assert str(path) in str(caught.value)
    assert caught.value.action
    assert path.read_bytes() == before


def test_the_statistics_of_sqlite_and_a_smaller_file_are_no_change(path: Path) -> None:
    _changed(path, "ANALYZE", "VACUUM")
    asyncio.run(SqliteStore.open(path).aclose())


@pytest.mark.parametrize("name", ["file", ":memory:"])
def test_what_the_schema_of_a_file_calls_is_not_trusted(path: Path, name: str) -> None:
    store = SqliteStore.open(path if name == "file" else name)
    for db in (store._reader, store._writer._db):
        assert db.execute("PRAGMA trusted_schema").fetchone() == (0,)
    asyncio.run(store.aclose())


def test_the_log_of_another_deployment_is_refused(path: Path) -> None:
    asyncio.run(SqliteStore.open(path, log_id="ours").aclose())
    with pytest.raises(StoreError, match="expected the audit log theirs, got the audit log ours"):
        SqliteStore.open(path, log_id="theirs")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory; make its folder"):
        SqliteStore.open(tmp_path / "missing" / "guard.db")
    with pytest.raises(StoreError, match="Is a directory"):
        SqliteStore.open(tmp_path)


@pytest.mark.requirement("I6")
def test_rows_that_were_spoiled_are_a_store_error_that_quotes_none(path: Path) -> None:
    desk = Desk(SqliteStore.open(path))
    asyncio.run(desk.propose())
    asyncio.run(desk.hold())
    desk.store._writer.submit(lambda tx: tx.db.execute('UPDATE requests SET document = \'{"x": "secret"}\'')).result()
    with pytest.raises(StoreError, match="ValidationError") as caught:
        desk.store.request("r-a")
    assert caught.value.__cause__ is None
    asyncio.run(desk.store.aclose())


# -- a disk that is full, locked, read-only or broken ------------------------------------------


@pytest.mark.requirement("I6")
async def test_a_full_disk_denies_and_loses_nothing(desk: Desk) -> None:
    await desk.propose()

    def fill(tx: Tx) -> None:
        (pages,) = tx.db.execute("PRAGMA page_count").fetchone()
        tx.db.execute(f"PRAGMA max_page_count = {pages}")

    desk.store._writer.submit(fill).result()
    big = request(arguments='"' + "x" * 60_000 + '"')
    with pytest.raises(StoreError, match="full disk"):
        await desk.hold(big)
    assert desk.store.request("r-a") is None
    desk.store._writer.submit(lambda tx: tx.db.execute("PRAGMA max_page_count = 100000").fetchone()).result()
    await desk.hold(big)
    assert desk.store.request("r-a").request == big  # type: ignore[union-attr]


@pytest.mark.requirement("I6")
async def test_a_store_that_another_process_keeps_locked_denies(desk: Desk, path: Path) -> None:
    await desk.propose()
    desk.store._writer._beginning.busy_timeout_ms = 1
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="expected the write lock within 5 s"):
        await desk.admit()
    assert desk.store.proposal(key()) == proposal()  # reads go on
    other.execute("ROLLBACK")
    other.close()
    assert isinstance(await desk.admit(), Admission)


@pytest.mark.requirement("I6")
async def test_a_read_only_store_denies(desk: Desk) -> None:
    await desk.propose()
    desk.store._writer._db.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="read-only one"):
        await desk.admit()
    assert desk.store.claim(key()) is None


@pytest.mark.requirement("I6")
def test_a_store_that_becomes_corrupt_denies(path: Path) -> None:
    desk = Desk(SqliteStore.open(path))
    asyncio.run(desk.propose())
    query = "SELECT rootpage FROM sqlite_schema WHERE name = 'claims'"
    (root,) = desk.store._writer.submit(lambda tx: tx.db.execute(query).fetchone()).result()
    asyncio.run(desk.store.aclose())
    content = bytearray(path.read_bytes())
    content[(root - 1) * 8_192 : root * 8_192] = b"\xff" * 8_192
    path.write_bytes(content)
    desk = Desk(SqliteStore.open(path))
    with pytest.raises(StoreError, match="a corrupt one"):
        asyncio.run(desk.admit())
    with pytest.raises(StoreError, match="a corrupt one"):
        desk.store.claim(key())
    assert desk.store.proposal(key()) == proposal()
    asyncio.run(desk.store.aclose())


CODES = {
    "busy": (sqlite3.SQLITE_BUSY, "locked"),
    "locked": (sqlite3.SQLITE_LOCKED, "locked"),
    "io": (sqlite3.SQLITE_IOERR, "look at the disk"),
    "cannot open": (sqlite3.SQLITE_CANTOPEN, "make its folder"),
    "other": (sqlite3.SQLITE_MISUSE, "report this as a bug"),
    "extended": (sqlite3.SQLITE_IOERR_FSYNC, "look at the disk"),
}


@pytest.mark.parametrize(("code", "words"), CODES.values(), ids=CODES)
def test_what_sqlite_reports_is_said_with_what_to_do(code: int, words: str) -> None:
    error = sqlite3.OperationalError("secret")
    error.sqlite_errorcode = code
    told = failures.store_error("guard.db", error)
    assert words in str(told)
    assert "secret" not in str(told)
    assert str(failures.store_error("guard.db", sqlite3.ProgrammingError("no code"))).startswith("store guard.db")


# -- closing ----------------------------------------------------------------------------------


@pytest.mark.requirement("I6")
async def test_a_closed_store_answers_nothing(path: Path) -> None:
    desk = Desk(SqliteStore.open(path))
    await desk.store.aclose()
    await desk.store.aclose()
    with pytest.raises(StoreError, match="got a closed one"):
        desk.store.thread("thread")
    with pytest.raises(StoreError, match="got a closed one"):
        desk.store.note([NOTE], now=TEN)
    with pytest.raises(StoreError, match="got a closed one"):
        await desk.propose()


def test_a_store_that_is_dropped_writes_what_it_held(path: Path) -> None:
    store = SqliteStore.open(path)
    thread = store._writer._thread
    store.note([NOTE], now=TEN)
    del store
    gc.collect()
    assert not thread.is_alive()
    again = SqliteStore.open(path)
    assert again.audit_head().size == 1
    asyncio.run(again.aclose())


async def test_a_forked_child_is_told_to_open_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        for use in (lambda: desk.store.thread("thread"), lambda: desk.store.note([NOTE], now=TEN)):
            with pytest.raises(StoreError, match="open it after the fork"):
                use()
        with pytest.raises(StoreError, match="open it after the fork"):
            await desk.propose()
    await desk.propose()


def test_a_forked_child_that_ends_leaves_the_connections_to_its_parent(path: Path) -> None:
    store = SqliteStore.open(path)
    _sqlite_reads._shut(store._writer, store._reader, store._lock, -1)
    assert asyncio.run(store.append([NOTE], now=TEN)).size == 1
    asyncio.run(store.aclose())


def test_of_two_processes_that_make_the_file_one_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter_wal = _schema._enter_wal

    def while_another_makes_it(db: sqlite3.Connection) -> None:
        monkeypatch.setattr(_schema, "_enter_wal", enter_wal)
        asyncio.run(SqliteStore.open(path, log_id="theirs").aclose())

    monkeypatch.setattr(_schema, "_enter_wal", while_another_makes_it)
    store = SqliteStore.open(path)
    assert store.audit_head().log == "theirs"
    asyncio.run(store.aclose())


def test_a_file_that_sqlite_cannot_open_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*values: object, **options: object) -> None:
        raise sqlite3.OperationalError

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(StoreError, match=str(path)):
        SqliteStore.open(path)


def test_wal_is_entered_while_another_process_is_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        left = 2

        def execute(self, statement: str) -> None:
            self.left -= 1
            if self.left >= 0:
                error = sqlite3.OperationalError()
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error

    _schema._enter_wal(Busy())  # type: ignore[arg-type]
    monkeypatch.setattr(_schema, "BUSY_TIMEOUT_S", -1)
    with pytest.raises(sqlite3.OperationalError):
        _schema._enter_wal(Busy())  # type: ignore[arg-type]
