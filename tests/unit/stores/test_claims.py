"""The claim row: admit, retry, settle, refuse."""

from dataclasses import replace
from datetime import timedelta

import pytest

from guarded_agents.errors import StoreError
from guarded_agents.records import (
    UNEXPOSED,
    Answer,
    Claim,
    ClaimStatus,
    Electorate,
    Integrity,
    Labels,
    Limits,
    Outcome,
    Principal,
    Reason,
    RequestStatus,
)
from guarded_agents.stores import Admission, Told
from tests.support.store_desk import Desk
from tests.support.stores import (
    BOTH,
    CLOSED,
    DESK,
    ERROR,
    HOUR,
    MINUTE,
    SENT,
    SILENCE,
    TEN,
    key,
    proposal,
    proven,
    request,
    vote,
)

# -- admit ------------------------------------------------------------------------------------


@pytest.mark.requirement("I5")
async def test_an_admission_is_a_claim_and_its_notes(desk: Desk) -> None:
    await desk.propose()
    admitted = await desk.admit()
    assert admitted == Admission(Claim(key(), ClaimStatus.SENDING, "me", 1, TEN + MINUTE, Reason.PERMITTED, None, TEN))
    assert desk.store.claim(key()) == admitted.claim
    assert desk.kinds() == ["intent"]


@pytest.mark.requirement("I4")
async def test_a_call_is_admitted_once(desk: Desk) -> None:
    await desk.propose()
    first = await desk.admit()
    second = await desk.admit(owner="other")
    assert isinstance(first, Admission)
    assert second == Told(Reason.PERMITTED, first.claim)
    assert desk.kinds() == ["intent"]


@pytest.mark.requirement("I3")
async def test_what_was_not_proposed_is_not_admitted(desk: Desk) -> None:
    assert await desk.admit() == Told(Reason.NOT_PROPOSED)
    assert desk.store.claim(key()) is None
    assert desk.kinds() == ["refusal"]


async def test_an_approval_is_consumed(desk: Desk) -> None:
    await desk.approved()
    assert isinstance(await desk.admit(request="r-a"), Admission)
    assert desk.store.request("r-a").status is RequestStatus.CONSUMED  # type: ignore[union-attr]


@pytest.mark.requirement("I4")
async def test_what_waits_is_told_as_waiting(desk: Desk) -> None:
    await desk.propose()
    assert await desk.admit(request="r-a") == Told(Reason.PERMITTED, waiting=True)
    standing = await desk.hold()
    assert await desk.admit(request="r-a") == Told(Reason.PERMITTED, waiting=True, standing=standing)
    assert await desk.admit() == Told(Reason.PERMITTED, waiting=True, standing=standing)
    assert desk.store.claim(key()) is None


@pytest.mark.requirement("I2")
async def test_the_approval_of_another_call_is_not_consumed(desk: Desk) -> None:
    await desk.propose(proposal(), proposal(key("b")))
    await desk.hold(request(key("b")))
    await desk.vote(vote(request(key("b"))))
    assert await desk.admit(request="r-b") == Told(Reason.PERMITTED, waiting=True)
    await desk.hold()
    await desk.vote()
    assert await desk.admit(request="r-b") == Told(Reason.PERMITTED, waiting=True)
    assert desk.store.request("r-b").status is RequestStatus.APPROVED  # type: ignore[union-attr]


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(
    ("after", "eligible", "reason", "status"),
    [
        (timedelta(seconds=900), {"ana", "raj"}, Reason.LAPSED, RequestStatus.LAPSED),
        (timedelta(0), {"raj"}, Reason.VOIDED, RequestStatus.VOIDED),
    ],
    ids=["execute-by passed", "the approver was revoked"],
)
async def test_an_approval_that_counts_no_more_is_refused(
    desk: Desk, after: timedelta, eligible: set[str], reason: Reason, status: RequestStatus
) -> None:
    await desk.approved()
    told = await desk.admit(request="r-a", eligible=frozenset(eligible), now=TEN + after)
    assert isinstance(told, Told)
    assert told.claim is not None
    assert (told.reason, told.waiting, told.claim.status) == (reason, False, ClaimStatus.CLOSED)
    assert told.standing is not None
    assert told.standing.status is status
    assert desk.kinds()[-1] == "refusal"
    assert await desk.admit(request="r-a") == told  # closed for good


