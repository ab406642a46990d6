"""Random sequences of transactions hold what the checked model holds (DESIGN section 8b; ``docs/model``).

S1 a call is admitted once. S2 only over a quorum of people eligible at that instant, or one who broke the glass and may
at that instant, before execute-by. S3 never
after its request was reported as closed. S4 never after the model was told that it is not carried out. S5 never
after a person resolved that it did not happen. S6 an acknowledged effect is on record. S7 of two alternatives of
one turn at most one may have happened.
"""

import asyncio
from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from guarded_agents.audit import GENESIS, Frontier, leaf_hash
from guarded_agents.errors import ApprovalError
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    CallKey,
    Claim,
    ClaimStatus,
    Electorate,
    Limits,
    Outcome,
    QueueLimits,
    Reason,
    RequestStatus,
    StandingRequest,
    Verdict,
    Vote,
)
from guarded_agents.stores import Admission, AuditNote, SqliteStore, Told
from tests.support import stores
from tests.support.stores import (
    CLOSED,
    ERROR,
    GLASS,
    INTENT,
    NOTE,
    REFUSAL,
    SENT,
    SILENCE,
    TEN,
    broken,
    proposal,
    proven,
    request,
    resolution,
    review,
    vote,
)

PER_THREAD = 4
QUEUE = QueueLimits(per_group=3, ask_again_after_s=240)
LIMITS = Limits(per_thread=PER_THREAD)
APPROVERS = ("ana", "raj", "zoe")
NOT_EXECUTED = {ClaimStatus.CLOSED, ClaimStatus.FAILED, ClaimStatus.NOT_HAPPENED}
MAY_HAVE_HAPPENED = set(ClaimStatus) - NOT_EXECUTED
CLOSES_THE_ROW = {
    RequestStatus.CONSUMED,
    RequestStatus.SUPERSEDED,
    RequestStatus.WITHDRAWN,
    RequestStatus.VOIDED,
}
NEGATIVE = set(RequestStatus) - {RequestStatus.PENDING, RequestStatus.APPROVED, RequestStatus.CONSUMED}
NOT_ASKED = {Reason.COALESCED, Reason.ALREADY_REJECTED, Reason.QUEUE_FULL}

# What leads on is drawn more often than what ends everything.
numbers = st.integers(0, 11)
people = st.sampled_from([frozenset(APPROVERS)] * 3 + [frozenset({"ana", "raj"}), frozenset({"raj"}), frozenset()])
who_votes = st.sampled_from(APPROVERS * 2 + ("desk-agent", "bob"))
holders = st.sampled_from([frozenset({"zoe", "max"})] * 3 + [frozenset({"max"}), frozenset()])
answers = st.sampled_from([Answer.APPROVE] * 3 + [Answer.REJECT, Answer.EDIT])
seldom = st.sampled_from([False] * 5 + [True])


