"""Who writes: whoever comes, where a commit takes no time, else one thread, with one fsync for all that waits (F29)."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from math import inf
from typing import Final, TypeVar

from guarded_agents.audit import Signer
from guarded_agents.errors import GuardError, StoreError
from guarded_agents.records import CallKey, Labels, Proposal
from guarded_agents.stores._beginning import Beginning
from guarded_agents.stores._buffer import Buffer
from guarded_agents.stores._failures import as_store_error, closed
from guarded_agents.stores._heads import sign_log
from guarded_agents.stores._redactions import KeptRow
from guarded_agents.stores._results import SeenMessage
from guarded_agents.stores._rows import stricter
from guarded_agents.stores._tx import Tx

T = TypeVar("T")
_Job = tuple[Callable[[Tx], object], "Future[object]"]

FLUSH_AFTER_S: Final = 0.05
FLUSH_ITEMS: Final = 256
MAX_BUFFERED: Final = 10_000
SLOW_DOWN_AT: Final = 2_048  # items: from here on who buffers gives the thread time to write
SLOW_DOWN_S: Final = 0.5  # but not for longer, and once until it has taken what waits
TRY_AGAIN_AFTER_S: Final = 1.0
HERE_BELOW_S: Final = 0.002  # a commit that takes longer would hold up the caller's event loop
_SLOWER: Final = 1.25  # by how much at most the last commit raises what the next is expected to take


class Writer:
    """Runs transactions in the order in which they came, each in a savepoint.

    Where nothing else is being written and commits are fast, the caller's thread runs them: to hand one to another
    thread and wait for it costs more than the commit. Else a thread of the writer's own does, all that waits at once.
    What is buffered is written at the start of the next group. Where that fails it is kept and tried again, and every
    call raises until it is written: nothing is silently lost.
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
        self._beginning = Beginning(db)
        self._closing = False
        self._wakes_s = inf  # when the thread looks again by itself, on the monotonic clock
        self._is_busy = False  # somebody uses the connection
        self._is_stalled = False  # waiting for the thread was of no use
        self._is_unsynced = False  # a light transaction was the last
        self._commit_s = inf  # what a commit is expected to take
        self.signer: Signer | None = None  # of the log
        self._thread = threading.Thread(target=self._run, name="guarded_agents store", daemon=True)
        self._thread.start()

    # -- from any thread ------------------------------------------------------------------------

    def submit(self, transaction: Callable[[Tx], T | GuardError], *, is_light: bool = False) -> "Future[T]":
        """Return the future of *transaction*, on disk when it is done. An error it returns is committed and raised.

        It is done at once where the transaction could run here; see the class. A light one, when it is done, outlives
        this process, and a loss of power with the next one that is not light, at the latest 50 ms later.
        """
        if not self._takes_turn(is_light=is_light):
            return self.queue(transaction)
        future: Future[T] = Future()
        job: _Job = (transaction, future)  # type: ignore[assignment]
        has_run = False
        try:
            has_run = self._commit([job], is_patient=False, is_light=is_light)
        finally:
            with self._wake:
                self._is_busy = False
                if not has_run:
                    self._jobs.insert(0, job)
                if self._is_due():
                    self._wake.notify()
                elif self._is_unsynced:
                    self._flush_later()
        return future

    def queue(self, transaction: Callable[[Tx], T | GuardError]) -> "Future[T]":
        """Return the future of *transaction* as `submit`, run on the writer's own thread."""
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
            self._slow_down()
            add(self._buffer)
            self._flush_later()
            if len(self._buffer) >= FLUSH_ITEMS:
                self._wake.notify()

    def _slow_down(self) -> None:
        """Wait for the thread where much waits: beside a caller that never pauses it would hardly get to run."""
        if len(self._buffer) < SLOW_DOWN_AT or self._is_stalled:
            return
        taken = self._wake.wait_for(lambda: len(self._buffer) < SLOW_DOWN_AT or self._closing, timeout=SLOW_DOWN_S)
        self._is_stalled = not taken
        self._check()

    def labels(self, thread: str) -> Labels | None:
        """Return the labels of *thread* that are not written yet. To be asked before the database is."""
        found = self._buffer.labels.get(thread)
        for buffer in self._flushing:  # read after ``_buffer``: the writer sets it before
            more = buffer.labels.get(thread)
            if more is not None:
                found = more if found is None else stricter(found, more)
        return found

    def seen(self, thread: str) -> list[SeenMessage]:
        """Return the messages of *thread* that are not written yet. To be asked before the database is."""
        buffers = (self._buffer, *self._flushing)
        return [seen for buffer in buffers for (of, _), seen in list(buffer.seen.items()) if of == thread]

    def kept(self, thread: str) -> dict[KeptRow, bytes | None]:
        """Return what was taken out of texts of *thread* and is not written yet. To be asked before the database is."""
        buffers = (self._buffer, *self._flushing)
        return {row: body for buffer in buffers for row, body in list(buffer.kept.items()) if row[0] == thread}

    def suspects(self, thread: str) -> set[str]:
        """Return the suspect messages of *thread* that are not written yet. To be asked before the database is."""
        buffers = (self._buffer, *self._flushing)
        return {message for buffer in buffers for of, message in list(buffer.suspects) if of == thread}

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

    def _flush_later(self) -> None:
        if self._due_s is None:
            self._due_s = time.monotonic() + FLUSH_AFTER_S
            if self._wakes_s > self._due_s:
                self._wake.notify()

    def _takes_turn(self, *, is_light: bool) -> bool:
        """Return whether this thread may write now; it has then begun to."""
        with self._wake:
            if self._is_busy or self._jobs or self._closing or not (is_light or self._commit_s <= HERE_BELOW_S):
                return False
            self._take()
        return True

    def _take(self) -> None:
        self._is_busy, self._due_s = True, None
        if len(self._buffer):
            self._flushing = (*self._flushing, self._buffer)
            self._buffer, self._is_stalled = Buffer(), False
            self._wake.notify_all()

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
                while self._is_busy or not self._is_due():
                    self._wait()
                last = self._closing
                jobs, self._jobs = self._jobs, []
                self._take()
            self._commit([job for job in jobs if job[1].set_running_or_notify_cancel()])
            self._is_busy = False

    def _wait(self) -> None:
        if self._due_s is None:
            self._wakes_s = inf
            self._wake.wait()
        else:
            self._wakes_s = max(time.monotonic() + 0.001, self._due_s)
            self._wake.wait(self._wakes_s - time.monotonic())
        self._wakes_s = inf

    def _is_due(self) -> bool:
        if self._jobs or self._closing or len(self._buffer) >= FLUSH_ITEMS:
            return True
        return self._due_s is not None and time.monotonic() >= self._due_s

    # -- on whichever thread has its turn -------------------------------------------------------

    def _commit(self, jobs: list[_Job], *, is_patient: bool = True, is_light: bool = False) -> bool:
        """Run *jobs* after the buffer in one transaction, and resolve their futures once it is on disk.

        Return False, with nothing done, where another process is writing and this is not the time to wait for it.
        """
        if not jobs and not self._flushing and not self._is_unsynced:
            return True
        try:
            with self._exclusive:
                self._beginning.synchronise(is_light=is_light)
                if not self._beginning.begins(is_patient=is_patient):
                    return False
                ended = self._transact(jobs, is_light=is_light)
        except Exception as error:  # noqa: BLE001 - nothing here interrupts or executes; whatever fails is a StoreError to each caller
            self._keep(error)
            for _, future in jobs:
                future.set_exception(as_store_error(self.path, error))
            return True
        self._flushing, self._cause, self._is_unsynced = (), None, is_light
        for (_, future), result in zip(jobs, ended, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        return True

    def _transact(self, jobs: list[_Job], *, is_light: bool) -> list[object]:
        try:
            tx, changes = Tx(self._db, self.log), self._db.total_changes
            for buffer in self._flushing:
                buffer.write(tx)
            ended = [tx.in_savepoint(transaction, path=self.path) for transaction, _ in jobs]
            start_s = time.monotonic()
            if self.signer is not None and not is_light:
                sign_log(tx, self.signer)
            is_empty = self._db.total_changes == changes or any(isinstance(end, Exception) for end in ended)
            if is_empty and self._is_unsynced and not is_light:  # an empty transaction would not be synchronised
                self._db.execute("UPDATE guard_meta SET value = value")
            self._db.execute("COMMIT")
            if not is_light:
                self._commit_s = min(time.monotonic() - start_s, self._commit_s * _SLOWER)
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                self._db.execute("ROLLBACK")
            raise
        return ended

    def _keep(self, error: Exception) -> None:
        """Keep what was buffered for another try."""
        if self._flushing:
            self._cause = error
            with self._wake:
                self._due_s = time.monotonic() + TRY_AGAIN_AFTER_S
