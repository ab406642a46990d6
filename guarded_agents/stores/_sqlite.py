"""The embedded store: one SQLite file in WAL mode, which several processes may share."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from guarded_agents._provider import trace_fields
from guarded_agents.audit import Note, Signer
from guarded_agents.errors import GuardError, StoreError
from guarded_agents.records import (
    ApprovalRequest,
    AuditHead,
    BreakGlassTerms,
    BrokenGlass,
    CallKey,
    Claim,
    Electorate,
    Labels,
    Limits,
    Notice,
    Outcome,
    Principal,
    Proposal,
    QueueLimits,
    Reason,
    SignedPlanExtension,
    SignedResolution,
    SignedReview,
    SignedVote,
    StandingRequest,
    ThreadFacts,
    TraceContext,
)
from guarded_agents.stores import (
    _admit,
    _claims,
    _entries,
    _glass,
    _heads,
    _outbox,
    _planning,
    _requests,
    _resolving,
    _sweep,
    _votes,
    _wakes,
)
from guarded_agents.stores._ballot import Ballot
from guarded_agents.stores._buffer import Buffer, check_calls, check_notes, check_text
from guarded_agents.stores._redactions import rows_of
from guarded_agents.stores._results import (
    NO_USE,
    Admission,
    AuditNote,
    EntryOpened,
    Kept,
    Proven,
    SeenMessage,
    Swept,
    Told,
    Use,
    Wake,
)
from guarded_agents.stores._sqlite_reads import SqliteReads
from guarded_agents.stores._tx import Tx, within

T = TypeVar("T")


class SqliteStore(SqliteReads):
    """A `Store` in one SQLite file. Every durable transaction is on disk (fsync) when it returns, but for three kinds.

    Proposals, outcomes and leases outlive this process at once, and a loss of power with the next admission or 50 ms
    later: a proposal that was lost is not executed, a call whose outcome was lost is in doubt, a lease that was lost is
    taken by another. Writes come from any event loop; reads are synchronous, on a connection of their own. A file of
    another schema version is refused, not migrated. Each method is documented in `Store`. Open it again after a fork.
    """

    async def open_entry(
        self,
        *,
        thread: str,
        entry: str,
        requester: Principal,
        tenant: str,
        labels: Labels,
        now: datetime,
        text: str = "",
        plan: Collection[str] | None = None,
        seen: Sequence[SeenMessage] = (),
    ) -> EntryOpened:
        """Make *entry* the current one of *thread*, idempotently."""
        check_text(text)
        facts = ThreadFacts(thread, entry, requester, tenant, labels)
        opening = _entries.Opening(facts, text, plan, tuple(seen))
        return await self._write(partial(_entries.open_entry, opening=opening, now=now))

    async def propose(self, calls: Sequence[Proposal], *, durable: bool, now: datetime) -> frozenset[CallKey]:
        """Record what the model proposes in one turn; return the keys that are refused."""
        calls = tuple(calls)
        if durable or any(call.consequential for call in calls):
            return await self._write(partial(_entries.propose, calls=calls, now=now), is_light=True)
        check_calls(calls)
        self._buffer(lambda buffer: buffer.propose(calls))
        return frozenset()

    async def hold(
        self,
        request: ApprovalRequest,
        note: AuditNote,
        *,
        limits: QueueLimits,
        now: datetime,
        trace: TraceContext | None = None,
    ) -> StandingRequest | Told:
        """Write *request* as PENDING, once, where the queue has room. Return the standing one where it exists."""
        held = partial(_requests.hold, request=request, note=note, limits=limits, now=now, trace=trace)
        return await self._write(held)

    async def vote(
        self,
        signed: SignedVote,
        *,
        electorate: Electorate,
        edited: ApprovalRequest | None,
        glass: BreakGlassTerms | None,
        credentials: Sequence[str],
        note: AuditNote,
        now: datetime,
        trace: TraceContext | None = None,
    ) -> StandingRequest:
        """Record a vote that the facade has verified, and move the request."""
        ballot = Ballot(signed, electorate, edited, glass, tuple(credentials), note, now, trace)
        return await self._write(partial(_votes.vote, ballot=ballot))

    async def admit(
        self,
        key: CallKey,
        *,
        owner: str,
        lease_until: datetime,
        proven: Proven | None,
        limits: Limits,
        notes: Sequence[AuditNote],
        refusal: AuditNote,
        now: datetime,
        use: Use = NO_USE,
    ) -> Admission | Told:
        """Consume, claim and intend in one durable transaction (8b.1): on disk (fsync) when it returns."""
        asked = _admit.Asked(key, owner, lease_until, proven, limits, tuple(notes), refusal, now, use)
        return await self._write(partial(_admit.admit, asked=asked))

    async def retry(
        self, key: CallKey, *, owner: str, attempt: int, lease_until: datetime, proven: Proven | None, now: datetime
    ) -> Admission | Told:
        """Take over a claim IN_DOUBT (or SENDING with a lapsed lease) of an idempotent tool, once per wake."""
        again = _claims.Again(key, attempt, owner, lease_until, proven, now)
        return await self._write(partial(_claims.retry, again=again))

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

    async def withdraw(self, thread: str, *, now: datetime) -> tuple[str, ...]:
        """Close what the current entry of *thread* left open, as new input does; return the requests withdrawn."""
        return await self._write(partial(_entries.withdraw, thread=thread, now=now))

    async def sweep(self, *, now: datetime) -> Swept:
        """Do what time alone does, to all rows at once, each with an audit entry."""
        self._check_process()
        # Beside the event loop, however fast commits are: there may be thousands.
        return await asyncio.wrap_future(self._writer.queue(_spanned(partial(_sweep.sweep, now=now))))

    async def resolve(self, signed: SignedResolution, key: CallKey, *, note: AuditNote, now: datetime) -> Claim:
        """Settle the claim of *key*, IN_DOUBT, as its verified resolution says (8b.5); return the row."""
        return await self._write(partial(_resolving.resolve, signed=signed, key=key, note=note, now=now))

    async def pin(self, thread: str, entry: str, tools: Collection[str], *, note: AuditNote, now: datetime) -> bool:
        """Pin *tools* as the plan of *thread*; return whether they are pinned now."""
        return await self._write(partial(_planning.pin, thread=thread, entry=entry, tools=tools, note=note, now=now))

    async def extend_plan(self, signed: SignedPlanExtension, entry: str, *, note: AuditNote, now: datetime) -> None:
        """Record the verified extension of a plan, once; the same again changes nothing."""
        await self._write(partial(_planning.extend_plan, signed=signed, entry=entry, note=note, now=now))

    async def review(self, signed: SignedReview, *, note: AuditNote, now: datetime) -> BrokenGlass:
        """Record the verified review of a broken glass, once."""
        return await self._write(partial(_glass.review, signed=signed, note=note, now=now))

    async def take_wake(self, *, owner: str, until: datetime, now: datetime, skip: Collection[str] = ()) -> Wake | None:
        """Return a thread that may not know of a settled request, leased to *owner* until *until* (UTC)."""
        taken = partial(_wakes.take_wake, owner=owner, until=until, now=now, skip=skip)
        return await self._write(taken, is_light=True)

    async def woken(self, thread: str, *, owner: str, again_at: datetime | None) -> None:
        """End the lease of *owner* on *thread*; it is not taken again before *again_at*."""
        await self._write(partial(_wakes.woken, thread=thread, owner=owner, again_at=again_at), is_light=True)

    async def give_back(self, wake: Wake, *, owner: str, now: datetime) -> None:
        """End the lease of *owner*, who cannot wake that thread; another may take it at once."""
        await self._write(partial(_wakes.give_back, wake=wake, owner=owner, now=now), is_light=True)

    async def take_notices(self, *, owner: str, limit: int, until: datetime, now: datetime) -> tuple[Notice, ...]:
        """Return notices that are due, oldest first, leased to *owner* until *until* (UTC)."""
        taken = partial(_outbox.take_notices, owner=owner, limit=limit, until=until, now=now)
        return await self._write(taken, is_light=True)

    async def noticed(self, notice: Notice, *, again_at: datetime | None, problem: str = "") -> None:
        """Record that *notice* was delivered (None), or when it is tried again (UTC), and why."""
        ended = partial(_outbox.noticed, notice=notice, again_at=again_at, problem=problem)
        await self._write(ended, is_light=True)

    async def relabel(self, thread: str, labels: Labels) -> None:
        """Join *labels* into the thread's labels, buffered but visible to `thread` at once; they only grow stricter."""
        check_text(thread)
        self._buffer(lambda buffer: buffer.relabel(thread, labels))

    def see(self, thread: str, seen: SeenMessage) -> None:
        """Record a message of *thread*, buffered but visible at once; its labels only grow stricter."""
        check_text(thread, seen.message, seen.tool)
        self._buffer(lambda buffer: buffer.see(thread, seen))

    def keep(self, thread: str, kept: Kept) -> None:
        """Record what was taken out of a text of *thread*, buffered but visible at once. What is there stays."""
        check_text(thread, kept.name, *kept.values, *kept.values.values())
        rows = rows_of(thread, kept)

        def add(buffer: Buffer) -> None:
            buffer.keep(rows)
            if kept.is_suspect:
                buffer.suspect(thread, kept.name)

        self._buffer(add)

    async def sign_with(self, signer: Signer, notes: Sequence[AuditNote], *, now: datetime) -> AuditHead:
        """Append *notes*, and sign the log with *signer* from here on."""
        head = await self._write(partial(_sign_with, signer=signer, notes=tuple(notes), now=now))
        self._writer.signer = signer
        return head

    async def rotate_key(self, signer: Signer, note: AuditNote, *, now: datetime) -> AuditHead:
        """Append *note*, and sign the head by both keys."""
        before = self._writer.signer
        head = await self._write(partial(_rotate_key, before=before, signer=signer, note=note, now=now))
        self._writer.signer = signer
        return head

    async def keep_head(self, cosigned: Note) -> None:
        """Keep the signatures of *cosigned* with the head that they are of."""
        await self._write(partial(_heads.keep_head, cosigned=cosigned))

    async def append(self, notes: Sequence[AuditNote], *, now: datetime) -> AuditHead:
        """Append entries durably; return the head after them."""
        return await self._write(partial(_append, notes=tuple(notes), now=now))

    def note(self, notes: Sequence[AuditNote], *, now: datetime) -> None:
        """Append entries with group commit: before the next durable transaction, at the latest after 50 ms."""
        check_notes(notes)
        spanned = within(trace_fields(), notes)
        self._buffer(lambda buffer: buffer.note(spanned, now))

    async def aclose(self) -> None:
        """Write what is buffered and close. Raises StoreError where that could not be written."""
        await asyncio.to_thread(self._shut)

    async def _write(self, transaction: Callable[[Tx], T | GuardError], *, is_light: bool = False) -> T:
        self._check_process()
        written = self._writer.submit(_spanned(transaction), is_light=is_light)
        return written.result() if written.done() else await asyncio.wrap_future(written)

    def _buffer(self, add: Callable[..., None]) -> None:
        self._check_process()
        self._writer.buffer(add)


