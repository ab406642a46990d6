"""The reads of the embedded store, and how its file is opened and closed."""

import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from sqlite3 import Error as SqliteError
from typing import Self, TypeVar

from pydantic import JsonValue

from guarded_agents.audit import subtrees_of
from guarded_agents.errors import AuditError
from guarded_agents.records import (
    AuditHead,
    BrokenGlass,
    CallKey,
    Claim,
    Execution,
    Labels,
    Principal,
    Proposal,
    RequestStatus,
    RequestSummary,
    SignedReview,
    SignedVote,
    StandingRequest,
    ThreadFacts,
    TraceContext,
)
from guarded_agents.stores import (
    _glass,
    _heads,
    _outbox,
    _reads,
    _redactions,
    _rows,
    _said,
    _traces,
    _trail,
    _unreadable,
    _wakes,
)
from guarded_agents.stores._failures import as_store_error, forked
from guarded_agents.stores._payloads import load_json
from guarded_agents.stores._results import ClosedCall, Delayed, StuckNotice, Trail, UnreadableRow, Waiting
from guarded_agents.stores._schema import MEMORY, open_reader, open_writer
from guarded_agents.stores._tx import audit_head
from guarded_agents.stores._writer import Writer

T = TypeVar("T")


class SqliteReads:
    """The reads of a `SqliteStore`: synchronous, on a connection of their own, from any thread."""

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

    def requester(self, thread: str, entry: str) -> Principal | None:
        """Return who asked for *entry* of *thread*, also when it is no longer the current one."""
        return self._read(_rows.requester_of, thread, entry)

    def proposal(self, key: CallKey) -> Proposal | None:
        """Return the recorded proposal of *key*, including what is still buffered."""
        return self._writer.proposal(key) or self._read(_rows.proposal_of, key)

    def trail(self, thread: str, *, after: int = 0) -> Trail:
        """Return what is on record of *thread* behind number *after*, and what is still buffered."""
        waiting, suspects = self._writer.seen(thread), self._writer.suspects(thread)
        found = self._read(_trail.trail_of, thread, after)
        found.suspects |= suspects
        known = {seen.digest for seen in found.seen}
        found.seen += [seen for seen in waiting if seen.tool and seen.digest not in known]
        return found

    def labels_shown(self, thread: str, digests: Collection[str]) -> dict[str, Labels]:
        """Return the labels of those messages of *thread* that are on record, by digest; also what is buffered."""
        waiting = {seen.digest: seen.labels for seen in self._writer.seen(thread) if seen.digest in digests}
        found = self._read(_trail.labels_shown, thread, digests)
        for digest, labels in waiting.items():
            found[digest] = labels if digest not in found else _rows.stricter(found[digest], labels)
        return found

    def traces(self, request_id: str) -> tuple[tuple[str, TraceContext], ...]:
        """Return in which span the call of a request was held (by "", first), and in which each approver voted."""
        return self._read(_traces.traces_of, request_id)

    def waiting(self) -> Waiting:
        """Return how many requests are PENDING, and since when the first of them has been asked."""
        return self._read(_reads.waiting)

    def values_behind(self, thread: str, tokens: Collection[str]) -> dict[str, str]:
        """Return the values behind those *tokens* that are on record for *thread*, by token; also what is buffered."""
        waiting = self._writer.kept(thread)
        found = self._read(_redactions.values_behind, thread, tokens)
        for token in tokens:
            if (body := waiting.get((thread, _redactions.VALUE, token))) is not None:
                found.setdefault(token, body.decode())
        return found

    def original(self, thread: str, message: str) -> JsonValue:
        """Return what a notice in the tool message *message* stands for; None where nothing does, or it was erased."""
        body = self._writer.kept(thread).get((thread, _redactions.ORIGINAL, message))
        found = self._read(_redactions.original_of, thread, message)
        return load_json(body) if found is None and body is not None else found

    def claim(self, key: CallKey) -> Claim | None:
        """Return the claim row of *key*."""
        return self._read(_rows.claim_of, key)

    def execution(self, key: CallKey) -> Execution | None:
        """Return the claim row of *key*, its times, and what people said of it."""
        return self._read(_said.execution_of, key)

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
    ) -> tuple[RequestSummary, ...]:
        """Return requests by risk, decide-by, then id; *after* is the last id of the page before. None is any status.

        Raises UnknownRequestError where there is no request *after*.
        """
        return self._read(_reads.requests, status, limit, after)

    def similar(self, standing: StandingRequest, *, limit: int = 5) -> tuple[RequestSummary, ...]:
        """Return the other settled requests of the same principal, tenant and tool, newest first."""
        return self._read(_reads.similar, standing, limit)

    def votes(self, request_id: str) -> tuple[SignedVote, ...]:
        """Return the votes on a request, oldest first."""
        return self._read(_reads.votes, request_id)

    def speakers(self, request_id: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return who voted on a request, oldest first, each with the ids of the credentials that proved it then."""
        return self._read(_reads.speakers, request_id)

    def glass_of(self, request_id: str) -> BrokenGlass | None:
        """Return the broken glass of a request, None where it was not broken."""
        return self._read(_glass.glass_of, request_id)

    def review_of(self, request_id: str) -> SignedReview | None:
        """Return the review of the broken glass of a request, as it was signed."""
        return self._read(_said.review_of, request_id)

    def broken_glass(self, *, is_open: bool = True, limit: int = 100) -> tuple[BrokenGlass, ...]:
        """Return broken glass by review date, those without a review where *is_open*."""
        return self._read(partial(_glass.broken_glass, is_open=is_open), limit)

    def doubts(self, *, now: datetime, limit: int = 100) -> tuple[Claim, ...]:
        """Return claims IN_DOUBT or CONFLICT, and those SENDING whose lease has lapsed at *now*, longest first."""
        return self._read(_reads.doubts, now, limit)

    def resolved(self) -> tuple[Claim, ...]:
        """Return the claims that a person has settled, in no order."""
        return self._read(_reads.resolved)

    def claimed(self) -> Iterator[CallKey]:
        """Yield the key of every call that has a claim row, whatever became of it."""
        after: CallKey | None = None
        while page := self._read(_reads.claimed_page, after):
            yield from page
            after = page[-1]

    def stuck_notices(self, *, limit: int = 100) -> tuple[StuckNotice, ...]:
        """Return notices that cannot be read, then those whose delivery failed more than once, the oldest first."""
        return self._read(_outbox.stuck_notices, limit)

    def unreadable(self, *, limit: int = 100) -> tuple[UnreadableRow, ...]:
        """Return the rows of requests and of calls in doubt that make no record, which the lists leave out."""
        return self._read(_unreadable.unreadable, limit)

    def delayed(self, *, now: datetime) -> tuple[Delayed, ...]:
        """Return the threads that are leased at *now* (UTC) or to be tried again later, by until when."""
        return self._read(_wakes.delayed, now)

    def audit_head(self) -> AuditHead:
        """Return the head as last committed."""
        return self._read(audit_head, self._writer.log)

    def audit_subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree of the log (`guarded_agents.audit.Subtrees`)."""
        try:
            return subtrees_of(lambda *place: self._read(_reads.hashes, *place))(level, index)
        except ValueError:
            raise AuditError(
                f"audit log {self._writer.log}",
                expected="every entry and subtree of it",
                got="one that is missing",
                action="verify the log",
            ) from None

    def audit_key(self) -> str | None:
        """Return the key that signs the log (vkey), None where it was never signed."""
        return self._read(_heads.key_of)

    def audit_heads(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield (size, signed note) of the kept heads of *start* or more entries, the smallest first."""
        while page := self._read(_heads.heads_from, start):
            yield from page
            start = page[-1][0] + 1

    def signed_head(self) -> bytes | None:
        """Return the newest signed head as a note, None where there is none."""
        return self._read(_heads.newest_head)

    def audit_rows(self, start: int = 0) -> Iterator[tuple[int, bytes, str]]:
        """Yield (sequence, stored bytes, hash as hex) from sequence *start* on."""
        while page := self._read(_reads.audit_page, start):
            yield from page
            start = page[-1][0] + 1

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise forked(self.path)

    def _read(self, function: Callable[..., T], *values: object) -> T:
        self._check_process()
        try:
            with self._lock:
                return function(self._reader, *values)
        except (SqliteError, ValueError, TypeError, LookupError, OverflowError) as error:
            told = as_store_error(self.path, error)
            raise told from told.__cause__


def _shut(writer: Writer, reader: Connection, lock: AbstractContextManager[object], pid: int) -> None:
    """Close both connections. After a fork they are the parent's, and stay as they are."""
    if os.getpid() != pid:
        return
    try:
        writer.close()
    finally:
        with lock:
            reader.close()