@pytest.mark.requirement("I7")
@pytest.mark.requirement("I4")
@pytest.mark.parametrize("changed", ["request", "fewer votes", "more votes", "another vote", "a rejection"])
async def test_what_is_not_as_it_was_proven_admits_nothing(desk: Desk, changed: str) -> None:
    two = request(quorum=2)
    await desk.ask(two)
    for who in ("ana", "raj"):
        await desk.vote(vote(two, who))
    seen = proven(desk.store, "r-a", Electorate(BOTH))
    ana, raj = seen.votes
    seen = {
        "request": replace(seen, request=request(quorum=1)),
        "fewer votes": replace(seen, votes=(ana,)),
        "more votes": replace(seen, votes=(ana, raj, raj)),
        "another vote": replace(seen, votes=(ana, vote(two, "raj", nonce="1" * 32))),
        "a rejection": replace(seen, said=(*seen.said, vote(two, "zoe", Answer.REJECT))),
    }[changed]
    told = await desk.admit(seen=seen)
    assert isinstance(told, Told)
    assert told.reason is Reason.VOIDED
    assert desk.store.request("r-a").status is RequestStatus.VOIDED  # type: ignore[union-attr]


@pytest.mark.requirement("I7")
async def test_only_votes_that_are_proven_count(desk: Desk) -> None:
    two = request(quorum=2)
    await desk.ask(two)
    for who in ("ana", "raj"):
        await desk.vote(vote(two, who))
    seen = proven(desk.store, "r-a", Electorate(BOTH))
    told = await desk.admit(seen=replace(seen, said=seen.said[:1]))
    assert isinstance(told, Told)
    assert told.reason is Reason.VOIDED


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("after_s", "reason"), [(1_199, None), (1_200, Reason.LAPSED)], ids=str)
async def test_execute_by_is_bounded_by_when_the_quorum_had_signed(
    desk: Desk, after_s: int, reason: Reason | None
) -> None:
    await desk.ask(request(execute_within_s=900, decide_by=TEN + 9 * HOUR))
    await desk.vote(vote(request()))
    later = int((TEN + HOUR).timestamp()) * 1_000_000  # whoever writes the file may put anything there
    desk.store._writer.submit(lambda tx: tx.db.execute("UPDATE requests SET execute_by = ?", (later,))).result()
    told = await desk.admit(request="r-a", now=TEN + timedelta(seconds=after_s))
    assert (told.reason if isinstance(told, Told) else None) is reason


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(
    ("answer", "reason"), [(Answer.REJECT, Reason.REJECTED), (Answer.RESPOND, Reason.ANSWERED)], ids=str
)
async def test_an_answer_that_is_no_approval_refuses(desk: Desk, answer: Answer, reason: Reason) -> None:
    await desk.propose()
    await desk.hold()
    await desk.vote(vote(request(), answer=answer, text="no"))
    told = await desk.admit()
    assert isinstance(told, Told)
    assert (told.reason, told.waiting) == (reason, False)
    assert desk.store.claim(key()).status is ClaimStatus.CLOSED  # type: ignore[union-attr]


@pytest.mark.requirement("I6")
async def test_an_expired_request_refuses(desk: Desk) -> None:
    await desk.propose()
    await desk.hold()
    await desk.store.expire("r-a", now=TEN + HOUR)
    told = await desk.admit(request="r-a")
    assert isinstance(told, Told)
    assert told.reason is Reason.EXPIRED


async def test_without_an_obligation_an_approval_is_consumed_uncounted(desk: Desk) -> None:
    await desk.approved()
    assert isinstance(await desk.admit(eligible=frozenset()), Admission)  # the policy asks for none any more
    assert desk.store.request("r-a").status is RequestStatus.CONSUMED  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [RequestStatus.CONSUMED, RequestStatus.SUPERSEDED], ids=str)
async def test_a_request_without_its_row_admits_nothing(desk: Desk, status: RequestStatus) -> None:
    await desk.approved()
    desk.store._writer.submit(lambda tx: tx.db.execute("UPDATE requests SET status = ?", (status.value,))).result()
    told = await desk.admit(request="r-a")
    assert isinstance(told, Told)
    assert told.reason is (Reason.SUPERSEDED if told.waiting else Reason.VOIDED)


