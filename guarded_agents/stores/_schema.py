"""How a file is opened, and made where it is missing."""

import errno
import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

from guarded_agents.errors import StoreError
from guarded_agents.stores._failures import BUSY_TIMEOUT_S, store_error, told
from guarded_agents.stores._tables import SCHEMA_VERSION, TABLES

MEMORY: Final = ":memory:"

_MAKING: Final = threading.Lock()  # nobody connects to a file that another thread here has open


def open_writer(path: str, log_id: str | None) -> tuple[sqlite3.Connection, str]:
    """Open *path* for writing, making it (mode 0600) where it is missing; return it and the id of its log.

    Raises StoreError where it is of another schema version, of another application, corrupt, or
    holds another log than *log_id*; nothing is changed then.
    """
    db = _connect(path)
    try:
        with told(path):
            log = _prepare(db, path, log_id)
    except BaseException:
        db.close()
        raise
    return db, log


def open_reader(path: str) -> sqlite3.Connection:
    """Open *path*, which `open_writer` has prepared, for reading only."""
    db = _connect(path)
    with told(path):
        db.execute("PRAGMA query_only = ON")
    return db


def _make(path: str) -> None:
    """Make an empty file that only its owner may read, where there is none.

    One that is there is left alone: closing any descriptor of a file drops every lock that this process holds on it
    (POSIX), those of SQLite's connections too, and another process would then delete the log of changes under them.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _connect(path: str) -> sqlite3.Connection:
    try:
        if path != MEMORY:
            _make(path)
        db = sqlite3.connect(
            path if path == MEMORY else f"{Path(path).absolute().as_uri()}?mode=rw",
            uri=path != MEMORY,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,  # transactions begin and end where we say
            check_same_thread=False,  # each connection is used by one thread at a time
        )
        db.execute("PRAGMA trusted_schema = OFF")  # whoever writes the file writes its schema too
        db.text_factory = _text
        db.create_function("is_utf8", 1, _is_utf8, deterministic=True)
    except OSError as error:
        raise StoreError(
            f"store {path}",
            expected="a file that can be opened for writing",
            got=error.strerror or type(error).__name__,
            action="make its folder and give this process access",
        ) from error
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    return db


def _text(stored: bytes) -> str:
    """Return a text of the file. One that is no UTF-8, which we never write, keeps nobody from reading the others."""
    return stored.decode(errors="replace")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _prepare(db: sqlite3.Connection, path: str, log_id: str | None) -> str:
    if not _tables(db):
        db.execute("PRAGMA page_size = 8192")  # audit entries of 1 KB cost a third less than with 4096
        _enter_wal(db)
        db.execute("BEGIN IMMEDIATE")
        if not _tables(db):  # another process may have been first
            _create(db, log_id or uuid4().hex)
        db.execute("COMMIT")
    meta = _meta(db, path)
    _check_schema(db, path)
    if log_id not in (None, meta["log_id"]):
        raise StoreError(
            f"store {path}",
            expected=f"the audit log {log_id}",
            got=f"the audit log {meta['log_id']}",
            action="name the file of that log, or leave the log id out",
        )
    _enter_wal(db)
    db.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns (FACTS F29)
    return meta["log_id"]


def _tables(db: sqlite3.Connection) -> list[tuple[str]]:
    return db.execute("SELECT name FROM sqlite_schema").fetchall()


def _check_schema(db: sqlite3.Connection, path: str) -> None:
    """Raise StoreError unless the file holds our tables and nothing that would make them show or do something else."""
    found = _schema_of(db)
    if found != _our_schema():
        raise StoreError(
            f"store {path}",
            expected="the tables of guarded_agents as it made them",
            got="a view, a trigger, or a table or index that was changed by somebody else",
            action="find out who writes this file, and open a copy from before",
        )


def _schema_of(db: sqlite3.Connection) -> frozenset[tuple[str, str, str, str]]:
    """Return (type, name, table, SQL on one line) of all that the file holds, but for SQLite's statistics."""
    rows = db.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
        " WHERE NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))"
    )
    return frozenset((kind, name, table, " ".join(sql.split())) for kind, name, table, sql in rows)


@cache
def _our_schema() -> frozenset[tuple[str, str, str, str]]:
    with closing(sqlite3.connect(MEMORY)) as db:
        for statement in TABLES:
            db.execute(statement)
        return _schema_of(db)


def _create(db: sqlite3.Connection, log_id: str) -> None:
    for statement in TABLES:
        db.execute(statement)
    meta = {"schema_version": str(SCHEMA_VERSION), "log_id": log_id}
    db.executemany("INSERT INTO guard_meta VALUES (?, ?)", meta.items())
    db.execute("INSERT INTO frontier VALUES (0, x'')")


def _meta(db: sqlite3.Connection, path: str) -> dict[str, str]:
    if ("guard_meta",) not in _tables(db):
        raise StoreError(
            f"store {path}",
            expected="an empty file or a store of guarded_agents",
            got="a database of another application",
            action="name another file",
        )
    with closing(db.execute("SELECT name, value FROM guard_meta")) as rows:
        meta: dict[str, str] = dict(rows)
    if meta.get("schema_version") != str(SCHEMA_VERSION):
        raise StoreError(
            f"store {path}",
            expected=f"schema version {SCHEMA_VERSION}",
            got=f"version {meta.get('schema_version')}",
            action="use the release of guarded_agents that wrote it",
        )
    return meta


def _enter_wal(db: sqlite3.Connection) -> None:
    """Enter WAL mode. It needs the file for itself and has no busy handler, so it is tried for a while."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return
