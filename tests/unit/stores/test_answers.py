"""Delegation, broken glass and its review, and nonces."""

from datetime import datetime, timedelta

import pytest

from guarded_agents.errors import (
    ApprovalError,
    BreakGlassError,
    NotEligibleError,
    RequestClosedError,
    UnknownRequestError,
)
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    BrokenGlass,
    NoticeKind,
    Principal,
    RequestStatus,
    ReviewFinding,
    SignedVote,
)
from guarded_agents.stores import Admission, Told
from tests.support.store_desk import Desk
from tests.support.stores import GLASS, HOLDERS, HOUR, MINUTE, NOTE, TEN, alone, broken, key, request, review, vote

THREE = frozenset({"ana", "raj", "kim"})
TWO_OF_THREE = request(quorum=2)


async def _notices(desk: Desk, now: datetime = TEN) -> list[tuple[NoticeKind, str, str]]:
    taken = await desk.store.take_notices(owner="w", limit=99, until=TEN + 99 * HOUR, now=now)
    return [(notice.kind, notice.request, notice.to) for notice in taken]


# -- delegation -------------------------------------------------------------------------------


@pytest.mark.requirement("I7")
async def test_a_delegate_answers_in_the_place_of_one_who_then_has_no_vote(desk: Desk) -> None:
    await desk.ask(TWO_OF_THREE)
    passed_on = vote(TWO_OF_THREE, "ana", Answer.DELEGATE, delegate="raj")
    assert (await desk.vote(passed_on, eligible=THREE)).status is RequestStatus.PENDING
    assert (await desk.vote(passed_on, eligible=THREE)).status is RequestStatus.PENDING  # the same again
    assert await _notices(desk) == [
        (NoticeKind.ASKED, "r-a", "finance"),
        (NoticeKind.DELEGATED, "r-a", "raj"),
    ]
    with pytest.raises(NotEligibleError, match="voted otherwise"):
        await desk.vote(vote(TWO_OF_THREE, "ana"), eligible=THREE)
    with pytest.raises(NotEligibleError, match="voted otherwise"):
        await desk.vote(vote(TWO_OF_THREE, "ana", Answer.DELEGATE, delegate="kim"), eligible=THREE)
    assert (await desk.vote(vote(TWO_OF_THREE, "raj"), eligible=THREE)).status is RequestStatus.PENDING
    assert (await desk.vote(vote(TWO_OF_THREE, "kim"), eligible=THREE)).status is RequestStatus.APPROVED
    assert [line.votes for line in desk.store.requests(status=None)] == [2]  # who delegated agreed to nothing


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(
    ("giver", "taker"),
    [("ana", "ana"), ("ana", "eve"), ("ana", "bob"), ("eve", "raj"), ("raj", "kim")],
    ids=["to oneself", "to an outsider", "to the requester", "by an outsider", "by a delegate"],
)
async def test_a_delegation_that_does_not_count_changes_nothing(desk: Desk, giver: str, taker: str) -> None:
    one = request()
    await desk.ask(one)
    everybody = THREE | {"lea", "bob"}
    await desk.vote(vote(one, "lea", Answer.DELEGATE, delegate="raj"), eligible=everybody)
    with pytest.raises(NotEligibleError):
        await desk.vote(vote(one, giver, Answer.DELEGATE, delegate=taker), eligible=everybody)
    assert [signed.vote.approver for signed in desk.store.votes("r-a")] == ["lea"]


@pytest.mark.requirement("I7")
async def test_a_delegation_that_leaves_too_few_is_refused(desk: Desk) -> None:
    await desk.ask(TWO_OF_THREE)
    with pytest.raises(NotEligibleError, match="too few"):
        await desk.vote(vote(TWO_OF_THREE, "ana", Answer.DELEGATE, delegate="raj"), eligible=frozenset({"ana", "raj"}))


# -- nonces -----------------------------------------------------------------------------------


@pytest.mark.requirement("I7")
async def test_a_nonce_of_one_person_is_used_once(desk: Desk) -> None:
    one, other = request(alone("a")), request(alone("b"))
    await desk.ask(one)
    await desk.ask(other)
    await desk.vote(vote(one, "ana", nonce="f" * 32))
    with pytest.raises(ApprovalError, match=r"vote by ana: expected a nonce of its own, got one that another"):
        await desk.vote(vote(other, "ana", nonce="f" * 32))
    assert desk.store.request("r-b").status is RequestStatus.PENDING  # type: ignore[union-attr]
    assert (await desk.vote(vote(one, "ana", nonce="f" * 32))).status is RequestStatus.APPROVED  # the very same
    assert (await desk.vote(vote(other, "raj", nonce="f" * 32))).status is RequestStatus.APPROVED  # another person


