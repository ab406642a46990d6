"""One transaction: the connection it runs on, and the head of the audit log within it."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from guarded_agents.audit import GENESIS, seal
from guarded_agents.errors import GuardError
from guarded_agents.records import AuditHead
from guarded_agents.stores._failures import as_store_error
from guarded_agents.stores._results import AuditNote


class Tx:
    """What a transaction works with. Made anew for each ``BEGIN IMMEDIATE``: several processes may write."""

    __slots__ = ("_next", "_previous", "db", "log", "span")

    def __init__(self, db: sqlite3.Connection, log: str) -> None:
        """Work on *db*, whose audit log is *log*."""
        self.db, self.log = db, log
        self.span: Mapping[str, JsonValue] = {}  # in which the transaction that runs was asked for
        self._next: int | None = None
        self._previous = GENESIS

    def in_savepoint(self, transaction: Callable[["Tx"], object], *, path: str) -> object:
        """Return the result of *transaction*, or the error that undid it and nothing else (of the store *path*)."""
        self.db.execute("SAVEPOINT job")
        try:
            result = transaction(self)
        except Exception as error:  # nothing here interrupts or executes; whatever fails is a StoreError to who asked
            if not self.db.in_transaction:
                raise  # SQLite has rolled back everything (a full disk, for one)
            self.db.execute("ROLLBACK TO job")
            self._next = None  # the head has to be read again
            result = error if isinstance(error, GuardError) else as_store_error(path, error)
        self.db.execute("RELEASE job")
        return result

    def head(self) -> AuditHead:
        """Return the head as this transaction sees it."""
        if self._next is None:
            head = audit_head(self.db, self.log)
            self._next, self._previous = head.size, head.root
        return AuditHead(self.log, self._next, self._previous)

    def append(self, notes: Sequence[AuditNote], now: datetime) -> None:
        """Append *notes* to the audit log, with the span. Raises StoreError for one that cannot be sealed."""
        self.append_each([(within(self.span, notes), now)])

    def append_each(self, groups: Iterable[tuple[Sequence[AuditNote], datetime]]) -> None:
        """Append the notes of each group with the time (UTC) at which they were taken."""
        log, sequence, previous = self.head()
        rows = []
        for notes, now in groups:
            for kind, fields in notes:
                stored, digest = seal(kind, fields, log=log, sequence=sequence, previous=previous, at=now)
                rows.append((sequence, stored, digest))
                sequence, previous = sequence + 1, digest
        self.db.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
        self._next, self._previous = sequence, previous


def within(span: Mapping[str, JsonValue], notes: Sequence[AuditNote]) -> Sequence[AuditNote]:
    """Return *notes* with the *span* that they are made in, if there is one."""
    return [AuditNote(kind, {**fields, **span}) for kind, fields in notes] if span else notes


def audit_head(db: sqlite3.Connection, log: str) -> AuditHead:
    """Return the head of the log: its size and the hash of its last entry, GENESIS where there is none."""
    row = db.execute("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
    return AuditHead(log, 0, GENESIS) if row is None else AuditHead(log, row[0] + 1, row[1])
