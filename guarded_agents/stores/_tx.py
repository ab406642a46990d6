"""One transaction: the connection it runs on, and the head of the audit log within it."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from guarded_agents.audit import GENESIS, HASH_BYTES, Frontier, Subtree, seal
from guarded_agents.errors import GuardError, StoreError
from guarded_agents.records import AuditHead
from guarded_agents.stores._failures import as_store_error
from guarded_agents.stores._results import AuditNote


class Tx:
    """What a transaction works with. Made anew for each ``BEGIN IMMEDIATE``: several processes may write."""

    __slots__ = ("_previous", "_tree", "db", "log", "span")

    def __init__(self, db: sqlite3.Connection, log: str) -> None:
        """Work on *db*, whose audit log is *log*."""
        self.db, self.log = db, log
        self.span: Mapping[str, JsonValue] = {}  # in which the transaction that runs was asked for
        self._tree: Frontier | None = None  # of the log as this transaction sees it; None: to be read
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
            self._tree = None  # it has to be read again
            result = error if isinstance(error, GuardError) else as_store_error(path, error)
        self.db.execute("RELEASE job")
        return result

    def head(self) -> AuditHead:
        """Return the head as this transaction sees it."""
        tree = self.tree()
        return AuditHead(self.log, tree.size, tree.root().hex())

    def tree(self) -> Frontier:
        """Return the tree of the log as this transaction sees it, which is to be read only.

        Raises StoreError where it is not that of the entries.
        """
        if self._tree is None:
            last = self.db.execute("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1").fetchone()
            size, self._previous = (0, GENESIS) if last is None else (last[0] + 1, last[1])
            tree = frontier_in(self.db)
            if tree.size != size:
                raise StoreError(
                    f"audit log {self.log}",
                    expected=f"{tree.size:,} entries, as its tree has",
                    got=f"{size:,}",
                    action="write nothing; keep a copy, and verify it with `guarded-agents audit verify`",
                )
            self._tree = tree
        return self._tree

    def append(self, notes: Sequence[AuditNote], now: datetime) -> None:
        """Append *notes* to the audit log, with the span. Raises StoreError for one that cannot be sealed."""
        self.append_each([(within(self.span, notes), now)])

    def append_each(self, groups: Iterable[tuple[Sequence[AuditNote], datetime]]) -> None:
        """Append the notes of each group with the time (UTC) at which they were taken."""
        tree, rows, whole = self.tree(), list[tuple[int, bytes, str]](), list[Subtree]()
        try:
            for notes, now in groups:
                for kind, fields in notes:
                    sequence = tree.size
                    stored, digest = seal(
                        kind, fields, log=self.log, sequence=sequence, previous=self._previous, at=now
                    )
                    rows.append((sequence, stored, digest))
                    tree.append(bytes.fromhex(digest), whole)
                    self._previous = digest
        except StoreError:
            self._tree = None
            raise
        if not rows:
            return
        self.db.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
        self.db.executemany("INSERT INTO subtrees VALUES (?, ?, ?)", whole)
        self.db.execute("UPDATE frontier SET size = ?, roots = ?", (tree.size, b"".join(tree.roots)))


def within(span: Mapping[str, JsonValue], notes: Sequence[AuditNote]) -> Sequence[AuditNote]:
    """Return *notes* with the *span* that they are made in, if there is one."""
    return [AuditNote(kind, {**fields, **span}) for kind, fields in notes] if span else notes


def frontier_in(db: sqlite3.Connection) -> Frontier:
    """Return the tree of the log. Raises ValueError where it is none."""
    size, roots = db.execute("SELECT size, roots FROM frontier").fetchone()
    return Frontier(size, [roots[at : at + HASH_BYTES] for at in range(0, len(roots), HASH_BYTES)])


def audit_head(db: sqlite3.Connection, log: str) -> AuditHead:
    """Return the head of the log: its size and root, as its tree has them."""
    tree = frontier_in(db)
    return AuditHead(log, tree.size, tree.root().hex())