async def test_a_vote_that_did_not_count_leaves_its_nonce_free(desk: Desk) -> None:
    await desk.ask()
    with pytest.raises(NotEligibleError):
        await desk.vote(vote(request(), "ana", nonce="f" * 32), eligible=frozenset({"raj"}))
    assert (await desk.vote(vote(request(), "ana", nonce="f" * 32))).status is RequestStatus.APPROVED


# -- break glass ------------------------------------------------------------------------------


async def _broken(desk: Desk, of: ApprovalRequest | None = None, *, now: datetime = TEN, by: str = "zoe") -> None:
    of = of or request()
    await desk.ask(of, now=now)
    await desk.vote(broken(of, by, at=now), holders=GLASS.holders, glass=GLASS, now=now)


async def test_one_holder_approves_alone_and_somebody_else_is_to_review_it(desk: Desk) -> None:
    asked = request(quorum=2)
    await desk.ask(asked)
    cast = broken(asked)
    standing = await desk.vote(cast, holders=HOLDERS, glass=GLASS, now=TEN + MINUTE)
    assert (standing.status, standing.broke_glass, standing.settled_by) == (RequestStatus.APPROVED, True, "zoe")
    assert standing.execute_by == TEN + MINUTE + timedelta(seconds=300)  # the shorter of the two
    assert standing.text == cast.vote.text
    assert desk.store.request("r-a") == standing
    assert await desk.vote(cast, holders=HOLDERS, glass=GLASS, now=TEN + HOUR) == standing  # the same again
    assert desk.store.broken_glass() == (BrokenGlass("r-a", "zoe", TEN + MINUTE, TEN + MINUTE + 2 * HOUR),)
    assert await _notices(desk, TEN + HOUR) == [
        (NoticeKind.ASKED, "r-a", "finance"),
        (NoticeKind.GLASS_BROKEN, "r-a", "auditors"),
    ]
    assert isinstance(await desk.admit(request="r-a", holders=HOLDERS, now=TEN + 2 * MINUTE), Admission)


async def test_the_execute_by_of_the_request_counts_where_it_is_shorter(desk: Desk) -> None:
    short = request(execute_within_s=60)
    await desk.ask(short)
    standing = await desk.vote(broken(short), holders=HOLDERS, glass=GLASS)
    assert standing.execute_by == TEN + MINUTE


@pytest.mark.requirement("I7")
async def test_a_holder_revoked_before_the_claim_opens_nothing(desk: Desk) -> None:
    await _broken(desk)
    told = await desk.admit(request="r-a", eligible=frozenset({"ana", "raj", "zoe"}))
    assert isinstance(told, Told)
    assert desk.store.request("r-a").status is RequestStatus.VOIDED  # type: ignore[union-attr]


async def test_broken_glass_lapses(desk: Desk) -> None:
    await _broken(desk)
    lapsed = await desk.store.expire("r-a", now=TEN + timedelta(seconds=300))
    assert (lapsed.status, lapsed.broke_glass) == (RequestStatus.LAPSED, True)
    assert desk.store.request("r-a") == lapsed
    assert len(desk.store.broken_glass()) == 1  # it is reviewed all the same


UNBROKEN = {
    "no holder": (request(), broken(request(), "ana"), NotEligibleError),
    "the requester": (request(requester=Principal(id="zoe")), broken(request()), NotEligibleError),
    "a hard rule": (request(hard=True), broken(request()), BreakGlassError),
    "another tool": (request(tool="close"), broken(request()), BreakGlassError),
    "hardly a word": (request(), broken(request(), text="urgent"), ApprovalError),
    "one signature": (request(), broken(request()).model_copy(update={"second": None}), BreakGlassError),
    "another digest": (request(), broken(request(), digest="of another"), BreakGlassError),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("asked", "cast", "error"), UNBROKEN.values(), ids=UNBROKEN)
async def test_glass_that_may_not_be_broken_stays_whole(
    desk: Desk, asked: ApprovalRequest, cast: SignedVote, error: type[ApprovalError]
) -> None:
    await desk.ask(asked)
    with pytest.raises(error):
        await desk.vote(cast, holders=HOLDERS, eligible=frozenset({"ana", "zoe"}), glass=GLASS)
    assert desk.store.request("r-a").status is RequestStatus.PENDING  # type: ignore[union-attr]
    assert desk.store.broken_glass(is_open=False) == ()
    assert desk.store.votes("r-a") == ()


async def test_without_terms_no_glass_is_broken(desk: Desk) -> None:
    await desk.ask()
    with pytest.raises(BreakGlassError):
        await desk.vote(broken(request()), holders=HOLDERS)


async def test_a_person_breaks_no_more_than_the_terms_permit(desk: Desk) -> None:
    for digest in "ab":
        await _broken(desk, request(alone(digest)))
    third = request(alone("c"))
    await desk.ask(third)
    with pytest.raises(BreakGlassError, match="break-glass by zoe: expected at most 2"):
        await desk.vote(broken(third), holders=GLASS.holders, glass=GLASS)
    by_another = await desk.vote(broken(third, "max"), holders=GLASS.holders, glass=GLASS)
    assert by_another.broke_glass
    for digest in "abc":
        await desk.store.review(review(f"r-{digest}"), note=NOTE, now=TEN)
    tomorrow = TEN + timedelta(days=1)
    await _broken(desk, request(alone("d"), decide_by=tomorrow + HOUR), now=tomorrow)  # the period is over