@pytest.mark.requirement("policy:limits")
async def test_a_tool_is_admitted_as_often_in_a_thread_as_its_limit_says(desk: Desk) -> None:
    limits = Limits(per_thread=2)
    for turn in (1, 2):
        await desk.propose(proposal(key(turn=turn)))
        assert isinstance(await desk.admit(key(turn=turn), limits=limits), Admission)
    await desk.propose(proposal(key("x", turn=3), tool="mail/send"), proposal(key(turn=3)))
    assert isinstance(await desk.admit(key("x", turn=3), limits=limits), Admission)  # another tool
    told = await desk.admit(key(turn=3), limits=limits)
    assert isinstance(told, Told)
    assert told.reason is Reason.LIMIT_REACHED
    assert desk.store.claim(key(turn=3)).status is ClaimStatus.CLOSED  # type: ignore[union-attr]
    await desk.propose(proposal(key(turn=4)))
    assert isinstance(await desk.admit(key(turn=4), limits=Limits(per_thread=3)), Admission)  # refusals do not count


@pytest.mark.requirement("policy:limits")
async def test_a_limit_that_is_reached_voids_the_approval(desk: Desk) -> None:
    await desk.approved()
    told = await desk.admit(request="r-a", limits=Limits(per_thread=0))
    assert isinstance(told, Told)
    assert told.reason is Reason.LIMIT_REACHED
    assert desk.store.request("r-a").status is RequestStatus.VOIDED  # type: ignore[union-attr]


@pytest.mark.requirement("policy:limits")
@pytest.mark.parametrize(
    ("requester", "tenant", "after", "admitted"),
    [
        (DESK, "acme", timedelta(seconds=3_599), False),
        (DESK, "acme", timedelta(seconds=3_600), True),
        (DESK, "other", timedelta(0), True),
        (Principal(id="clerk"), "acme", timedelta(0), True),
    ],
    ids=["within the hour", "an hour later", "another tenant", "another principal"],
)
async def test_a_limit_per_hour_is_of_principal_and_tenant(
    desk: Desk, requester: Principal, tenant: str, after: timedelta, admitted: bool
) -> None:
    limits = Limits(per_hour=1)
    await desk.propose()
    await desk.admit(limits=limits)
    of = key("b", thread="elsewhere")
    await desk.store.open_entry(
        thread="elsewhere", entry="entry", requester=requester, tenant=tenant, labels=UNEXPOSED, now=TEN
    )
    await desk.propose(proposal(of))
    again = await desk.admit(of, limits=limits, now=TEN + after)
    assert isinstance(again, Admission if admitted else Told)


async def test_those_who_opened_no_entry_share_their_limit(desk: Desk) -> None:
    for digest, expected in {"a": Admission, "b": Told}.items():
        of = key(digest, thread=f"nobody's {digest}")
        await desk.propose(proposal(of))
        assert isinstance(await desk.admit(of, limits=Limits(per_hour=1)), expected)


# -- leases and retry -------------------------------------------------------------------------


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("through", ["admit", "refuse", "hold"])
async def test_a_lapsed_lease_is_in_doubt_and_never_sent_again(desk: Desk, through: str) -> None:
    await desk.propose()
    await desk.admit()
    late = TEN + MINUTE
    match through:
        case "admit":
            told = await desk.admit(now=late)
        case "hold":
            told = await desk.hold(now=late)
        case _:
            told = Told(Reason.PERMITTED, await desk.refuse(now=late))
    assert isinstance(told, Told)
    assert told.claim == desk.store.claim(key())
    assert told.claim is not None
    assert told.claim.status is ClaimStatus.IN_DOUBT
    assert desk.kinds() == ["intent", "outcome"]


@pytest.mark.requirement("I4")
async def test_a_retry_is_over_the_attempt_that_was_seen(desk: Desk) -> None:
    assert await desk.retry(1) == Told(Reason.NOT_PROPOSED)
    await desk.propose()
    first = await desk.admit()
    assert isinstance(first, Admission)
    assert await desk.retry(1) == Told(Reason.PERMITTED, first.claim)  # its lease runs
    second = await desk.retry(1, now=TEN + MINUTE)
    assert isinstance(second, Admission)
    assert (second.claim.attempt, second.claim.owner, second.claim.lease_until) == (2, "other", TEN + 2 * MINUTE)
    assert desk.store.claim(key()) == second.claim
    late = await desk.retry(1, now=TEN + 2 * MINUTE)
    assert isinstance(late, Told)
    assert late.claim is not None
    assert (late.claim.status, late.claim.attempt) == (ClaimStatus.IN_DOUBT, 2)