class Protocol(RuleBasedStateMachine):
    """Any number of workers, approvers and clocks, as one sequence of transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = SqliteStore.open(":memory:")
        self.now = TEN
        self.entry = "one"
        self.admitted: Counter[CallKey] = Counter()
        self.told_not_executed: set[CallKey] = set()
        self.acknowledged: set[CallKey] = set()
        self.seen: set[CallKey] = set()
        self.together: dict[CallKey, set[CallKey]] = defaultdict(set)  # proposed in one message
        self.signed: dict[str, set[str]] = defaultdict(set)  # request digest to those who signed it
        self.voters: dict[str, set[str]] = defaultdict(set)  # request id to those who answered it
        self.voteless: dict[str, set[str]] = defaultdict(set)  # request id to those who delegated or edited it
        self.breakers: dict[str, str] = {}  # request id to who broke its glass
        self.resolved: set[str] = set()
        self.edits = 0
        self.leased_until = TEN

    def teardown(self) -> None:
        self.runner.run(self.store.aclose())
        self.runner.close()

    # -- what happened ---------------------------------------------------------------------------

    def _row(self, claim: Claim | None) -> None:
        """Note what everybody is told of a row."""
        if claim is not None and claim.status in NOT_EXECUTED:
            assert claim.key not in self.acknowledged, "S4: told as not executed, and it was executed"
            self.told_not_executed.add(claim.key)

    def _admission(self, key: CallKey) -> None:
        assert key not in self.told_not_executed, "S4, S5: admitted after it was told as not executed"
        mates = self.together[key] | {key}
        for other in self.seen - mates:
            if other[:3] == key[:3]:
                claim = self.store.claim(other)
                assert claim is None or claim.status not in MAY_HAVE_HAPPENED, "S7: two alternatives"

    def _pick(self, number: int) -> CallKey:
        """Return a call that was proposed, or one that was not."""
        known = sorted(self.seen)
        return known[number % len(known)] if known else stores.key("never", entry=self.entry)

    def _standing(self, number: int, *statuses: RequestStatus) -> StandingRequest | None:
        every = [one.id for one in self.store.requests(status=None) if not statuses or one.status in statuses]
        return self.store.request(every[number % len(every)]) if every else None

    # -- the transactions ------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self._enter("one")

    @rule(entry=st.sampled_from(["one", "two"]), really=seldom)
    def enter(self, entry: str, really: bool) -> None:
        if really:
            self._enter(entry)

    def _enter(self, entry: str) -> None:
        left, self.entry = getattr(self, "entry", entry), entry
        self.runner.run(
            self.store.open_entry(
                thread="thread",
                entry=entry,
                requester=stores.DESK,
                tenant="acme",
                labels=stores.UNEXPOSED,
                now=self.now,
            )
        )
        for call in self.store.calls("thread", left) if left != entry else ():
            self._row(call.claim)

    @rule(turn=st.integers(1, 2), digests=st.frozensets(st.sampled_from("abc"), min_size=1, max_size=2), late=seldom)
    def propose(self, turn: int, digests: frozenset[str], late: bool) -> None:
        entry = self.entry if not late else "one"
        batch = {stores.key(f"{digest}/{entry}/{turn}", entry=entry, turn=turn) for digest in digests}
        new = batch - self.seen
        refused = self.runner.run(
            self.store.propose([proposal(key) for key in sorted(batch)], durable=True, now=self.now)
        )
        self.seen |= batch
        for key in batch:
            self.together[key] |= batch
        self.told_not_executed |= refused
        if entry != self.entry:
            assert new <= refused, "8b.2: what comes after new input is withdrawn"

    @rule(turn=st.integers(3, 8), quorum=st.sampled_from([1, 1, 2]), editor_may_approve=st.booleans())
    def propose_and_hold(self, turn: int, quorum: int, editor_may_approve: bool) -> None:
        """Bring about a request of a turn of its own, or come by once more."""
        of = stores.key(f"a/{self.entry}/{turn}", entry=self.entry, turn=turn)
        self.told_not_executed |= self.runner.run(self.store.propose([proposal(of)], durable=True, now=self.now))
        self.seen.add(of)
        self._hold(of, quorum, editor_may_approve=editor_may_approve, question=of.digest)

    @rule(number=numbers, quorum=st.integers(1, 2), editor_may_approve=st.booleans(), same=seldom)
    def hold(self, number: int, quorum: int, editor_may_approve: bool, same: bool) -> None:
        of = self._pick(number)
        self._hold(of, quorum, editor_may_approve=editor_may_approve, question="same" if same else of.digest)

    def _hold(self, of: CallKey, quorum: int, *, editor_may_approve: bool, question: str) -> None:
        asked = request(
            of,
            quorum=quorum,
            editor_may_approve=editor_may_approve,
            question=question,
            decide_by=self.now + timedelta(minutes=60),
        )
        before = self.store.request_of(of)
        held = self.runner.run(self.store.hold(asked, NOTE, limits=QUEUE, now=self.now))
        waiting = [one.id for one in self.store.requests() if one.decide_by > self.now]
        if isinstance(held, Told):
            if held.reason in NOT_ASKED:
                assert before is None
                assert held.claim is None
                assert held.retry_at is not None
                assert held.retry_at > self.now
            if not held.waiting:
                self._row(held.claim)
        elif before is None:
            assert len(waiting) <= QUEUE.per_group + self.edits, "never queued without bound"
        else:
            assert held == before, "8b.6: a request is written once and never opened again"

    @rule(number=numbers, who=who_votes, answer=answers, eligible=people, closed=seldom)
    def vote(self, number: int, who: str, answer: Answer, eligible: frozenset[str], closed: bool) -> None:
        standing = self._standing(number) if closed else self._standing(number, RequestStatus.PENDING)
        if standing is not None:
            self._vote(standing, who, answer, Electorate(eligible))

    @rule(number=numbers, who=st.sampled_from(APPROVERS))
    def approve(self, number: int, who: str) -> None:
        standing = self._standing(number, RequestStatus.PENDING)
        if standing is not None:
            self._vote(standing, who, Answer.APPROVE, Electorate(frozenset(APPROVERS)))

    @rule(number=numbers, may_break=holders, later=holders, used=st.booleans())
    def break_glass(self, number: int, may_break: frozenset[str], later: frozenset[str], used: bool) -> None:
        """Let zoe approve alone, and perhaps use it at once, as far as she may then."""
        standing = self._standing(number, RequestStatus.PENDING)
        if standing is not None:
            self._vote(standing, "zoe", Answer.BREAK_GLASS, Electorate(frozenset(), may_break))
            if used:
                self._admit(standing.request.key, standing.request.id, Electorate(frozenset(), later))

    @rule(number=numbers, who=st.sampled_from(APPROVERS), to=who_votes, eligible=people, both=st.booleans())
    def delegate(self, number: int, who: str, to: str, eligible: frozenset[str], both: bool) -> None:
        """Let one answer in the place of another, who perhaps answers all the same."""
        standing = self._standing(number, RequestStatus.PENDING)
        if standing is not None:
            self._vote(standing, who, Answer.DELEGATE, Electorate(eligible), delegate=to)
            for one in (to, who)[: 1 + both]:
                self._vote(standing, one, Answer.APPROVE, Electorate(eligible))

    def _vote(self, standing: StandingRequest, who: str, answer: Answer, electorate: Electorate, **more: str) -> None:
        on = standing.request
        edited = self._edit(on) if answer is Answer.EDIT else None
        cast = vote(on, who, answer, digest=None if edited is None else edited.digest, at=self.now, **more)
        if answer is Answer.BREAK_GLASS:
            cast = broken(on, who, at=self.now)
        note = AuditNote("vote", {})
        try:
            after = self.runner.run(
                self.store.vote(
                    cast, electorate=electorate, edited=edited, glass=GLASS, credentials=(), note=note, now=self.now
                )
            )
        except ApprovalError:
            return
        self._voted(cast.vote, on, after)
        if standing.status is RequestStatus.PENDING and who not in self.voters[on.id]:
            able = electorate.holders if answer is Answer.BREAK_GLASS else electorate.voters
            assert {who, cast.vote.delegate or who} <= able - {"desk-agent", "bob"}, "I7"
            self.voters[on.id].add(who)
        if after.status is RequestStatus.APPROVED and standing.status is RequestStatus.PENDING:
            self._quorum(after.request, electorate)
        if edited is not None and after.request.id == edited.id:
            self.seen.add(edited.key)
            # The edited call goes with what the older one went with, and instead of it.
            mates = self.together[on.key] - {on.key}
            self.together[edited.key] |= mates
            for mate in mates:
                self.together[mate].add(edited.key)

    def _edit(self, on: ApprovalRequest) -> ApprovalRequest:
        self.edits += 1
        of = on.key._replace(digest=f"{on.call_digest}+{self.edits}")
        changes = {"id": f"{on.id}+{self.edits}", "call_digest": of.digest, "digest": of.digest, "parent": on.id}
        return ApprovalRequest.model_validate(dict(on) | changes)

    def _voted(self, cast: Vote, on: ApprovalRequest, after: StandingRequest) -> None:
        """Note who has signed what, and who has no vote any more."""
        who, editor_counts = cast.approver, cast.answer is Answer.EDIT and on.editor_may_approve
        if cast.answer is Answer.APPROVE or editor_counts:
            self.signed[cast.digest].add(who)
        elif cast.answer is Answer.EDIT:
            self.voteless[after.request.id].add(who)
        elif cast.answer is Answer.DELEGATE:
            self.voteless[on.id].add(who)
        elif cast.answer is Answer.BREAK_GLASS and on.id not in self.breakers:
            self.breakers[on.id] = who
            broken_glass = self.store.broken_glass(is_open=False)
            assert len([glass for glass in broken_glass if glass.approver == who]) <= GLASS.per_person
            assert not [glass for glass in broken_glass if glass.is_overdue(now=self.now)]

    def _quorum(self, on: ApprovalRequest, electorate: Electorate) -> None:
        counted = self.signed[on.digest] & electorate.voters - {"desk-agent", "bob"} - self.voteless[on.id]
        by_one = self.breakers.get(on.id) in electorate.holders
        assert by_one or len(counted) >= on.quorum, "S2: a quorum of people eligible at that instant"

    @rule(number=numbers, approved=st.booleans(), named=st.booleans(), other=seldom, eligible=people, may_break=holders)
    def admit(
        self,
        number: int,
        approved: bool,
        named: bool,
        other: bool,
        eligible: frozenset[str],
        may_break: frozenset[str],
    ) -> None:
        chosen = self._standing(number, RequestStatus.APPROVED) if approved else None
        key = self._pick(number) if chosen is None else chosen.request.key
        asked = self._standing(number) if other else self.store.request_of(key)
        self._admit(key, asked.request.id if named and asked is not None else None, Electorate(eligible, may_break))

    def _admit(self, key: CallKey, asked: str | None, electorate: Electorate) -> None:
        before = self.store.request_of(key)
        claim = self.store.claim(key)
        told = self.runner.run(
            self.store.admit(
                key,
                owner="worker",
                lease_until=self.now + timedelta(minutes=2),
                proven=None if asked is None else proven(self.store, asked, electorate),
                limits=LIMITS,
                notes=[INTENT],
                refusal=REFUSAL,
                now=self.now,
            )
        )
        if isinstance(told, Told):
            if told.waiting:
                assert told.claim is None or told.reason is Reason.SUPERSEDED
                is_other = before is None or asked not in {before.request.id, None}
                assert is_other or before.status in {RequestStatus.PENDING, RequestStatus.SUPERSEDED}
            else:
                self._row(told.claim)
                assert claim is not None or before is None or before.status is not RequestStatus.PENDING, "8b.3"
            return
        assert claim is None, "S1: the first writer of the row wins"
        assert key in self.seen, "8b.1: only what was proposed"
        self._admission(key)
        self.admitted[key] += 1
        if before is not None:
            assert before.status is RequestStatus.APPROVED, "S2, S3: an approval that stands"
            assert before.execute_by is not None
            assert self.now < before.execute_by, "S2: in time"
            if asked is not None:
                self._quorum(before.request, electorate)

    def _sent(self, number: int) -> Claim:
        claim = self.store.claim(sorted(self.admitted)[number % len(self.admitted)])
        assert claim is not None
        return claim

    @precondition(lambda self: self.admitted)
    @rule(number=numbers, outcome=st.sampled_from([SENT, ERROR, ERROR, SILENCE, SILENCE]), older=seldom)
    def settle(self, number: int, outcome: Outcome, older: bool) -> None:
        before = self._sent(number)
        settled = self.runner.run(
            self.store.settle(
                before.key,
                attempt=1 if older else before.attempt,
                outcome=outcome,
                labels=stores.UNEXPOSED,
                note=AuditNote("outcome", {}),
                now=self.now,
            )
        )
        assert settled == self.store.claim(before.key)
        if outcome is SENT:
            self.acknowledged.add(before.key)
        elif before.status not in {ClaimStatus.SENDING, ClaimStatus.IN_DOUBT} or (older and before.attempt > 1):
            assert settled == before
        if settled.status is ClaimStatus.FAILED:
            assert settled.attempt == 1, "8b.4: an error after a retry proves nothing"
        self._row(settled)

    @precondition(lambda self: self.admitted)
    @rule(number=numbers, older=seldom, named=st.booleans(), eligible=people, may_break=holders)
    def retry(self, number: int, older: bool, named: bool, eligible: frozenset[str], may_break: frozenset[str]) -> None:
        before, electorate = self._sent(number), Electorate(eligible, may_break)
        standing = self.store.request_of(before.key)
        asked = standing.request.id if named and standing is not None else None
        attempt = before.attempt - older
        lease_until = self.now + timedelta(minutes=2)
        again = self.runner.run(
            self.store.retry(
                before.key,
                owner="other",
                attempt=attempt,
                lease_until=lease_until,
                proven=None if asked is None else proven(self.store, asked, electorate),
                now=self.now,
            )
        )
        if isinstance(again, Admission):
            assert before.attempt == attempt == again.claim.attempt - 1
            assert before.status is ClaimStatus.IN_DOUBT or before.lease_until <= self.now
            assert before.key not in self.told_not_executed
            if standing is not None:
                assert standing.execute_by is not None
                assert self.now < standing.execute_by, "S2: in time"
                if asked is not None:
                    self._quorum(standing.request, electorate)
        else:
            self._row(again.claim)

    @rule(number=numbers, reason=st.sampled_from([Reason.REJECTED, Reason.EXPIRED]), really=seldom)
    def refuse(self, number: int, reason: Reason, really: bool) -> None:
        if not really:
            return
        of = self._pick(number)
        claim = self.runner.run(self.store.refuse(of, reason=reason, outcome=CLOSED, note=REFUSAL, now=self.now))
        if claim.reason is not Reason.NOT_PROPOSED:
            assert claim == self.store.claim(of)
            self._row(claim)

    @rule(number=numbers)
    def expire(self, number: int) -> None:
        standing = self._standing(number, RequestStatus.PENDING, RequestStatus.APPROVED)
        if standing is not None:
            after = self.runner.run(self.store.expire(standing.request.id, now=self.now))
            assert after == self.store.request(standing.request.id)

    @rule(minutes=st.sampled_from([1, 2, 2, 15]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(reviewed=st.booleans())
    def sweep(self, reviewed: bool) -> None:
        for glass in self.store.broken_glass() if reviewed else ():
            self.runner.run(self.store.review(review(glass.request), note=NOTE, now=self.now))
        swept = self.runner.run(self.store.sweep(now=self.now))
        for name in (*swept.expired, *swept.lapsed):
            standing = self.store.request(name)
            assert standing is not None
            assert standing.request.key not in self.admitted
        for line in self.store.requests():
            assert line.decide_by > self.now, "time never leaves anything open"
        for key in self.admitted:
            claim = self.store.claim(key)
            assert claim is not None
            assert claim.status is not ClaimStatus.SENDING or claim.lease_until > self.now, "8b.4"

    @rule(really=seldom)
    def withdraw(self, really: bool) -> None:
        if really:
            for name in self.runner.run(self.store.withdraw("thread", now=self.now)):
                standing = self.store.request(name)
                assert standing is not None
                assert standing.status is RequestStatus.WITHDRAWN
            for call in self.store.calls("thread", self.entry):
                self._row(call.claim)

    @precondition(lambda self: self.admitted)
    @rule(number=numbers, verdict=st.sampled_from(Verdict), older=seldom)
    def resolve(self, number: int, verdict: Verdict, older: bool) -> None:
        """Let a person look, and say truly what happened (the model's DRAIN)."""
        before = self._sent(number)
        signed = resolution(
            verdict, attempt=before.attempt - older, looked_at=self.now, call=f"{before.key.digest} at {self.now}"
        )
        note = AuditNote("outcome", {})
        in_doubt = before.status is ClaimStatus.IN_DOUBT or (
            before.status is ClaimStatus.SENDING and before.lease_until <= self.now
        )
        try:
            after = self.runner.run(self.store.resolve(signed, before.key, note=note, now=self.now))
        except ApprovalError:
            assert older or not in_doubt or (verdict is Verdict.NOT_HAPPENED and self.now <= before.lease_until)
            return
        assert after == self.store.claim(before.key)
        if signed.resolution.nonce not in self.resolved:
            assert in_doubt, "8b.5: from IN_DOUBT only"
            assert not older, "8b.5: over the attempt that was looked at"
            self.resolved.add(signed.resolution.nonce)
        self._row(after)

    @rule(owner=st.sampled_from(["one", "two"]), again=st.booleans())
    def wake(self, owner: str, again: bool) -> None:
        until = self.now + timedelta(minutes=1)
        taken = self.runner.run(self.store.take_wake(owner=owner, until=until, now=self.now))
        if taken is not None:
            assert taken.thread == "thread"
            assert self.now >= self.leased_until, "two workers never take a thread at once"
            self.leased_until = until
            if again:
                self.leased_until = self.now
                self.runner.run(self.store.woken("thread", owner=owner, again_at=None))

    # -- what always holds -----------------------------------------------------------------------

    @invariant()
    def a_call_is_admitted_once(self) -> None:
        assert set(self.admitted.values()) <= {1}, "S1"

    @invariant()
    def limits_hold(self) -> None:
        assert len(self.admitted) <= PER_THREAD

    @invariant()
    def requests_and_rows_agree(self) -> None:
        for line in self.store.requests(status=None):
            standing = self.store.request(line.id)
            assert standing is not None
            claim = self.store.claim(standing.request.key)
            if standing.status in NEGATIVE:
                assert standing.request.key not in self.admitted, "S3"
            if standing.status in CLOSES_THE_ROW:
                assert claim is not None, "8b.2: row and request are closed together"
            if standing.status is RequestStatus.CONSUMED:
                assert standing.request.key in self.admitted
            elif claim is not None:
                assert not standing.status.is_open, "8b.2: row and request are closed together"

    @invariant()
    def an_acknowledged_effect_is_on_record(self) -> None:
        for key in self.acknowledged:
            claim = self.store.claim(key)
            assert claim is not None
            assert claim.status in {ClaimStatus.EXECUTED, ClaimStatus.HAPPENED, ClaimStatus.CONFLICT}, "S6"

    @invariant()
    def the_log_is_a_chain_and_a_tree(self) -> None:
        previous, tree = GENESIS, Frontier()
        for number, (sequence, stored, digest) in enumerate(self.store.audit_rows()):
            assert (sequence, digest) == (number, leaf_hash(stored))
            assert previous.encode() in stored
            previous = digest
            tree.append(bytes.fromhex(digest))
        assert self.store.audit_head()[1:] == (tree.size, tree.root().hex())


Protocol.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


@pytest.mark.requirement("I4")
@pytest.mark.requirement("I7")
@pytest.mark.timeout(900)  # seconds of its own, on a disk that others use
class TestProtocol(Protocol.TestCase):
    pass