async def test_an_overdue_review_blocks_everybody(desk: Desk) -> None:
    await _broken(desk)
    late = TEN + 2 * HOUR
    other = request(alone("b"), decide_by=TEN + 9 * HOUR)
    await desk.ask(other, now=late)
    with pytest.raises(BreakGlassError, match="1 overdue, the first that of request r-a"):
        await desk.vote(broken(other, "max", at=late), holders=GLASS.holders, glass=GLASS, now=late)
    await desk.store.review(review(), note=NOTE, now=late)
    by_another = await desk.vote(broken(other, "max", at=late), holders=GLASS.holders, glass=GLASS, now=late)
    assert by_another.broke_glass


async def test_a_glass_that_is_handed_in_late_is_not_broken(desk: Desk) -> None:
    one = request(decide_by=TEN + 9 * HOUR)
    await desk.ask(one)
    over = TEN + timedelta(seconds=600)  # 300 of the terms, and as much for a clock that runs ahead
    with pytest.raises(ApprovalError, match="a signature that is handed in before"):
        await desk.vote(broken(one), holders=HOLDERS, glass=GLASS, now=over)
    assert desk.store.broken_glass() == ()
    standing = await desk.vote(broken(one), holders=HOLDERS, glass=GLASS, now=over - timedelta(seconds=1))
    assert standing.execute_by == over


# -- review -----------------------------------------------------------------------------------


async def test_the_broken_glass_of_a_request_is_found_by_its_id(desk: Desk) -> None:
    await _broken(desk)
    assert desk.store.glass_of("r-a") == desk.store.broken_glass()[0]
    assert desk.store.glass_of("r-b") is None


@pytest.mark.parametrize("finding", ReviewFinding, ids=str)
async def test_a_broken_glass_is_reviewed_once(desk: Desk, finding: ReviewFinding) -> None:
    await _broken(desk)
    reviewed = await desk.store.review(review(finding=finding), note=NOTE, now=TEN + MINUTE)
    assert (reviewed.finding, reviewed.reviewed_by, reviewed.reviewed_at) == (finding, "ida", TEN + MINUTE)
    assert desk.store.broken_glass() == ()
    assert desk.store.broken_glass(is_open=False) == (reviewed,)
    assert await desk.store.review(review(finding=finding), note=NOTE, now=TEN + HOUR) == reviewed  # the same again
    with pytest.raises(RequestClosedError, match=f"{finding.value} by ida"):
        await desk.store.review(review(reviewer="kim"), note=NOTE, now=TEN + HOUR)
    assert desk.kinds() == ["decision", "vote", "decision"]


async def test_a_finding_that_nobody_knows_is_still_to_be_reviewed(desk: Desk) -> None:
    await _broken(desk)
    desk.write("UPDATE broken_glass SET finding = 'x', reviewed_by = 'ida'")
    [glass] = desk.store.broken_glass()
    assert (glass.request, glass.finding) == ("r-a", None)
    assert glass == desk.store.glass_of("r-a")
    other = request(alone("b"), decide_by=TEN + 99 * HOUR)
    await _broken(desk, other, now=TEN + MINUTE)  # nobody else is kept from it
    await desk.store.review(review("r-b"), note=NOTE, now=TEN + MINUTE)
    long_after = TEN + 49 * HOUR  # the period is over; that nobody looked at it is not
    third = request(alone("c"), decide_by=TEN + 99 * HOUR)
    with pytest.raises(BreakGlassError, match="overdue"):
        await _broken(desk, third, now=long_after)
    assert desk.store.request("r-c").status is RequestStatus.PENDING  # type: ignore[union-attr]
    await desk.store.review(review(), note=NOTE, now=long_after)
    assert desk.store.broken_glass() == ()
    await desk.vote(broken(third, at=long_after), holders=HOLDERS, glass=GLASS, now=long_after)


async def test_what_is_not_broken_is_not_reviewed(desk: Desk) -> None:
    await desk.ask()
    with pytest.raises(UnknownRequestError, match="review of approval r-a"):
        await desk.store.review(review(), note=NOTE, now=TEN)


async def test_broken_glass_is_listed_by_the_date_of_its_review(desk: Desk) -> None:
    await _broken(desk, request(alone("b")), now=TEN + MINUTE)
    await _broken(desk, request(alone("a")), now=TEN)
    assert [glass.request for glass in desk.store.broken_glass()] == ["r-a", "r-b"]
    assert [glass.request for glass in desk.store.broken_glass(limit=1)] == ["r-a"]
    assert desk.store.claim(key()) is None
