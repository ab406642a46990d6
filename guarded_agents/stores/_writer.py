"""The one thread that writes: it commits whatever waits together, with one fsync (group commit, FACTS F29)."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from typing import Final, TypeVar

from guarded_agents.errors import GuardError, StoreError
from guarded_agents.records import CallKey, Labels, Proposal
from guarded_agents.stores._buffer import Buffer
from guarded_agents.stores._failures import as_store_error, closed
from guarded_agents.stores._rows import stricter
from guarded_agents.stores._tx import Tx

T = TypeVar("T")
_Job = tuple[Callable[[Tx], object], "Future[object]"]

FLUSH_AFTER_S: Final = 0.05
FLUSH_ITEMS: Final = 256
MAX_BUFFERED: Final = 10_000
TRY_AGAIN_AFTER_S: Final = 1.0


class Writer:
    """Runs transactions on a thread of its own, in the order in which they came, each in a savepoint.

    What is buffered is written at the start of the next group. Where that fails it is kept and tried again,
    and every call raises until it is written: nothing is silently lost.
    """

    def __init__(
        self, db: sqlite3.Connection, *, path: str, log: str, exclusive: AbstractContextManager[object]
    ) -> None:
        """Write on *db*, inside *exclusive* where readers share that connection."""
        self.path, self.log = path, log
        self._db, self._exclusive = db, exclusive
        self._wake = threading.Condition()
        self._jobs: list[_Job] = []
        self._buffer = Buffer()
        self._flushing: tuple[Buffer, ...] = ()
        self._due_s: float | None = None  # when the buffer is to be written, on the monotonic clock
        self._cause: Exception | None = None  # why the last group could not be written
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="guarded_agents store", daemon=True)
        self._thread.start()

    # -- from any thread ------------------------------------------------------------------------

    def submit(self, transaction: Callable[[Tx], T | GuardError]) -> "Future[T]":
        """Return the future of *transaction*, on disk when it is done. An error it returns is committed and raised."""
        future: Future[T] = Future()
        with self._wake:
            if self._closing:
                raise closed(self.path)
            self._jobs.append((transaction, future))  # type: ignore[arg-type]
            self._wake.notify()
        return future

    def buffer(self, add: Callable[[Buffer], None]) -> None:
        """Let *add* put something into the group that is written next.

        Raises StoreError where an earlier group could not be written, or too much waits.
        """
        with self._wake:
            self._check()
            add(self._buffer)
            if self._due_s is None:
                self._due_s = time.monotonic() + FLUSH_AFTER_S
                self._wake.notify()
            elif len(self._buffer) >= FLUSH_ITEMS:
                self._wake.notify()

    def labels(self, thread: str) -> Labels | None:
        """Return the labels of *thread* that are not written yet. To be asked before the database is."""
        found = self._buffer.labels.get(thread)
        for buffer in self._flushing:  # read after ``_buffer``: the writer sets it before
            more = buffer.labels.get(thread)
            if more is not None:
                found = more if found is None else stricter(found, more)
        return found

    def proposal(self, key: CallKey) -> Proposal | None:
        """Return the proposal of *key* that is not written yet. To be asked before the database is."""
        found = self._buffer.proposals.get(key)
        for buffer in self._flushing:
            found = found or buffer.proposals.get(key)
        return found

    def close(self) -> None:
        """Write what waits, end the thread and close the database. Raises StoreError where it could not be written."""
        with self._wake:
            if self._closing and not self._thread.is_alive():
                return
            self._closing = True
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()
            self._db.close()
            if self._cause is not None and self._flushing:
                raise as_store_error(self.path, self._cause)

    def _check(self) -> None:
        if self._closing:
            raise closed(self.path)
        if self._cause is not None:
            raise as_store_error(self.path, self._cause)
        if len(self._buffer) >= MAX_BUFFERED:
            raise StoreError(
                f"store {self.path}",
                expected=f"at most {MAX_BUFFERED} entries that wait to be written",
                got="more",
                action="let the disk catch up and try again",
            )

    # -- on the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        last = False
        while not last:
            with self._wake:
                while not self._is_due():
                    self._wake.wait(None if self._due_s is None else max(0.0, self._due_s - time.monotonic()))
                last = self._closing
                jobs, self._jobs = self._jobs, []
                self._due_s = None
                if len(self._buffer):
                    self._flushing = (*self._flushing, self._buffer)
                    self._buffer = Buffer()
            self._commit([job for job in jobs if job[1].set_running_or_notify_cancel()])

    def _is_due(self) -> bool:
        if self._jobs or self._closing or len(self._buffer) >= FLUSH_ITEMS:
            return True
        return self._due_s is not None and time.monotonic() >= self._due_s

    def _commit(self, jobs: list[_Job]) -> None:
        """Run *jobs* after the buffer in one transaction, and resolve their futures once it is on disk."""
        if not jobs and not self._flushing:
            return
        try:
            with self._exclusive:
                ended = self._transact(jobs)
        except Exception as error:  # noqa: BLE001 - nothing here interrupts or executes; whatever fails is a StoreError to each caller
            self._keep(error)
            for _, future in jobs:
                future.set_exception(as_store_error(self.path, error))
            return
        self._flushing, self._cause = (), None
        for (_, future), result in zip(jobs, ended, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _transact(self, jobs: list[_Job]) -> list[object]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            tx = Tx(self._db, self.log)
            for buffer in self._flushing:
                buffer.write(tx)
            ended = [self._in_savepoint(tx, transaction) for transaction, _ in jobs]
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        return ended

    def _in_savepoint(self, tx: Tx, transaction: Callable[[Tx], object]) -> object:
        """Return the result of *transaction*, or the error that undid it and nothing else."""
        self._db.execute("SAVEPOINT job")
        try:
            result = transaction(tx)
        except Exception as error:  # as in _commit
            if not self._db.in_transaction:
                raise  # SQLite has rolled back everything (a full disk, for one)
            self._db.execute("ROLLBACK TO job")
            tx.forget_head()
            result = error if isinstance(error, GuardError) else as_store_error(self.path, error)
        self._db.execute("RELEASE job")
        return result

    def _keep(self, error: Exception) -> None:
        """Keep what was buffered for another try."""
        if self._flushing:
            self._cause = error
            with self._wake:
                self._due_s = time.monotonic() + TRY_AGAIN_AFTER_S
