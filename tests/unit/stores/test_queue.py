"""How much waits for people, and what is not asked at all."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from guarded_agents.errors import ApprovalExpiredError
from guarded_agents.records import (
    UNEXPOSED,
    Answer,
    ApprovalRequest,
    NoticeKind,
    Principal,
    QueueLimits,
    Reason,
    RequestStatus,
    Risk,
    StandingRequest,
)
from guarded_agents.stores import Told
from tests.support.store_desk import Desk
from tests.support.stores import DESK, GLASS, HOLDERS, HOUR, MINUTE, TEN, alone, broken, key, proposal, request, vote

FIRST = request(alone("a"), question="the same", decide_by=TEN + 2 * HOUR)
AGAIN = request(alone("b"), question="the same")
SECOND = timedelta(seconds=1)


# -- coalescing -------------------------------------------------------------------------------


async def test_what_waits_on_the_same_thread_is_not_asked_again(desk: Desk) -> None:
    await desk.ask(FIRST)
    assert await desk.ask(AGAIN) == Told(Reason.COALESCED, retry_at=TEN + 2 * HOUR)
    assert desk.store.request("r-b") is None
    assert [line.id for line in desk.store.requests()] == ["r-a"]
    assert desk.kinds() == ["decision"]


@pytest.mark.parametrize(
    ("again", "now"),
    [
        (request(alone("b"), question="another"), TEN),
        (request(alone("b", thread="elsewhere"), question="the same"), TEN),
        (request(alone("b"), question="the same", decide_by=TEN + 9 * HOUR), TEN + 2 * HOUR),
    ],
    ids=["another question", "another thread", "after the first has expired"],
)
async def test_what_is_not_the_same_is_asked(desk: Desk, again: object, now: object) -> None:
    await desk.ask(FIRST)
    assert isinstance(await desk.ask(again, now=now), StandingRequest)  # type: ignore[arg-type]


async def test_the_very_call_is_held_once_and_told_where_it_stands(desk: Desk) -> None:
    held = await desk.ask(FIRST)
    assert await desk.hold(FIRST) == held  # not coalesced with itself


# -- fatigue ----------------------------------------------------------------------------------


@pytest.mark.parametrize("thread", ["thread", "elsewhere"])
async def test_what_was_just_rejected_is_not_asked_again(desk: Desk, thread: str) -> None:
    await desk.ask(FIRST)
    await desk.vote(vote(FIRST, answer=Answer.REJECT), now=TEN + MINUTE)
    again = request(alone("b", thread=thread), question="the same")
    until = TEN + MINUTE + timedelta(seconds=900)
    assert await desk.ask(again, now=until - timedelta(seconds=1)) == Told(Reason.ALREADY_REJECTED, retry_at=until)
    assert isinstance(await desk.ask(again, now=until), StandingRequest)


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.RESPOND], ids=str)
async def test_only_a_rejection_tires(desk: Desk, answer: Answer) -> None:
    await desk.ask(FIRST)
    await desk.vote(vote(FIRST, answer=answer))
    assert isinstance(await desk.ask(AGAIN), StandingRequest)


# -- capacity ---------------------------------------------------------------------------------

FULL = {
    "of the group": (QueueLimits(per_group=2), {"tenant": "b", "requester": Principal(id="x")}, {"group": "legal"}),
    "of the agent": (QueueLimits(per_principal=2), {"group": "legal"}, {"tenant": "b"}),
    "of the agent, whoever it acts for": (
        QueueLimits(per_principal=2),
        {"requester": Principal(id="desk-agent", scopes=("refunds:write",), acting_for="eve")},
        {"requester": Principal(id="x", acting_for="bob")},
    ),
    "of the tenant": (QueueLimits(per_tenant=2), {"group": "legal", "requester": Principal(id="x")}, {"tenant": "b"}),
}


@pytest.mark.parametrize(("limits", "full", "free"), FULL.values(), ids=FULL)
async def test_a_full_queue_takes_no_more_and_says_when_to_try_again(
    desk: Desk, limits: QueueLimits, full: dict[str, object], free: dict[str, object]
) -> None:
    await desk.ask(request(alone("a"), decide_by=TEN + 3 * HOUR), limits=limits)
    await desk.ask(request(alone("b"), decide_by=TEN + 2 * HOUR), limits=limits)
    third = request(alone("c"), **full)
    assert await desk.ask(third, limits=limits) == Told(Reason.QUEUE_FULL, retry_at=TEN + 2 * HOUR)
    assert desk.store.request("r-c") is None
    assert isinstance(await desk.ask(request(alone("d"), **free), limits=limits), StandingRequest)
    later = request(alone("c"), **(full | {"decide_by": TEN + 9 * HOUR}))
    assert isinstance(await desk.hold(later, limits=limits, now=TEN + 2 * HOUR), StandingRequest)  # one has expired


async def test_the_hint_names_when_the_last_of_several_full_queues_has_room(desk: Desk) -> None:
    limits = QueueLimits(per_group=1, per_tenant=1)
    await desk.ask(request(alone("a"), tenant="b", decide_by=TEN + HOUR), limits=limits)
    await desk.ask(request(alone("b"), group="legal", decide_by=TEN + 2 * HOUR), limits=limits)
    assert await desk.ask(request(alone("c")), limits=limits) == Told(Reason.QUEUE_FULL, retry_at=TEN + 2 * HOUR)


async def test_a_queue_of_no_room_takes_nothing(desk: Desk) -> None:
    told = await desk.ask(request(decide_by=TEN + HOUR), limits=QueueLimits(per_group=0))
    assert told == Told(Reason.QUEUE_FULL, retry_at=TEN + HOUR)


async def test_what_is_settled_makes_room(desk: Desk) -> None:
    limits = QueueLimits(per_group=1)
    await desk.ask(request(alone("a")), limits=limits)
    await desk.vote(vote(request(alone("a"))))
    assert isinstance(await desk.ask(request(alone("b")), limits=limits), StandingRequest)


@pytest.mark.requirement("I6")
async def test_load_and_time_never_approve(desk: Desk) -> None:
    limits = QueueLimits(per_group=1)
    await desk.ask(request(alone("a")), limits=limits)
    await desk.ask(request(alone("b")), limits=limits)
    for hours in range(4):
        await desk.store.sweep(now=TEN + hours * HOUR)
    assert {line.status for line in desk.store.requests(status=None)} == {RequestStatus.EXPIRED}
    assert desk.store.claim(alone("b")) is None
    assert desk.store.proposal(alone("b")) == proposal(alone("b"))


# -- what people were told of in vain ---------------------------------------------------------

PLACES = {
    "of the group": QueueLimits(per_group=2),
    "of the agent": QueueLimits(per_principal=2),
    "of the tenant": QueueLimits(per_tenant=2),
}


async def _withdrawn(desk: Desk, digest: str, *, limits: QueueLimits, minutes: int, told: bool = True) -> object:
    """Ask in a new entry, which withdraws what the last one asked, and perhaps let people be told of it."""
    await desk.enter(digest)
    asked = await desk.ask(request(key(digest, entry=digest)), limits=limits, now=TEN + minutes * MINUTE)
    if told:
        await _told(desk, minutes=minutes)
    await desk.enter(f"after {digest}")
    return asked


@pytest.mark.parametrize("limits", PLACES.values(), ids=PLACES)
async def test_what_people_were_told_of_in_vain_keeps_its_place_for_a_while(desk: Desk, limits: QueueLimits) -> None:
    for minutes, digest in enumerate(("a", "b")):
        assert isinstance(await _withdrawn(desk, digest, limits=limits, minutes=minutes), StandingRequest)
    assert {line.status for line in desk.store.requests(status=None)} == {RequestStatus.WITHDRAWN}
    refused = await _withdrawn(desk, "c", limits=limits, minutes=2)
    assert refused == Told(Reason.QUEUE_FULL, retry_at=TEN + 15 * MINUTE)
    assert isinstance(await _withdrawn(desk, "d", limits=limits, minutes=15), StandingRequest)
    assert await _withdrawn(desk, "e", limits=limits, minutes=15) == Told(Reason.QUEUE_FULL, retry_at=TEN + 16 * MINUTE)


async def test_who_withdraws_before_anybody_was_told_takes_no_place(desk: Desk) -> None:
    limits = QueueLimits(per_principal=1)
    for digest in "abcd":
        asked = await _withdrawn(desk, digest, limits=limits, minutes=0, told=False)
        assert isinstance(asked, StandingRequest)
    assert await _told(desk) == []


@pytest.mark.parametrize("swept", [True, False], ids=["swept", "not swept yet"])
async def test_what_has_expired_unanswered_keeps_its_place_too(desk: Desk, swept: bool) -> None:
    limits = QueueLimits(per_principal=1)
    await desk.ask(request(alone("a"), decide_by=TEN + MINUTE), limits=limits)
    if swept:
        await desk.store.sweep(now=TEN + MINUTE)
    full = Told(Reason.QUEUE_FULL, retry_at=TEN + 15 * MINUTE)
    assert await desk.ask(request(alone("b")), limits=limits) == full
    assert await desk.ask(request(alone("b")), limits=limits, now=TEN + 15 * MINUTE - SECOND) == full
    assert isinstance(await desk.ask(request(alone("b")), limits=limits, now=TEN + 15 * MINUTE), StandingRequest)


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT, Answer.RESPOND], ids=str)
@pytest.mark.parametrize("withdrawn", [False, True], ids=["answered", "and withdrawn"])
async def test_what_a_person_answered_takes_no_place(desk: Desk, answer: Answer, withdrawn: bool) -> None:
    limits = QueueLimits(per_principal=1)
    await desk.enter("one")
    for number in range(5):
        on = request(key(f"a{number}", entry="one", turn=number))
        assert isinstance(await desk.ask(on, limits=limits), StandingRequest)
        await _told(desk)
        await desk.vote(vote(on, answer=answer))
    if withdrawn:
        await desk.store.withdraw("thread", now=TEN)
    assert isinstance(await desk.ask(request(alone("b", thread="new")), limits=limits), StandingRequest)


# -- how often people are told ----------------------------------------------------------------


async def _told(desk: Desk, *, minutes: int = 0) -> list[str]:
    """Return the requests of the notices that are due, and deliver them."""
    now = TEN + minutes * MINUTE
    taken = await desk.store.take_notices(owner="w", limit=99, until=now + MINUTE, now=now)
    for notice in taken:
        await desk.store.noticed(notice, again_at=None)
    return [notice.request for notice in taken]


def elsewhere(digest: str) -> ApprovalRequest:
    return request(alone(digest, thread=digest), question="the same")


async def test_the_same_question_is_told_once_within_the_time_to_ask_again(desk: Desk) -> None:
    for digest in ("a", "b", "c"):
        await desk.ask(elsewhere(digest))
    assert await _told(desk) == ["r-a"]
    assert await _told(desk, minutes=14) == []
    assert await _told(desk, minutes=15) == ["r-b"]  # and one notice is enough for the third
    await desk.ask(elsewhere("d"), now=TEN + 29 * MINUTE)
    assert await _told(desk, minutes=29) == []
    assert await _told(desk, minutes=30) == ["r-d"]
    await desk.ask(elsewhere("e"), now=TEN + 45 * MINUTE)
    assert await _told(desk, minutes=45) == ["r-e"]


async def test_nobody_is_told_any_more_of_what_was_withdrawn(desk: Desk) -> None:
    await desk.enter("one")
    for number in range(9):
        entry = str(number)
        await desk.enter(entry)
        await desk.ask(request(key(f"a{number}", entry=entry), question="the same"))
    assert await _told(desk) == ["r-a8"]


@pytest.mark.parametrize("taken", [False, True], ids=["untold", "being told in vain"])
async def test_where_what_stands_for_others_is_withdrawn_the_next_of_them_is_told(desk: Desk, taken: bool) -> None:
    for digest in ("a", "b", "c", "d"):
        await _ask_on(desk, elsewhere(digest))
    await _ask_on(desk, elsewhere("e").model_copy(update={"risk": Risk.HIGH}))
    assert await _told(desk) == ["r-a"]
    due = TEN + 15 * MINUTE
    if taken:
        [notice] = await desk.store.take_notices(owner="w", limit=9, until=due + MINUTE, now=due)
        assert notice.request == "r-b"
        await desk.store.noticed(notice, again_at=due + 5 * HOUR)
    await _leave(desk, "b")
    await _leave(desk, "c")
    if not taken:
        assert await _told(desk, minutes=14) == []
    [told] = await desk.store.take_notices(owner="w", limit=9, until=TEN + 99 * MINUTE, now=due)
    assert (told.kind, told.request, told.to) == (NoticeKind.ASKED, "r-d", "finance")
    assert await _told(desk, minutes=16) == []  # one notice is enough for the last
    await _leave(desk, "d")
    [told] = await desk.store.take_notices(owner="w", limit=9, until=TEN + 99 * MINUTE, now=due)
    assert (told.request, told.risk) == ("r-e", Risk.HIGH)


async def test_what_waits_no_more_is_told_in_the_place_of_nothing(desk: Desk) -> None:
    await _ask_on(desk, elsewhere("a"))
    await _ask_on(desk, elsewhere("b"))
    await _ask_on(desk, request(alone("c", thread="c"), question="the same", decide_by=TEN + 15 * MINUTE))
    await _ask_on(desk, request(alone("d", thread="d"), question="another"))
    assert await _told(desk) == ["r-a", "r-d"]
    await _leave(desk, "b")
    assert await _told(desk, minutes=60) == []


TOLD = request(alone("b", thread="b"), question="the same", decide_by=TEN + 25 * MINUTE)
EDIT = request(alone("b", thread="b")._replace(digest="x"), parent="r-b", question="another")
ENDS: dict[str, Callable[[Desk, datetime], Awaitable[object]]] = {
    "withdrawn": lambda desk, now: desk.store.withdraw("b", now=now),
    "refused": lambda desk, now: desk.refuse(TOLD.key, reason=Reason.QUARANTINED_TOOL, now=now),
    "superseded": lambda desk, now: desk.store.propose([proposal(EDIT.key)], durable=True, now=now),
    "approved": lambda desk, now: desk.vote(vote(TOLD, at=now), now=now),
    "answered": lambda desk, now: desk.vote(vote(TOLD, answer=Answer.RESPOND, text="later"), now=now),
    "edited": lambda desk, now: desk.vote(vote(TOLD, answer=Answer.EDIT, digest=EDIT.digest), edited=EDIT, now=now),
    "approved by one": lambda desk, now: desk.vote(broken(TOLD, at=now), holders=HOLDERS, glass=GLASS, now=now),
    "rejected": lambda desk, now: desk.vote(vote(TOLD, answer=Answer.REJECT), now=now),
}


async def _too_late(desk: Desk, now: datetime) -> None:
    with pytest.raises(ApprovalExpiredError):
        await desk.vote(vote(TOLD), now=now)


LATE: dict[str, Callable[[Desk, datetime], Awaitable[object]]] = {
    "expired": lambda desk, now: desk.store.sweep(now=now),
    "expired where it is looked at": lambda desk, now: desk.store.expire("r-b", now=now),
    "expired before it was answered": _too_late,
}


async def _of_the_same(desk: Desk, *minutes: int) -> list[str]:
    """Return what people are told at *minutes* that waits, of the requests of one question."""
    same, found = {"r-a", "r-b", "r-c", "r-d"}, []
    for now in (TEN + at * MINUTE for at in minutes):
        for notice in await desk.store.take_notices(owner="w", limit=99, until=now + MINUTE, now=now):
            await desk.store.noticed(notice, again_at=None)
            found += [notice.request] if notice.kind is NoticeKind.ASKED and notice.request in same else []
    return found


@pytest.mark.parametrize("end", (ENDS | LATE).items(), ids=lambda end: end[0])
async def test_where_what_people_were_told_of_ends_they_are_told_of_the_next(
    desk: Desk, end: tuple[str, Callable[[Desk, datetime], Awaitable[object]]]
) -> None:
    for of in (elsewhere("a"), TOLD, elsewhere("c"), elsewhere("d")):
        await _ask_on(desk, of)
    assert await _of_the_same(desk, 0, 15) == ["r-a", "r-b"]
    await desk.store.withdraw("a", now=TEN + 16 * MINUTE)
    assert await _of_the_same(desk, 16, 19) == []  # the second stands for the others
    name, ends = end
    await ends(desk, TEN + (25 if name in LATE else 20) * MINUTE)
    again = 35 if name == "rejected" else 30  # when the same question may be told of, or asked, again
    assert await _of_the_same(desk, 20, 25, again - 1) == []
    assert await _of_the_same(desk, again, 50, 59) == ["r-c"]  # which stands for the last


@pytest.mark.parametrize("end", ENDS.items(), ids=lambda end: end[0])
async def test_where_a_request_ends_before_people_are_told_of_it_the_next_takes_its_place(
    desk: Desk, end: tuple[str, Callable[[Desk, datetime], Awaitable[object]]]
) -> None:
    for of in (elsewhere("a"), TOLD, elsewhere("c"), elsewhere("d")):
        await _ask_on(desk, of)
    assert await _of_the_same(desk, 0) == ["r-a"]
    name, ends = end
    await ends(desk, TEN + 5 * MINUTE)
    again = 20 if name == "rejected" else 15
    assert await _of_the_same(desk, 5, again - 1) == []
    assert await _of_the_same(desk, again, 50, 59) == ["r-c"]


async def test_requests_that_end_together_are_followed_by_one(desk: Desk) -> None:
    for digest in "abcd":
        decide_by = TEN + (20 if digest < "c" else 60) * MINUTE
        await _ask_on(desk, elsewhere(digest).model_copy(update={"decide_by": decide_by}))
    assert await _of_the_same(desk, 0, 15) == ["r-a", "r-b"]
    await desk.store.sweep(now=TEN + 20 * MINUTE)
    await desk.store.sweep(now=TEN + 20 * MINUTE)
    assert await _of_the_same(desk, 29, 30, 59) == ["r-c"]


async def _ask_on(desk: Desk, of: ApprovalRequest) -> None:
    await desk.store.open_entry(
        thread=of.thread, entry=of.entry, requester=DESK, tenant="acme", labels=UNEXPOSED, now=TEN
    )
    assert isinstance(await desk.ask(of), StandingRequest)


async def _leave(desk: Desk, thread: str) -> None:
    assert await desk.store.withdraw(thread, now=TEN) == (f"r-{thread}",)


async def test_who_was_told_is_not_told_again_at_once(desk: Desk) -> None:
    told = []
    for number in range(9):
        entry = str(number)
        await desk.enter(entry)
        await desk.ask(request(key(f"a{number}", entry=entry), question="the same"), now=TEN + number * MINUTE)
        told += await _told(desk, minutes=number)
    assert told == ["r-a0"]
    assert await _told(desk, minutes=15) == ["r-a8"]


async def test_that_the_glass_was_broken_is_told_even_where_the_request_is_withdrawn(desk: Desk) -> None:
    await desk.enter()
    await desk.ask()
    await desk.vote(broken(request()), holders=HOLDERS, glass=GLASS)
    assert await desk.store.withdraw("thread", now=TEN) == ("r-a",)
    taken = await desk.store.take_notices(owner="w", limit=9, until=TEN + HOUR, now=TEN)
    assert [notice.kind for notice in taken] == [NoticeKind.GLASS_BROKEN]
