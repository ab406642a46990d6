"""A person settles a call in doubt (DESIGN section 8b.5)."""

from datetime import datetime, timedelta

import pytest

from guarded_agents.approval import doubt_id
from guarded_agents.errors import ApprovalError, RequestClosedError
from guarded_agents.records import ClaimStatus, Verdict
from guarded_agents.stores import claim_named, key_named
from tests.support.store_desk import Desk
from tests.support.stores import HOUR, MINUTE, SENT, SILENCE, TEN, alone, key, proposal, resolution


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("verdict", Verdict, ids=str)
async def test_a_call_in_doubt_is_settled_as_the_resolution_says(desk: Desk, verdict: Verdict) -> None:
    await desk.sent()
    await desk.settle(SILENCE)
    row = await desk.resolve(resolution(verdict))
    assert row.status.value == verdict.value
    assert row == desk.store.claim(key())
    assert row.outcome == SILENCE
    assert desk.kinds() == ["intent", "outcome", "outcome"]
    assert await desk.resolve(resolution(verdict)) == row  # the same again
    assert desk.store.doubts(now=TEN + HOUR) == ()


@pytest.mark.requirement("I4")
async def test_a_lapsed_lease_is_in_doubt_and_can_be_resolved(desk: Desk) -> None:
    await desk.sent()
    with pytest.raises(RequestClosedError, match="attempt 1 that is sending"):
        await desk.resolve(now=TEN + MINUTE - timedelta(microseconds=1))
    assert (await desk.resolve(now=TEN + MINUTE)).status is ClaimStatus.HAPPENED
    assert desk.kinds() == ["intent", "outcome", "outcome"]


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(
    ("looked_at", "counts"),
    [(TEN, False), (TEN + MINUTE, False), (TEN + MINUTE + timedelta(microseconds=1), True)],
    ids=["before", "at the end of the lease", "after it"],
)
async def test_that_it_did_not_happen_takes_a_look_after_the_lease(
    desk: Desk, looked_at: datetime, counts: bool
) -> None:
    await desk.sent()
    await desk.settle(SILENCE)
    if counts:
        row = await desk.resolve(resolution(Verdict.NOT_HAPPENED, looked_at=looked_at))
        assert row.status is ClaimStatus.NOT_HAPPENED
        return
    with pytest.raises(ApprovalError, match="look again, or sign not_observed"):
        await desk.resolve(resolution(Verdict.NOT_HAPPENED, looked_at=looked_at))
    assert (await desk.resolve(resolution(Verdict.NOT_OBSERVED, looked_at=looked_at))).status.value == "not_observed"


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("verdict", Verdict, ids=str)
async def test_a_look_from_before_the_call_was_admitted_settles_nothing(desk: Desk, verdict: Verdict) -> None:
    await desk.sent()
    await desk.settle(SILENCE)
    with pytest.raises(ApprovalError, match="a look since the call was admitted at"):
        await desk.resolve(resolution(verdict, looked_at=TEN - timedelta(microseconds=1)))
    assert [claim.status for claim in desk.store.doubts(now=TEN + HOUR)] == [ClaimStatus.IN_DOUBT]


@pytest.mark.requirement("I4")
async def test_a_resolution_is_over_the_attempt_that_was_looked_at(desk: Desk) -> None:
    await desk.sent()
    await desk.settle(SILENCE)
    await desk.retry(1)
    await desk.settle(SILENCE, attempt=2)
    with pytest.raises(RequestClosedError, match="expected attempt 1 in doubt, got attempt 2 that is in_doubt"):
        await desk.resolve(resolution(attempt=1))
    assert (await desk.resolve(resolution(attempt=2))).status is ClaimStatus.HAPPENED


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("said", [SENT, None], ids=["executed", "no claim"])
async def test_what_is_not_in_doubt_is_not_resolved(desk: Desk, said: object) -> None:
    if said is not None:
        await desk.sent()
        await desk.settle(SENT)
    with pytest.raises(RequestClosedError, match="executed" if said else "no claim"):
        await desk.resolve()


async def test_a_call_is_found_by_its_id_whatever_became_of_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guarded_agents.stores._reads.CLAIMED_PAGE", 2)
    keys = [alone(digest) for digest in "abcde"]
    for of in keys[1:]:
        await desk.propose(proposal(of))
        await desk.refuse(of)
    assert claim_named(desk.store, doubt_id(keys[1]), now=TEN) is None  # of those that a person settles it is none
    assert [key_named(desk.store, doubt_id(of), now=TEN) for of in keys] == [None, *keys[1:]]
    assert sorted(desk.store.claimed()) == sorted(keys[1:])


@pytest.mark.requirement("I4")
async def test_two_who_resolve_settle_it_once(desk: Desk) -> None:
    await desk.sent()
    await desk.settle(SILENCE)
    await desk.resolve(resolution(Verdict.NOT_OBSERVED))
    with pytest.raises(RequestClosedError, match="not_observed"):
        await desk.resolve(resolution(Verdict.HAPPENED, resolver="raj"))
    late = await desk.settle(SENT)
    assert late.status is ClaimStatus.CONFLICT
