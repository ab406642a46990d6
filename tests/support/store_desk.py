"""A store whose methods are called with what a test does not care about filled in."""

from datetime import datetime
from typing import Any

from guarded_agents.records import (
    UNEXPOSED,
    ApprovalRequest,
    BreakGlassTerms,
    CallKey,
    Claim,
    ClaimStatus,
    Electorate,
    Labels,
    Limits,
    Outcome,
    Principal,
    Proposal,
    QueueLimits,
    Reason,
    SignedResolution,
    SignedVote,
    StandingRequest,
)
from guarded_agents.stores import NO_USE, Admission, AuditNote, EntryOpened, Proven, SqliteStore, Told, Use
from tests.support.stores import (
    BOTH,
    CLOSED,
    DESK,
    HOUR,
    INTENT,
    MINUTE,
    NOTE,
    REFUSAL,
    ROOM,
    SENT,
    TEN,
    key,
    proposal,
    proven,
    request,
    resolution,
    vote,
)


class Desk:
    """A store, and the calls of its methods with what the tests do not care about filled in."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store

    async def enter(
        self,
        entry: str = "entry",
        *,
        requester: Principal = DESK,
        tenant: str = "acme",
        labels: Labels = UNEXPOSED,
        **more: Any,
    ) -> EntryOpened:
        return await self.store.open_entry(
            thread="thread", entry=entry, requester=requester, tenant=tenant, labels=labels, now=TEN, **more
        )

    async def propose(self, *calls: Proposal, durable: bool = True) -> frozenset[CallKey]:
        return await self.store.propose(calls or (proposal(),), durable=durable, now=TEN)

    async def hold(
        self, of: ApprovalRequest | None = None, *, limits: QueueLimits = ROOM, now: datetime = TEN
    ) -> StandingRequest | Told:
        return await self.store.hold(of or request(), NOTE, limits=limits, now=now)

    async def ask(
        self, of: ApprovalRequest | None = None, *, limits: QueueLimits = ROOM, now: datetime = TEN
    ) -> StandingRequest | Told:
        """Propose and hold one call."""
        of = of or request()
        await self.propose(proposal(of.key))
        return await self.hold(of, limits=limits, now=now)

    async def vote(
        self,
        cast: SignedVote | None = None,
        *,
        eligible: frozenset[str] = BOTH,
        holders: frozenset[str] = frozenset(),
        edited: ApprovalRequest | None = None,
        glass: BreakGlassTerms | None = None,
        now: datetime = TEN,
    ) -> StandingRequest:
        cast = cast or vote(request())
        return await self.store.vote(
            cast,
            electorate=Electorate(eligible, holders),
            edited=edited,
            glass=glass,
            credentials=(f"key of {cast.vote.approver}",),
            note=AuditNote("vote", {}),
            now=now,
        )

    async def admit(
        self,
        of: CallKey | None = None,
        *,
        request: str | None = None,
        eligible: frozenset[str] = BOTH,
        holders: frozenset[str] = frozenset(),
        limits: Limits = Limits(),
        now: datetime = TEN,
        owner: str = "me",
        seen: Proven | None = None,
        use: Use = NO_USE,
    ) -> Admission | Told:
        if seen is None and request is not None:
            seen = proven(self.store, request, Electorate(eligible, holders))
        return await self.store.admit(
            of or key(),
            owner=owner,
            lease_until=now + MINUTE,
            proven=seen,
            limits=limits,
            notes=[INTENT],
            refusal=REFUSAL,
            now=now,
            use=use,
        )

    async def retry(self, attempt: int, *, now: datetime = TEN, seen: Proven | None = None) -> Admission | Told:
        return await self.store.retry(
            key(), owner="other", attempt=attempt, lease_until=now + MINUTE, proven=seen, now=now
        )

    async def settle(
        self, outcome: Outcome = SENT, *, of: CallKey | None = None, attempt: int = 1, labels: Labels = UNEXPOSED
    ) -> Claim:
        note = AuditNote("outcome", {"said": outcome.status})
        return await self.store.settle(of or key(), attempt=attempt, outcome=outcome, labels=labels, note=note, now=TEN)

    async def refuse(
        self, of: CallKey | None = None, *, reason: Reason = Reason.REJECTED, now: datetime = TEN
    ) -> Claim:
        return await self.store.refuse(of or key(), reason=reason, outcome=CLOSED, note=REFUSAL, now=now)

    async def approved(self, of: ApprovalRequest | None = None) -> StandingRequest:
        """Propose, hold and approve one call."""
        of = of or request()
        await self.ask(of)
        return await self.vote(vote(of))

    async def sent(self) -> None:
        """Admit one call, with a lease of a minute."""
        await self.propose()
        await self.admit()

    async def resolve(self, signed: SignedResolution | None = None, *, now: datetime = TEN + HOUR) -> Claim:
        return await self.store.resolve(signed or resolution(), key(), note=AuditNote("outcome", {}), now=now)

    def set_status(self, status: ClaimStatus, of: CallKey | None = None) -> None:
        """Put a claim row where no transaction of this release puts it."""
        self.write("UPDATE claims SET status = ? WHERE digest = ?", status.value, (of or key()).digest)

    def write(self, statement: str, *values: str | int | None) -> None:
        """Write what no transaction of this release writes."""

        def change(tx: object) -> None:
            tx.db.execute(statement, values)  # type: ignore[attr-defined]

        self.store._writer.submit(change).result()  # type: ignore[arg-type]

    def kinds(self) -> list[str]:
        """Return the kinds of the audit entries, in order."""
        import json

        return [json.loads(stored)["kind"] for _, stored, _ in self.store.audit_rows()]
