"""The embedded store: one SQLite file in WAL mode, which several processes may share."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from sqlite3 import Error as SqliteError
from typing import Self, TypeVar

from guarded_agents.errors import GuardError
from guarded_agents.records import (
    ApprovalRequest,
    AuditHead,
    CallKey,
    Claim,
    Labels,
    Limits,
    Outcome,
    Principal,
    Proposal,
    Reason,
    RequestStatus,
    SignedVote,
    StandingRequest,
    ThreadFacts,
)
from guarded_agents.stores import _admit, _claims, _entries, _reads, _requests, _rows, _votes
from guarded_agents.stores._buffer import check_calls, check_notes, check_text
from guarded_agents.stores._failures import as_store_error, forked
from guarded_agents.stores._protocol import Admission, AuditNote, ClosedCall, EntryOpened, Told
from guarded_agents.stores._schema import MEMORY, open_reader, open_writer
from guarded_agents.stores._tx import Tx, audit_head
from guarded_agents.stores._writer import Writer

T = TypeVar("T")


class SqliteStore:
    """A `Store` in one SQLite file. Every durable transaction is on disk (fsync) when it returns, but for two kinds.

    Proposals and outcomes outlive this process at once, and a loss of power with the next admission or 50 ms later: a
    proposal that was lost is not executed, a call whose outcome was lost is in doubt. Writes come from any event loop;
    reads are synchronous, on a connection of their own. Each method is documented in `Store`. Open it again after a
    fork.
    """

    def __init__(self, path: str, writer: Writer, reader: Connection, lock: AbstractContextManager[object]) -> None:
        """Work with connections that `open` has made."""
        self.path = path
        self._writer, self._reader, self._lock = writer, reader, lock
        self._pid = os.getpid()
        self._shut = weakref.finalize(self, _shut, writer, reader, lock, self._pid)  # also at exit

    @classmethod
    def open(cls, path: str | Path, *, log_id: str | None = None) -> Self:
        """Open the store at *path*, making it (mode 0600) where it is missing; ``":memory:"`` is one for tests.

        A new store's audit log is called *log_id*, a random name where that is None. Raises StoreError, and changes
        nothing, where the file is of another application or schema version, is corrupt, or holds another log.
        """
        name, lock = str(path), threading.RLock()
        db, log = open_writer(name, log_id)
        if name == MEMORY:  # there is only one connection to such a database: who reads, waits for who writes
            return cls(name, Writer(db, path=name, log=log, exclusive=lock), db, lock)
        reader = open_reader(name)
        return cls(name, Writer(db, path=name, log=log, exclusive=nullcontext()), reader, lock)

    # -- reads ---------------------------------------------------------------------------------

    def thread(self, thread: str) -> ThreadFacts | None:
        """Return what is known of *thread*, including what is still buffered."""
        labels = self._writer.labels(thread)  # before the database is read: it may be written in between
        facts = self._read(_rows.thread_of, thread)
        if labels is None or facts is None:
            return facts
        joined = _rows.stricter(facts.labels, labels)
        return ThreadFacts(thread, facts.entry, facts.requester, facts.tenant, joined)

    def proposal(self, key: CallKey) -> Proposal | None:
        """Return the recorded proposal of *key*, including what is still buffered."""
        return self._writer.proposal(key) or self._read(_rows.proposal_of, key)

    def claim(self, key: CallKey) -> Claim | None:
        """Return the claim row of *key*."""
        return self._read(_rows.claim_of, key)

    def calls(self, thread: str, entry: str) -> tuple[ClosedCall, ...]:
        """Return the proposals of *entry* that have a claim row, in the order in which they were recorded."""
        return self._read(_reads.calls, thread, entry)

    def request(self, request_id: str) -> StandingRequest | None:
        """Return the request of that id."""
        return self._read(_rows.request_of_id, request_id)

    def request_of(self, key: CallKey) -> StandingRequest | None:
        """Return the request that would be consumed by *key*."""
        return self._read(_rows.request_of_key, key)

    def requests(
        self, *, status: RequestStatus | None = RequestStatus.PENDING, limit: int = 100, after: str | None = None
    ) -> tuple[StandingRequest, ...]:
        """Return requests by decide-by, then id; *after* is the last id of the page before. None means any status.

        Raises UnknownRequestError where there is no request *after*.
        """
        return self._read(_reads.requests, status, limit, after)

    def votes(self, request_id: str) -> tuple[SignedVote, ...]:
        """Return the votes on a request, oldest first."""
        return self._read(_reads.votes, request_id)

    def doubts(self, *, now: datetime, limit: int = 100) -> tuple[Claim, ...]:
        """Return claims IN_DOUBT or CONFLICT, and those SENDING whose lease has lapsed at *now*, longest first."""
        return self._read(_reads.doubts, now, limit)

    def audit_head(self) -> AuditHead:
        """Return the head as last committed."""
        return self._read(audit_head, self._writer.log)

    def audit_rows(self, start: int = 0) -> Iterator[tuple[int, bytes, str]]:
        """Yield (sequence, stored bytes, hash as hex) from sequence *start* on."""
        while page := self._read(_reads.audit_page, start):
            yield from page
            start = page[-1][0] + 1

    def _read(self, function: Callable[..., T], *values: object) -> T:
        if os.getpid() != self._pid:
            raise forked(self.path)
        try:
            with self._lock:
                return function(self._reader, *values)
        except (SqliteError, ValueError, TypeError, LookupError, OverflowError) as error:
            told = as_store_error(self.path, error)
            raise told from told.__cause__

    # -- transactions --------------------------------------------------------------------------

    async def open_entry(
        self,
        *,
        thread: str,
        entry: str,
        requester: Principal,
        tenant: str,
        labels: Labels,
        now: datetime,
    ) -> EntryOpened:
        """Make *entry* the current one of *thread*, idempotently."""
        facts = ThreadFacts(thread, entry, requester, tenant, labels)
        return await self._write(partial(_entries.open_entry, opened=facts, now=now))

    async def propose(self, calls: Sequence[Proposal], *, durable: bool, now: datetime) -> frozenset[CallKey]:
        """Record what the model proposes in one turn; return the keys that are refused."""
        calls = tuple(calls)
        if durable or any(call.consequential for call in calls):
            return await self._write(partial(_entries.propose, calls=calls, now=now), is_light=True)
        check_calls(calls)
        self._buffer(lambda buffer: buffer.propose(calls))
        return frozenset()

    async def hold(self, request: ApprovalRequest, note: AuditNote, *, now: datetime) -> StandingRequest | Told:
        """Write *request* as PENDING, once. Return the standing one where it exists already."""
        return await self._write(partial(_requests.hold, request=request, note=note, now=now))

    async def vote(
        self,
        signed: SignedVote,
        *,
        eligible: frozenset[str],
        edited: ApprovalRequest | None,
        note: AuditNote,
        now: datetime,
    ) -> StandingRequest:
        """Record a vote that the facade has verified, and move the request."""
        return await self._write(partial(_votes.vote, ballot=_votes.Ballot(signed, eligible, edited, note, now)))

    async def admit(
        self,
        key: CallKey,
        *,
        owner: str,
        lease_until: datetime,
        request: str | None,
        eligible: frozenset[str],
        limits: Limits,
        notes: Sequence[AuditNote],
        refusal: AuditNote,
        now: datetime,
    ) -> Admission | Told:
        """Consume, claim and intend in one durable transaction (8b.1): on disk (fsync) when it returns."""
        asked = _admit.Asked(key, owner, lease_until, request, eligible, limits, tuple(notes), refusal, now)
        return await self._write(partial(_admit.admit, asked=asked))

    async def retry(
        self, key: CallKey, *, owner: str, attempt: int, lease_until: datetime, now: datetime
    ) -> Admission | Told:
        """Take over a claim IN_DOUBT (or SENDING with a lapsed lease) of an idempotent tool, once per wake."""
        taken = partial(_claims.retry, seen=(key, attempt), owner=owner, lease_until=lease_until, now=now)
        return await self._write(taken)

    async def settle(
        self, key: CallKey, *, attempt: int, outcome: Outcome, labels: Labels, note: AuditNote, now: datetime
    ) -> Claim:
        """Store the outcome of a sent call and join *labels* into the thread's, in one transaction."""
        settlement = _claims.Settlement(key, attempt, outcome, labels, note, now)
        return await self._write(partial(_claims.settle, settlement=settlement), is_light=True)

    async def refuse(self, key: CallKey, *, reason: Reason, outcome: Outcome, note: AuditNote, now: datetime) -> Claim:
        """Close the row before the model is told (8b.2); an open request becomes VOIDED, or EXPIRED for that reason."""
        return await self._write(partial(_claims.refuse, key=key, ended=(reason, outcome), note=note, now=now))

    async def expire(self, request_id: str, *, now: datetime) -> StandingRequest:
        """Close a request whose time has passed (PENDING as EXPIRED, APPROVED as LAPSED); otherwise change nothing."""
        return await self._write(partial(_requests.expire, request_id=request_id, now=now))

    async def relabel(self, thread: str, labels: Labels) -> None:
        """Join *labels* into the thread's labels, buffered but visible to `thread` at once; they only grow stricter."""
        check_text(thread)
        self._buffer(lambda buffer: buffer.relabel(thread, labels))

    async def append(self, notes: Sequence[AuditNote], *, now: datetime) -> AuditHead:
        """Append entries durably; return the head after them."""
        return await self._write(partial(_append, notes=tuple(notes), now=now))

    def note(self, notes: Sequence[AuditNote], *, now: datetime) -> None:
        """Append entries with group commit: before the next durable transaction, at the latest after 50 ms."""
        check_notes(notes)
        self._buffer(lambda buffer: buffer.note(notes, now))

    async def aclose(self) -> None:
        """Write what is buffered and close. Raises StoreError where that could not be written."""
        await asyncio.to_thread(self._shut)

    async def _write(self, transaction: Callable[[Tx], T | GuardError], *, is_light: bool = False) -> T:
        if os.getpid() != self._pid:
            raise forked(self.path)
        written = self._writer.submit(transaction, is_light=is_light)
        return written.result() if written.done() else await asyncio.wrap_future(written)

    def _buffer(self, add: Callable[..., None]) -> None:
        if os.getpid() != self._pid:
            raise forked(self.path)
        self._writer.buffer(add)


def _append(tx: Tx, notes: Sequence[AuditNote], now: datetime) -> AuditHead:
    """Append *notes* (DESIGN I5)."""
    tx.append(notes, now)
    return tx.head()


def _shut(writer: Writer, reader: Connection, lock: AbstractContextManager[object], pid: int) -> None:
    """Close both connections. After a fork they are the parent's, and stay as they are."""
    if os.getpid() != pid:
        return
    try:
        writer.close()
    finally:
        with lock:
            reader.close()