def _spanned(transaction: Callable[[Tx], T | GuardError]) -> Callable[[Tx], T | GuardError]:
    """Return *transaction* such that its audit entries name the span that is current now, if there is one."""
    span = trace_fields()
    if not span:
        return transaction

    def run(tx: Tx) -> T | GuardError:
        tx.span = span
        try:
            return transaction(tx)
        finally:
            tx.span = {}

    return run


def _sign_with(tx: Tx, signer: Signer, notes: Sequence[AuditNote], now: datetime) -> AuditHead:
    if _heads.key_of(tx.db) is None:
        _heads.set_key(tx.db, str(signer.verifier))
    _heads.check_key(tx.db, tx.log, signer)
    tx.append(notes, now)
    _heads.sign_log(tx, signer)
    return tx.head()


def _rotate_key(tx: Tx, before: Signer | None, signer: Signer, note: AuditNote, now: datetime) -> AuditHead:
    if before is None:
        raise StoreError(
            f"audit log {tx.log}", expected="the key before", got="none", action="open the log with its own key first"
        )
    _heads.check_key(tx.db, tx.log, before)
    tx.append([note], now)
    _heads.put_head(tx, [before, signer], is_kept=True)
    _heads.set_key(tx.db, str(signer.verifier))
    return tx.head()


def _append(tx: Tx, notes: Sequence[AuditNote], now: datetime) -> AuditHead:
    """Append *notes* (DESIGN I5)."""
    tx.append(notes, now)
    return tx.head()
