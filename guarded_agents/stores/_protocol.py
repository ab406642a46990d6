"""What the guard asks of a store. Each method that changes something is one transaction."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from guarded_agents.audit import Note, Signer
from guarded_agents.records import (
    ApprovalRequest,
    AuditHead,
    BreakGlassTerms,
    BrokenGlass,
    CallKey,
    Claim,
    Electorate,
    Execution,
    Labels,
    Limits,
    Outcome,
    Principal,
    Proposal,
    QueueLimits,
    Reason,
    RequestStatus,
    RequestSummary,
    SignedResolution,
    SignedReview,
    SignedVote,
    StandingRequest,
    ThreadFacts,
    TraceContext,
)
from guarded_agents.stores._errands import Errands
from guarded_agents.stores._observed import Observed
from guarded_agents.stores._results import (
    NO_USE,
    Admission,
    AuditNote,
    ClosedCall,
    EntryOpened,
    Proven,
    SeenMessage,
    Swept,
    Told,
    UnreadableRow,
    Use,
)
from guarded_agents.stores._trails import Trails
from guarded_agents.stores._withheld import Withheld


class Store(Observed, Trails, Withheld, Errands, Protocol):
    """The facts that enforcement trusts. Reads are synchronous, indexed and thread-safe.

    Every method raises StoreError when the store cannot answer; the caller then denies.
    """

    # -- reads ---------------------------------------------------------------------------------

    def thread(self, thread: str) -> ThreadFacts | None:
        """Return what is known of *thread*, including what is still buffered."""

    def requester(self, thread: str, entry: str) -> Principal | None:
        """Return who asked for *entry* of *thread*, also when it is no longer the current one."""

    def proposal(self, key: CallKey) -> Proposal | None:
        """Return the recorded proposal of *key*, including what is still buffered."""

    def claim(self, key: CallKey) -> Claim | None:
        """Return the claim row of *key*."""

    def execution(self, key: CallKey) -> Execution | None:
        """Return the claim row of *key*, its times, and what people said of it."""

    def calls(self, thread: str, entry: str) -> tuple[ClosedCall, ...]:
        """Return the proposals of *entry* that have a claim row, in the order in which they were recorded."""

    def request(self, request_id: str) -> StandingRequest | None:
        """Return the request of that id."""

    def request_of(self, key: CallKey) -> StandingRequest | None:
        """Return the request that would be consumed by *key*."""

    def requests(
        self, *, status: RequestStatus | None = RequestStatus.PENDING, limit: int = 100, after: str | None = None
    ) -> tuple[RequestSummary, ...]:
        """Return requests by risk (high first), decide-by, then id; *after* is the last id of the page before.

        None means any status. One line each, read from columns: verify the request before anything is signed.
        """

    def similar(self, standing: StandingRequest, *, limit: int = 5) -> tuple[RequestSummary, ...]:
        """Return the other settled requests of the same principal, tenant and tool, newest first."""

    def votes(self, request_id: str) -> tuple[SignedVote, ...]:
        """Return the votes on a request, oldest first."""

    def speakers(self, request_id: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return who voted on a request, oldest first, each with the ids of the credentials that proved it then."""

    def glass_of(self, request_id: str) -> BrokenGlass | None:
        """Return the broken glass of a request, None where it was not broken."""

    def review_of(self, request_id: str) -> SignedReview | None:
        """Return the review of the broken glass of a request, as it was signed."""

    def broken_glass(self, *, is_open: bool = True, limit: int = 100) -> tuple[BrokenGlass, ...]:
        """Return broken glass by review date, those without a review where *is_open*."""

    def doubts(self, *, now: datetime, limit: int = 100) -> tuple[Claim, ...]:
        """Return claims IN_DOUBT or CONFLICT, and those SENDING whose lease has lapsed at *now*."""

    def resolved(self) -> tuple[Claim, ...]:
        """Return the claims that a person has settled, in no order."""

    def claimed(self) -> Iterator[CallKey]:
        """Yield the key of every call that has a claim row, whatever became of it, in no order."""

    def unreadable(self, *, limit: int = 100) -> tuple[UnreadableRow, ...]:
        """Return the rows of requests and of calls in doubt that make no record, which the lists leave out."""

    def audit_head(self) -> AuditHead:
        """Return the head as last committed."""

    def audit_key(self) -> str | None:
        """Return the key that signs the log (vkey of C2SP signed-note), None where it was never signed."""

    def audit_heads(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield (size, signed note) of the kept heads of *start* or more entries, the smallest first."""

    def signed_head(self) -> bytes | None:
        """Return the newest signed head as a note (C2SP tlog-checkpoint), None where there is none."""

    def audit_subtree(self, level: int, index: int) -> bytes:
        """Return the hash of a perfect subtree of the log, all of whose leaves are written.

        With it heads, and proofs that an entry is in the log or that it only grew, are made (`prove_inclusion`).
        Raises AuditError for one that is not whole.
        """

    def audit_rows(self, start: int = 0) -> Iterator[tuple[int, bytes, str]]:
        """Yield (sequence, stored bytes, hash as hex) from sequence *start* on."""

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
        text: str = "",
        plan: Collection[str] | None = None,
        seen: Sequence[SeenMessage] = (),
    ) -> EntryOpened:
        """Make *entry* the current one of *thread*, idempotently, with the *text* that its user wrote.

        A *plan* ("server/tool") is pinned where the thread has none; after its first untrusted text it has no tool.
        *seen* are messages that are put on record with it.
        A new entry withdraws what the previous one left open (section 8b.2): each consequential proposal without a
        claim row gets a CLOSED one, WITHDRAWN or as its request ended, each open request becomes WITHDRAWN, also the
        successor of an edit. A row that is SENDING stays as it is. Re-opening an older entry (time travel) makes it
        current and withdraws likewise. Raises NotEligibleError for one recorded with another requester or tenant.
        """

    async def propose(self, calls: Sequence[Proposal], *, durable: bool, now: datetime) -> frozenset[CallKey]:
        """Record what the model proposes in one turn; return the keys that are refused.

        All calls share thread, entry and turn. Recording the same again changes nothing. Where the turn already holds
        another proposal, each older call that is consequential and has no row is closed first (reason SUPERSEDED, its
        request too); where one is SENDING, EXECUTED, IN_DOUBT, HAPPENED, NOT_OBSERVED or CONFLICT, the new
        consequential calls are refused (8b.6). With *durable* False (no call is consequential, the turn is new) the
        write is buffered.
        """

    async def hold(
        self,
        request: ApprovalRequest,
        note: AuditNote,
        *,
        limits: QueueLimits,
        now: datetime,
        trace: TraceContext | None = None,
    ) -> StandingRequest | Told:
        """Write *request* as PENDING, once, or return what stands; with a notice if none of its question is to come.

        Told where the call is no recorded proposal or its claim row exists, and, in this order, where an identical
        request of the same thread is PENDING (COALESCED), the same question was REJECTED less than
        ``ask_again_after_s`` ago (ALREADY_REJECTED), or as many are PENDING as *limits* let wait for the group, the
        principal in its tenant, or the tenant (QUEUE_FULL). What people were told of less than ``ask_again_after_s``
        ago and nobody answered counts as PENDING there. A closed request is never re-opened (8b.6). *trace* is kept.
        """

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
        """Record a vote that the facade has verified by *credentials*, and move the request.

        Raises UnknownRequestError, RequestClosedError (not pending), ApprovalExpiredError (and closes it as EXPIRED),
        NotEligibleError (not in *electorate*, the requester, or has voted otherwise), and ApprovalError for a nonce
        that any statement of the same person has had. The same vote again returns the standing request. APPROVE counts
        votes over the electorate against the quorum and sets ``execute_by``; REJECT and RESPOND settle at once. EDIT
        makes the request SUPERSEDED, closes its claim row (reason SUPERSEDED), records the edited call as a proposal of
        the same turn and call id, and writes *edited* as PENDING, or as APPROVED where ``editor_may_approve`` and the
        quorum is 1. DELEGATE records that the delegate answers in the voter's place, with a notice. BREAK_GLASS
        approves at once, within *glass*: raises BreakGlassError for a person who has broken as many as the terms permit
        within their period, and for everybody while any review is overdue; writes the broken glass and a notice to its
        reviewers. Returns the request that now stands (the edited one after EDIT).
        """

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
        """Consume, claim and intend in one durable transaction (8b.1): on disk (fsync) when it returns.

        In this order: an existing row is told (a SENDING one whose lease lapsed becomes IN_DOUBT first);
        no recorded proposal is told as NOT_PROPOSED; a request (that of *proven*) that is PENDING or absent
        is told as waiting, SUPERSEDED likewise with ``standing`` set; execute-by passed makes it LAPSED, and so does
        the time that follows from when the quorum had signed; a stored request or vote other than in *proven*, a
        rejection or answer among what was proven, a quorum not met over that, or a glass that is not on record or
        beyond the terms makes it VOIDED; any other status is told, each closing the row; what a *use* that
        is checked draws on must not be spent, else the row is closed (UNLICENSED); then *limits* are counted
        over the admitted claims of the tool (per thread; per hour for requester and tenant), and a limit reached closes
        the row with LIMIT_REACHED. Otherwise the request becomes CONSUMED and the row SENDING, attempt 1, and *notes*
        are appended and *use* recorded; where it is refused, *refusal* is appended with the reason as field ``reason``.
        """

    async def retry(
        self, key: CallKey, *, owner: str, attempt: int, lease_until: datetime, proven: Proven | None, now: datetime
    ) -> Admission | Told:
        """Take over a claim IN_DOUBT (or SENDING with a lapsed lease) of an idempotent tool, once per wake.

        Compares *attempt* with the row's; a row that moved on is told. So is one whose request, CONSUMED, would not be
        admitted over *proven* now, by its time or its quorum (`admit`): it stays IN_DOUBT, for a person to settle.
        """

    async def settle(
        self, key: CallKey, *, attempt: int, outcome: Outcome, labels: Labels, note: AuditNote, now: datetime
    ) -> Claim:
        """Store the outcome of a sent call and join *labels* into the thread's, in one transaction.

        ``outcome.status`` is EXECUTED, FAILED or IN_DOUBT. EXECUTED over NOT_HAPPENED or NOT_OBSERVED, FAILED or CLOSED
        becomes CONFLICT; FAILED after a first attempt becomes IN_DOUBT; FAILED or IN_DOUBT by an attempt that is no
        longer the row's changes nothing. Returns the row as it then stands.
        """

    async def refuse(self, key: CallKey, *, reason: Reason, outcome: Outcome, note: AuditNote, now: datetime) -> Claim:
        """Close the row before the model is told (8b.2); an open request becomes VOIDED (EXPIRED for reason EXPIRED).

        The first writer wins: an existing row is returned unchanged (a lapsed SENDING becomes IN_DOUBT).
        A call that is no recorded proposal gets no row; the returned claim is then CLOSED with NOT_PROPOSED, unstored.
        """

    async def expire(self, request_id: str, *, now: datetime) -> StandingRequest:
        """Close a request whose time has passed (PENDING as EXPIRED, APPROVED as LAPSED); otherwise change nothing."""

    async def withdraw(self, thread: str, *, now: datetime) -> tuple[str, ...]:
        """Close what the current entry of *thread* left open, as new input does; return the requests withdrawn."""

    async def sweep(self, *, now: datetime) -> Swept:
        """Do what time alone does, to all rows at once, each with an audit entry.

        PENDING past decide-by becomes EXPIRED, APPROVED past execute-by LAPSED, SENDING past its lease IN_DOUBT. One
        past escalate-at is noted once, with a notice to its backup, and so is an overdue review.
        """

    async def resolve(self, signed: SignedResolution, key: CallKey, *, note: AuditNote, now: datetime) -> Claim:
        """Settle the claim of *key*, IN_DOUBT, as its verified resolution says (8b.5); return the row.

        The resolution is over the row's attempt. Raises RequestClosedError where the row moved on or is not IN_DOUBT.
        A look that was too early for the verdict (`check_look`) is refused with ApprovalError.
        """

    async def review(self, signed: SignedReview, *, note: AuditNote, now: datetime) -> BrokenGlass:
        """Record the verified review of a broken glass, once. Raises UnknownRequestError and RequestClosedError."""

    async def relabel(self, thread: str, labels: Labels) -> None:
        """Join *labels* into the thread's labels, buffered but visible to `thread` at once; they only grow stricter."""

    async def sign_with(self, signer: Signer, notes: Sequence[AuditNote], *, now: datetime) -> AuditHead:
        """Append *notes*, and sign the log with *signer* from here on. Raises StoreError where its key is another."""

    async def rotate_key(self, signer: Signer, note: AuditNote, *, now: datetime) -> AuditHead:
        """Append *note*, sign the head by the key before and by *signer*, and only by that from here on.

        Raises StoreError where the key before is not at hand, or not the log's.
        """

    async def keep_head(self, cosigned: Note) -> None:
        """Keep the signatures of *cosigned* with the head that they are of."""

    async def append(self, notes: Sequence[AuditNote], *, now: datetime) -> AuditHead:
        """Append entries durably; return the head after them."""

    def note(self, notes: Sequence[AuditNote], *, now: datetime) -> None:
        """Append entries with group commit: before the next durable transaction, at the latest after 50 ms.

        Raises StoreError where an earlier group could not be written or the buffer (10,000 entries) is full.
        """

    async def aclose(self) -> None:
        """Write what is buffered and close."""
