"""Requests and votes."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from guarded_agents.errors import (
    ApprovalError,
    ApprovalExpiredError,
    NotEligibleError,
    RequestClosedError,
    StoreError,
    UnknownRequestError,
)
from guarded_agents.records import (
    Answer,
    ClaimStatus,
    Electorate,
    Principal,
    Reason,
    RequestStatus,
    RequestSummary,
    Risk,
    StandingRequest,
    TraceContext,
)
from guarded_agents.stores import Admission, Told, Waiting
from tests.support.store_desk import Desk
from tests.support.stores import BOTH, HOUR, MINUTE, NOTE, ROOM, TEN, alone, key, proposal, request, vote

# -- hold -------------------------------------------------------------------------------------


async def test_a_request_is_written_once(desk: Desk) -> None:
    await desk.propose()
    first = await desk.hold()
    assert first == StandingRequest(request(), RequestStatus.PENDING)
    assert await desk.hold(request(id="another", quorum=2)) == first
    assert desk.store.request("r-a") == desk.store.request_of(key()) == first
    assert desk.store.request("another") is None
    assert desk.kinds() == ["decision"]


@pytest.mark.requirement("I3")
async def test_what_was_not_proposed_is_not_held(desk: Desk) -> None:
    assert await desk.hold() == Told(Reason.NOT_PROPOSED)
    assert desk.store.request("r-a") is None


@pytest.mark.requirement("I4")
async def test_a_closed_request_is_never_opened_again(desk: Desk) -> None:
    await desk.propose()
    await desk.hold()
    rejected = await desk.vote(vote(request(), answer=Answer.REJECT, text="no"))
    assert await desk.hold() == rejected
    claim = await desk.refuse()
    assert await desk.hold() == Told(Reason.REJECTED, claim, standing=rejected)


# -- vote -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (Answer.APPROVE, RequestStatus.APPROVED, None),
        (Answer.REJECT, RequestStatus.REJECTED, "too much"),
        (Answer.RESPOND, RequestStatus.ANSWERED, "it was refunded yesterday"),
    ],
    ids=str,
)
async def test_one_vote_settles_a_request_of_quorum_one(
    desk: Desk, answer: Answer, status: RequestStatus, text: str | None
) -> None:
    await desk.propose()
    await desk.hold()
    cast = vote(request(), answer=answer, **({} if text is None else {"text": text}))
    standing = await desk.vote(cast, now=TEN + MINUTE)
    assert (standing.status, standing.settled_by, standing.settled_at) == (status, "ana", TEN + MINUTE)
    assert standing.execute_by == (TEN + MINUTE + timedelta(seconds=900) if answer is Answer.APPROVE else None)
    assert standing.text == text
    assert desk.store.request("r-a") == standing
    assert desk.store.votes("r-a") == (cast,)
    assert await desk.vote(cast, now=TEN + 9 * HOUR) == standing  # the same again
    assert desk.kinds() == ["decision", "vote"]


@pytest.mark.requirement("I7")
async def test_a_quorum_of_two_needs_two_people(desk: Desk) -> None:
    two = request(quorum=2)
    await desk.propose()
    await desk.hold(two)
    assert (await desk.vote(vote(two, "ana"))).status is RequestStatus.PENDING
    assert (await desk.vote(vote(two, "ana"))).status is RequestStatus.PENDING
    assert (await desk.vote(vote(two, "raj"))).status is RequestStatus.APPROVED
    assert [signed.vote.approver for signed in desk.store.votes("r-a")] == ["ana", "raj"]


@pytest.mark.requirement("I7")
async def test_an_approval_that_is_handed_in_late_is_not_recorded_and_may_be_signed_anew(desk: Desk) -> None:
    two = request(quorum=2, decide_by=TEN + 9 * HOUR)  # execute within 15 minutes, and 5 for a clock that runs ahead
    await desk.ask(two)
    await desk.vote(vote(two, "raj", at=TEN - MINUTE), now=TEN + HOUR)
    over = TEN + 20 * MINUTE
    with pytest.raises(ApprovalError, match="expected a signature that is handed in before 2026"):
        await desk.vote(vote(two, "ana"), now=over)
    assert [signed.vote.approver for signed in desk.store.votes("r-a")] == ["raj"]
    assert desk.store.request("r-a").status is RequestStatus.PENDING  # type: ignore[union-attr]
    standing = await desk.vote(vote(two, "ana", at=over), now=over)
    assert standing.execute_by == over + 15 * MINUTE


@pytest.mark.requirement("I7")
async def test_execute_by_of_a_late_approval_is_what_is_left(desk: Desk) -> None:
    await desk.ask(request(decide_by=TEN + 9 * HOUR))
    standing = await desk.vote(vote(request(decide_by=TEN + 9 * HOUR)), now=TEN + 19 * MINUTE)
    assert (standing.status, standing.execute_by) == (RequestStatus.APPROVED, TEN + 20 * MINUTE)


@pytest.mark.requirement("I7")
async def test_who_voted_is_on_record_with_what_proved_it(desk: Desk) -> None:
    two = request(quorum=2)
    await desk.ask(two)
    assert desk.store.speakers("r-a") == ()
    await desk.vote(vote(two, "raj"))
    await desk.vote(vote(two, "ana"))
    assert desk.store.speakers("r-a") == (("raj", ("key of raj",)), ("ana", ("key of ana",)))


@pytest.mark.requirement("I7")
async def test_a_vote_of_somebody_revoked_meanwhile_does_not_count(desk: Desk) -> None:
    two = request(quorum=2)
    await desk.propose()
    await desk.hold(two)
    await desk.vote(vote(two, "ana"))
    assert (await desk.vote(vote(two, "raj"), eligible=frozenset({"raj"}))).status is RequestStatus.PENDING


@pytest.mark.requirement("I2")
async def test_a_vote_over_another_digest_does_not_count(desk: Desk) -> None:
    await desk.propose()
    await desk.hold()
    assert (await desk.vote(vote(request(), digest="of another"))).status is RequestStatus.PENDING


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("approver", ["eve", "desk-agent", "bob"], ids=["no member", "who asks", "in whose name"])
async def test_a_vote_of_who_may_not_answer_is_refused(desk: Desk, approver: str) -> None:
    await desk.propose()
    await desk.hold()
    with pytest.raises(NotEligibleError, match="approval r-a"):
        await desk.vote(vote(request(), approver), eligible=BOTH | {"desk-agent", "bob"})
    assert desk.store.votes("r-a") == ()
    assert (await desk.vote()).status is RequestStatus.APPROVED


async def test_nobody_votes_twice_differently(desk: Desk) -> None:
    two = request(quorum=2)
    await desk.propose()
    await desk.hold(two)
    await desk.vote(vote(two))
    with pytest.raises(NotEligibleError, match="voted otherwise"):
        await desk.vote(vote(two, answer=Answer.REJECT))
    assert desk.store.request("r-a").status is RequestStatus.PENDING  # type: ignore[union-attr]


async def test_an_unknown_request_cannot_be_answered(desk: Desk) -> None:
    with pytest.raises(UnknownRequestError, match="approval r-a"):
        await desk.vote()
    with pytest.raises(UnknownRequestError, match="approval r-a"):
        await desk.store.expire("r-a", now=TEN)


@pytest.mark.requirement("I7")
async def test_a_settled_request_cannot_be_answered(desk: Desk) -> None:
    await desk.approved()
    with pytest.raises(RequestClosedError, match="approved"):
        await desk.vote(vote(request(), "raj", Answer.REJECT))
    assert len(desk.store.votes("r-a")) == 1


@pytest.mark.requirement("I6")
async def test_a_late_vote_closes_the_request(desk: Desk) -> None:
    await desk.propose()
    await desk.hold()
    with pytest.raises(ApprovalExpiredError):
        await desk.vote(now=TEN + HOUR)
    standing = desk.store.request("r-a")
    assert standing is not None
    assert (standing.status, standing.settled_by) == (RequestStatus.EXPIRED, None)
    assert desk.store.votes("r-a") == ()
    assert desk.kinds() == ["decision", "approval"]


# -- edit -------------------------------------------------------------------------------------


@pytest.mark.requirement("I8")
@pytest.mark.parametrize(
    ("may_approve", "quorum", "status"),
    [
        (False, 1, RequestStatus.PENDING),
        (True, 1, RequestStatus.APPROVED),
        (True, 2, RequestStatus.PENDING),
    ],
    ids=["an edit is no vote", "the editor may approve", "the editor is one of two"],
)
async def test_an_edit_supersedes_the_request(
    desk: Desk, may_approve: bool, quorum: int, status: RequestStatus
) -> None:
    old = request()
    new = request(key("b"), parent="r-a", editor_may_approve=may_approve, quorum=quorum)
    await desk.propose()
    await desk.hold(old)
    cast = vote(old, answer=Answer.EDIT, digest=new.digest, arguments=new.arguments)
    standing = await desk.vote(cast, edited=new)
    assert (standing.request, standing.status) == (new, status)
    assert await desk.vote(cast, edited=new) == standing  # the same again
    superseded = desk.store.request("r-a")
    assert superseded is not None
    assert (superseded.status, superseded.successor) == (RequestStatus.SUPERSEDED, "r-b")
    assert desk.store.claim(key()).reason is Reason.SUPERSEDED  # type: ignore[union-attr]
    recorded = desk.store.proposal(key("b"))
    assert recorded is not None
    assert (recorded.call_id, recorded.canonical, recorded.tool) == ("call-a", b'{"order":"b"}', "payments/refund")
    told = await desk.admit(request="r-a")
    assert isinstance(told, Told)
    assert told.waiting  # nothing is told as refused: the edit leads on
    assert told.standing == superseded
    assert isinstance(await desk.admit(key("b"), request="r-b"), Admission if may_approve and quorum == 1 else Told)


@pytest.mark.requirement("I8")
async def test_an_edited_request_inherits_no_votes(desk: Desk) -> None:
    old = request(quorum=2)
    new = request(key("b"), parent="r-a", quorum=2, editor_may_approve=True)
    await desk.propose()
    await desk.hold(old)
    await desk.vote(vote(old, "zoe"), eligible=BOTH | {"zoe"})
    edited = await desk.vote(vote(old, "ana", Answer.EDIT, digest=new.digest), edited=new, eligible=BOTH | {"zoe"})
    assert edited.status is RequestStatus.PENDING
    again = await desk.vote(vote(new, "ana"), eligible=BOTH | {"zoe"})
    assert again.status is RequestStatus.PENDING  # the editor counts once
    assert (await desk.vote(vote(new, "raj"), eligible=BOTH | {"zoe"})).status is RequestStatus.APPROVED


@pytest.mark.parametrize(
    "taken", ["proposed", "of another turn", "of nobody", None], ids=["proposed", "other turn", "other parent", "none"]
)
async def test_an_edit_that_does_not_fit_changes_nothing(desk: Desk, taken: str | None) -> None:
    old = request()
    new = {
        "proposed": request(key("b"), parent="r-a"),
        "of another turn": request(key("b", turn=2), parent="r-a"),
        "of nobody": request(key("b")),
        None: None,
    }[taken]
    await desk.propose(proposal(), proposal(key("b")))
    await desk.hold(old)
    with pytest.raises(RequestClosedError if taken == "proposed" else StoreError):
        await desk.vote(vote(old, answer=Answer.EDIT, digest="digest-b"), edited=new)
    assert desk.store.request("r-a").status is RequestStatus.PENDING  # type: ignore[union-attr]
    assert desk.store.votes("r-a") == ()
    assert desk.store.claim(key()) is None


async def test_an_edit_of_a_call_whose_row_is_closed_leaves_the_row(desk: Desk) -> None:
    old, new = request(), request(key("b"), parent="r-a")
    await desk.propose()
    await desk.hold(old)
    desk.store._writer.submit(
        lambda tx: tx.db.execute(
            "INSERT INTO claims VALUES ('thread', 'entry', 1, 'a', 0, 't', '', '', 'closed', '', 0, 0, 'withdrawn',"
            " NULL, 0, NULL, NULL, NULL, NULL)"
        )
    ).result()
    await desk.vote(vote(old, answer=Answer.EDIT, digest=new.digest), edited=new)
    claim = desk.store.claim(key())
    assert claim is not None
    assert (claim.status, claim.reason) == (ClaimStatus.CLOSED, Reason.WITHDRAWN)


# -- expire -----------------------------------------------------------------------------------


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(
    ("approve", "after", "status"),
    [
        (False, HOUR - timedelta(microseconds=1), RequestStatus.PENDING),
        (False, HOUR, RequestStatus.EXPIRED),
        (True, timedelta(seconds=900) - timedelta(microseconds=1), RequestStatus.APPROVED),
        (True, timedelta(seconds=900), RequestStatus.LAPSED),
    ],
    ids=["just in time", "decide-by", "not yet used", "execute-by"],
)
async def test_time_closes_a_request(desk: Desk, approve: bool, after: timedelta, status: RequestStatus) -> None:
    await desk.propose()
    await desk.hold()
    if approve:
        await desk.vote()
    standing = await desk.store.expire("r-a", now=TEN + after)
    assert standing.status is status
    assert desk.store.request("r-a") == standing
    assert await desk.store.expire("r-a", now=TEN + after) == standing


# -- lists ------------------------------------------------------------------------------------


async def test_requests_are_listed_by_risk_then_decide_by_and_paged(desk: Desk) -> None:
    for digest, hours, risk in [("a", 3, "medium"), ("b", 1, "medium"), ("c", 2, "medium"), ("d", 1, "medium")]:
        await desk.ask(request(alone(digest), decide_by=TEN + hours * HOUR, risk=Risk(risk)))
    await desk.ask(request(alone("e"), decide_by=TEN + 9 * HOUR, risk=Risk.HIGH))
    await desk.ask(request(alone("f"), decide_by=TEN + HOUR, risk=Risk.LOW))
    await desk.vote(vote(request(alone("c"))))
    store = desk.store
    assert [line.id for line in store.requests()] == ["r-e", "r-b", "r-d", "r-a", "r-f"]
    assert [line.id for line in store.requests(limit=2)] == ["r-e", "r-b"]
    assert [line.id for line in store.requests(after="r-b")] == ["r-d", "r-a", "r-f"]
    assert [line.id for line in store.requests(after="r-a", limit=1)] == ["r-f"]
    assert store.requests(after="r-f") == ()
    everything = store.requests(status=None)
    assert [line.id for line in everything] == ["r-e", "r-b", "r-d", "r-c", "r-a", "r-f"]
    assert [line.id for line in store.requests(status=None, after="r-d")] == ["r-c", "r-a", "r-f"]
    assert [line.id for line in store.requests(status=RequestStatus.APPROVED)] == ["r-c"]
    with pytest.raises(UnknownRequestError, match="page after approval none"):
        store.requests(after="none")


async def test_a_line_of_a_list_says_what_the_request_says(desk: Desk) -> None:
    two = request(quorum=2, risk=Risk.HIGH, backup="leads", escalate_at=TEN + MINUTE)
    await desk.ask(two)
    await desk.vote(vote(two))
    assert desk.store.requests() == (
        RequestSummary(
            id="r-a",
            status=RequestStatus.PENDING,
            risk=Risk.HIGH,
            tool="payments/refund",
            principal="desk-agent",
            tenant="acme",
            group="finance",
            quorum=2,
            votes=1,
            question="question-a",
            thread="thread",
            decide_by=TEN + HOUR,
            escalate_at=TEN + MINUTE,
        ),
    )


async def test_similar_requests_are_the_others_that_were_settled_newest_first(desk: Desk) -> None:
    others = {"other tenant": {"tenant": "b"}, "other agent": {"requester": Principal(id="x")}, "other": {"tool": "x"}}
    for name, changes in others.items():
        await desk.ask(request(alone(name), **changes))
        await desk.vote(vote(request(alone(name), **changes)))
    for digest in "abcde":
        await desk.ask(request(alone(digest)))
    await desk.vote(vote(request(alone("a")), answer=Answer.REJECT))
    await desk.vote(vote(request(alone("b"))))
    await desk.vote(vote(request(alone("e"))))
    standing = desk.store.request("r-d")
    assert standing is not None
    found = [(line.id, line.status) for line in desk.store.similar(standing)]
    assert found == [(f"r-{name}", RequestStatus.APPROVED) for name in "eb"] + [("r-a", RequestStatus.REJECTED)]
    assert [line.id for line in desk.store.similar(standing, limit=1)] == ["r-e"]
    [last] = desk.store.similar(standing, limit=1)
    itself = desk.store.request(last.id)
    assert itself is not None
    assert [line.id for line in desk.store.similar(itself)] == ["r-b", "r-a"]


async def test_a_request_survives_the_store_exactly(desk: Desk) -> None:
    odd = request(
        requester=Principal(id="désk", scopes=("a", "b")),
        arguments='{"note":"\\u0000 \U0001f600 \\"quoted\\""}',
        parent="other",
        created_at=TEN + timedelta(microseconds=1),
    )
    await desk.propose()
    await desk.hold(odd)
    assert desk.store.request("r-a").request == odd  # type: ignore[union-attr]


# -- traces -----------------------------------------------------------------------------------


async def test_in_which_spans_a_call_was_held_and_voted_on_is_kept_as_it_was_first(desk: Desk) -> None:
    await desk.propose()
    asked, now, held = request(quorum=2), TEN, TraceContext("00-held", "a=b")
    await desk.store.hold(asked, NOTE, limits=ROOM, now=now, trace=held)
    await desk.store.hold(asked, NOTE, limits=ROOM, now=now, trace=TraceContext("00-again"))
    for parent in ("00-ana", "00-again"):
        await desk.store.vote(
            vote(asked, "ana"),
            electorate=Electorate(BOTH),
            edited=None,
            glass=None,
            credentials=(),
            note=NOTE,
            now=now,
            trace=TraceContext(parent),
        )
    assert desk.store.traces("r-a") == (("", held), ("ana", TraceContext("00-ana")))
    assert desk.store.traces("another") == ()


async def test_of_the_spans_of_a_request_no_more_are_read_than_a_span_can_link_to(desk: Desk, path: Path) -> None:
    await desk.propose()
    held = TraceContext("00-held")
    await desk.store.hold(request(), NOTE, limits=ROOM, now=TEN, trace=held)
    other = sqlite3.connect(path)
    with other:
        other.executemany("INSERT INTO traces VALUES (?, ?, '00-x', '')", (("r-a", f"v{at}") for at in range(200)))
    other.close()
    found = desk.store.traces("r-a")
    assert len(found) == 128
    assert found[0] == ("", held)


async def test_how_many_requests_are_pending_is_told_and_since_when(desk: Desk) -> None:
    assert desk.store.waiting() == Waiting(0, None)
    await desk.ask(request())
    assert desk.store.waiting() == Waiting(1, TEN)
    await desk.vote(vote(request(), answer=Answer.REJECT, text="no"))
    assert desk.store.waiting() == Waiting(0, None)