async def test_a_retry_of_an_unanswered_attempt_drops_its_outcome(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    await desk.settle(SILENCE)
    again = await desk.retry(1)
    assert isinstance(again, Admission)
    assert again.claim.outcome is None
    assert desk.store.claim(key()) == again.claim


@pytest.mark.requirement("I4", "I7")
@pytest.mark.parametrize(
    ("late", "eligible", "named", "again"),
    [
        (timedelta(), BOTH, True, True),
        (HOUR, BOTH, True, False),
        (timedelta(), frozenset(), True, False),
        (timedelta(), BOTH, False, True),
        (HOUR, BOTH, False, False),
    ],
    ids=["as at first", "too late", "nobody agrees", "needs nobody any more", "too late, whoever is needed"],
)
async def test_a_retry_takes_the_approval_that_a_first_attempt_takes(
    desk: Desk, late: timedelta, eligible: frozenset[str], named: bool, again: bool
) -> None:
    standing = await desk.approved()
    await desk.admit(request="r-a")
    await desk.settle(SILENCE)
    before, kinds = desk.store.claim(key()), desk.kinds()
    assert standing.execute_by is not None
    now = standing.execute_by - timedelta(microseconds=1) + late
    seen = proven(desk.store, "r-a", Electorate(eligible)) if named else None
    told = await desk.retry(1, now=now, seen=seen)
    assert isinstance(told, Admission) is again
    if not again:
        assert isinstance(told, Told)
        assert told.claim == before == desk.store.claim(key())
        assert desk.kinds() == kinds


@pytest.mark.requirement("I4", "I7")
async def test_a_retry_over_a_request_that_is_not_on_record_sends_nothing(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    await desk.settle(SILENCE)
    told = await desk.retry(1, seen=proven(desk.store, "r-a", Electorate(BOTH)))
    assert isinstance(told, Told)


@pytest.mark.requirement("I4", "I7")
async def test_a_retry_over_a_request_that_was_not_consumed_sends_nothing(desk: Desk) -> None:
    await desk.approved()
    await desk.admit(request="r-a")
    await desk.settle(SILENCE)
    desk.store._writer.submit(lambda tx: tx.db.execute("UPDATE requests SET status = 'voided'")).result()
    told = await desk.retry(1, seen=proven(desk.store, "r-a", Electorate(BOTH)))
    assert isinstance(told, Told)


# -- settle -----------------------------------------------------------------------------------


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("outcome", [SENT, ERROR, SILENCE], ids=lambda outcome: outcome.status)
async def test_an_outcome_is_stored_and_told_ever_after(desk: Desk, outcome: Outcome) -> None:
    await desk.propose()
    await desk.admit()
    settled = await desk.settle(outcome)
    assert (settled.status, settled.outcome) == (outcome.status, outcome)
    assert desk.store.claim(key()) == settled
    assert await desk.admit() == Told(Reason.PERMITTED, settled)
    assert await desk.refuse() == settled
    assert desk.kinds() == ["intent", "outcome"]


_SUCCESS = {
    ClaimStatus.SENDING: ClaimStatus.EXECUTED,
    ClaimStatus.IN_DOUBT: ClaimStatus.EXECUTED,
    ClaimStatus.NOT_HAPPENED: ClaimStatus.CONFLICT,
    ClaimStatus.NOT_OBSERVED: ClaimStatus.CONFLICT,
    ClaimStatus.FAILED: ClaimStatus.CONFLICT,
    ClaimStatus.CLOSED: ClaimStatus.CONFLICT,
    ClaimStatus.EXECUTED: ClaimStatus.EXECUTED,
    ClaimStatus.HAPPENED: ClaimStatus.HAPPENED,
    ClaimStatus.CONFLICT: ClaimStatus.CONFLICT,
}


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("before", "after"), _SUCCESS.items(), ids=str)
async def test_a_late_success_is_never_dropped(desk: Desk, before: ClaimStatus, after: ClaimStatus) -> None:
    await desk.propose()
    await desk.admit()
    desk.set_status(before)
    settled = await desk.settle(SENT, attempt=7)
    assert settled == desk.store.claim(key())
    assert settled.status is after
    assert desk.kinds().count("outcome") == (2 if after is ClaimStatus.CONFLICT is not before else before is not after)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("outcome", [ERROR, SILENCE], ids=lambda outcome: outcome.status)
@pytest.mark.parametrize("before", sorted(set(ClaimStatus) - {ClaimStatus.SENDING, ClaimStatus.IN_DOUBT}), ids=str)
async def test_a_late_error_changes_nothing(desk: Desk, before: ClaimStatus, outcome: Outcome) -> None:
    await desk.propose()
    await desk.admit()
    desk.set_status(before)
    assert (await desk.settle(outcome)).status is before


@pytest.mark.requirement("I4")
async def test_an_error_after_a_retry_proves_nothing(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    await desk.retry(1, now=TEN + MINUTE)
    assert (
        await desk.settle(ERROR, attempt=1)
    ).status is ClaimStatus.SENDING  # of an attempt that is no longer the row's
    settled = await desk.settle(ERROR, attempt=2)
    assert (settled.status, settled.outcome) == (ClaimStatus.IN_DOUBT, None)
    assert (await desk.settle(ERROR, attempt=2)).status is ClaimStatus.IN_DOUBT
    assert (await desk.settle(SENT, attempt=1)).status is ClaimStatus.EXECUTED


@pytest.mark.requirement("I9")
async def test_a_settlement_taints_the_thread(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    await desk.settle(labels=Labels())
    assert desk.store.thread("thread").labels == Labels()  # type: ignore[union-attr]
    assert Labels().integrity is Integrity.UNTRUSTED


@pytest.mark.parametrize(
    ("admitted", "outcome"), [(False, SENT), (True, CLOSED)], ids=["without a claim", "with another status"]
)
async def test_only_what_was_sent_can_be_settled(desk: Desk, admitted: bool, outcome: Outcome) -> None:
    await desk.propose()
    if admitted:
        await desk.admit()
    with pytest.raises(StoreError, match="settle only what was admitted"):
        await desk.settle(outcome, labels=Labels())
    assert desk.store.thread("thread").labels == UNEXPOSED  # type: ignore[union-attr]


async def test_what_a_server_answers_is_kept_whatever_it_is(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    odd = Outcome(ClaimStatus.EXECUTED, "a lone \ud800", is_error=False, artifact={"huge": 2**70, "half": 0.5})
    await desk.settle(odd)
    assert desk.store.claim(key()).outcome == odd  # type: ignore[union-attr]


# -- refuse -----------------------------------------------------------------------------------


@pytest.mark.requirement("I4")
async def test_a_refusal_closes_the_row_for_good(desk: Desk) -> None:
    await desk.approved()
    claim = await desk.refuse(reason=Reason.MISSING_SCOPE)
    assert (claim.status, claim.reason, claim.outcome) == (ClaimStatus.CLOSED, Reason.MISSING_SCOPE, CLOSED)
    assert desk.store.claim(key()) == claim
    standing = desk.store.request("r-a")
    assert standing is not None
    assert standing.status is RequestStatus.VOIDED
    assert await desk.admit(request="r-a") == Told(Reason.MISSING_SCOPE, claim, standing=standing)
    assert await desk.refuse() == claim
    assert desk.kinds() == ["decision", "vote", "refusal"]


async def test_a_refusal_for_expiry_expires_the_request(desk: Desk) -> None:
    await desk.propose()
    await desk.hold()
    await desk.refuse(reason=Reason.EXPIRED)
    assert desk.store.request("r-a").status is RequestStatus.EXPIRED  # type: ignore[union-attr]


async def test_a_refusal_of_what_was_not_proposed_leaves_no_row(desk: Desk) -> None:
    claim = await desk.refuse()
    assert (claim.status, claim.reason) == (ClaimStatus.CLOSED, Reason.NOT_PROPOSED)
    assert desk.store.claim(key()) is None
    assert desk.kinds() == ["refusal"]


async def test_a_call_that_was_sent_is_not_refused(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    assert (await desk.refuse()).status is ClaimStatus.SENDING


# -- doubts -----------------------------------------------------------------------------------


async def test_doubts_are_what_a_person_has_to_look_at(desk: Desk) -> None:
    for turn, status in enumerate(ClaimStatus, 1):
        of = key(f"{status}", turn=turn)
        await desk.propose(proposal(of))
        await desk.admit(of, now=TEN + timedelta(seconds=turn))
        desk.set_status(status, of)
    doubts = [ClaimStatus.IN_DOUBT, ClaimStatus.CONFLICT]
    assert [claim.status for claim in desk.store.doubts(now=TEN)] == doubts
    late = desk.store.doubts(now=TEN + HOUR)
    assert [claim.status for claim in late] == [ClaimStatus.SENDING, *doubts]
    assert len(desk.store.doubts(now=TEN + HOUR, limit=1)) == 1
