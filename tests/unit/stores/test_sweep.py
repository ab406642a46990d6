"""What time alone does; threads that are to be woken; the outbox; and withdrawing."""

from datetime import timedelta

import orjson
import pytest

from guarded_agents.records import (
    Answer,
    ClaimStatus,
    Notice,
    NoticeKind,
    Reason,
    RequestStatus,
    Risk,
)
from guarded_agents.stores import Delayed, StuckNotice, Swept, Wake
from guarded_agents.stores._tx import Tx
from tests.support.store_desk import Desk
from tests.support.stores import (
    GLASS,
    HOLDERS,
    HOUR,
    MINUTE,
    NOTE,
    TEN,
    alone,
    broken,
    key,
    proposal,
    request,
    review,
    vote,
)


def _entries(desk: Desk, kind: str) -> list[dict[str, object]]:
    found = [orjson.loads(stored) for _, stored, _ in desk.store.audit_rows()]
    return [entry["fields"] for entry in found if entry["kind"] == kind]


# -- sweep ------------------------------------------------------------------------------------


@pytest.mark.requirement("I6")
async def test_a_sweep_lets_pass_what_has_passed_and_says_so(desk: Desk) -> None:
    for digest, hours in {"a": 1, "b": 1, "c": 2}.items():
        await desk.ask(request(alone(digest), decide_by=TEN + hours * HOUR))
    await desk.approved(request(alone("d")))
    await desk.propose(proposal(alone("e")))
    await desk.admit(alone("e"))
    assert await desk.store.sweep(now=TEN) == Swept()
    before = len(desk.kinds())
    assert await desk.store.sweep(now=TEN + HOUR) == Swept(expired=("r-a", "r-b"), lapsed=("r-d",), in_doubt=1)
    assert {line.id: line.status for line in desk.store.requests(status=None)} == {
        "r-a": RequestStatus.EXPIRED,
        "r-b": RequestStatus.EXPIRED,
        "r-c": RequestStatus.PENDING,
        "r-d": RequestStatus.LAPSED,
    }
    expired = desk.store.request("r-a")
    assert expired is not None
    assert (expired.settled_at, expired.settled_by) == (TEN + HOUR, None)
    assert desk.store.claim(alone("e")).status is ClaimStatus.IN_DOUBT  # type: ignore[union-attr]
    assert desk.kinds()[before:] == ["approval", "approval", "approval", "outcome"]
    assert [(said["request"], said["status"]) for said in _entries(desk, "approval")] == [
        ("r-a", "expired"),
        ("r-b", "expired"),
        ("r-d", "lapsed"),
    ]
    assert await desk.store.sweep(now=TEN + HOUR) == Swept()  # once


@pytest.mark.requirement("I6")
async def test_an_escalation_is_noted_once_and_its_backup_told(desk: Desk) -> None:
    terms = {"backup": "leads", "escalate_at": TEN + MINUTE}
    await desk.ask(request(alone("a"), risk=Risk.HIGH, **terms))
    await desk.ask(request(alone("b"), **terms))
    await desk.vote(vote(request(alone("b"), **terms)))
    await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN)
    assert (await desk.store.sweep(now=TEN + MINUTE - timedelta(microseconds=1))).escalated == ()
    assert (await desk.store.sweep(now=TEN + MINUTE)).escalated == ("r-a",)
    assert (await desk.store.sweep(now=TEN + 2 * MINUTE)).escalated == ()
    (told,) = await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN + MINUTE)
    assert (told.kind, told.request, told.to, told.risk) == (NoticeKind.ESCALATED, "r-a", "leads", Risk.HIGH)
    standing = desk.store.request("r-a")
    assert standing is not None
    assert (standing.status, standing.request) == (RequestStatus.PENDING, request(alone("a"), risk=Risk.HIGH, **terms))
    (said,) = _entries(desk, "approval")
    assert (said["request"], said["status"], said["escalated_to"]) == ("r-a", "pending", "leads")


STRANGE = {
    "a risk that nobody knows": ("risk", 7),
    "a risk far beyond": ("risk", -99),
    "another document": ("document", "{}"),
    "no document": ("document", "{"),
}


@pytest.mark.parametrize(("column", "value"), STRANGE.values(), ids=STRANGE)
async def test_a_row_that_cannot_be_read_holds_up_no_other(desk: Desk, column: str, value: str | int) -> None:
    terms = {"backup": "leads", "escalate_at": TEN + MINUTE}
    for digest in "ab":
        await desk.ask(request(alone(digest), **terms))
    await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN)
    desk.write(f"UPDATE requests SET {column} = ? WHERE id = 'r-a'", value)
    assert (await desk.store.sweep(now=TEN + MINUTE)).escalated == ("r-a", "r-b")
    told = await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN + MINUTE)
    risks = {notice.request: notice.risk for notice in told}
    assert risks.pop("r-b") is Risk.MEDIUM
    assert risks == ({"r-a": Risk.HIGH} if column == "risk" else {})
    assert [(line.id, line.risk) for line in desk.store.requests() if line.id == "r-b"] == [("r-b", Risk.MEDIUM)]
    assert (await desk.store.sweep(now=TEN + HOUR)).expired == ("r-a", "r-b")


async def test_a_finding_that_nobody_knows_is_no_review(desk: Desk) -> None:
    await desk.ask(request(risk=Risk.MEDIUM))
    await desk.vote(broken(request()), holders=HOLDERS, glass=GLASS)
    await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN)
    desk.write("UPDATE broken_glass SET finding = 'x'")
    desk.write("UPDATE requests SET risk = 7")
    assert (await desk.store.sweep(now=TEN + 2 * HOUR)).overdue == ("r-a",)
    assert (await desk.store.sweep(now=TEN + 3 * HOUR)).overdue == ()
    (told,) = await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN + 2 * HOUR)
    assert (told.kind, told.to, told.risk) == (NoticeKind.REVIEW_OVERDUE, "auditors", Risk.HIGH)


async def test_the_backup_is_told_of_one_of_those_that_ask_the_same(desk: Desk) -> None:
    for digest in "ab":
        waits = request(alone(digest, thread=digest), question="same", backup="leads", escalate_at=TEN + MINUTE)
        await desk.ask(waits)
    assert (await desk.store.sweep(now=TEN + MINUTE)).escalated == ("r-a",)
    assert (await desk.store.sweep(now=TEN + 15 * MINUTE)).escalated == ("r-b",)  # when its own group is told as well


async def test_what_has_expired_is_not_escalated(desk: Desk) -> None:
    await desk.ask(request(backup="leads", escalate_at=TEN + MINUTE))
    assert await desk.store.sweep(now=TEN + HOUR) == Swept(expired=("r-a",))


async def test_an_overdue_review_is_noted_once_and_its_reviewers_told(desk: Desk) -> None:
    for digest in "ab":
        await desk.ask(request(alone(digest)))
        await desk.vote(broken(request(alone(digest))), holders=HOLDERS, glass=GLASS)
    await desk.store.review(review("r-b"), note=NOTE, now=TEN)
    await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN)
    assert (await desk.store.sweep(now=TEN + 2 * HOUR)).overdue == ("r-a",)
    assert (await desk.store.sweep(now=TEN + 3 * HOUR)).overdue == ()
    (told,) = await desk.store.take_notices(owner="w", limit=9, until=TEN + 9 * HOUR, now=TEN + 2 * HOUR)
    assert (told.kind, told.request, told.to) == (NoticeKind.REVIEW_OVERDUE, "r-a", "auditors")
    assert _entries(desk, "approval")[-1]["review"] == "overdue"


# -- withdraw ---------------------------------------------------------------------------------


@pytest.mark.requirement("I4")
async def test_withdrawing_closes_what_is_open_and_leaves_what_was_sent(desk: Desk) -> None:
    await desk.approved(request(alone("a")))
    await desk.ask(request(alone("b")))
    await desk.propose(proposal(alone("c")))
    await desk.propose(proposal(alone("d")))
    await desk.admit(alone("d"))
    await desk.ask(request(alone("e")))
    await desk.vote(vote(request(alone("e")), answer=Answer.REJECT))
    assert await desk.store.withdraw("thread", now=TEN + MINUTE) == ("r-a", "r-b")
    rows = {digest: desk.store.claim(alone(digest)) for digest in "abcde"}
    assert {digest: row and (row.status, row.reason) for digest, row in rows.items()} == {
        "a": (ClaimStatus.CLOSED, Reason.WITHDRAWN),
        "b": (ClaimStatus.CLOSED, Reason.WITHDRAWN),
        "c": (ClaimStatus.CLOSED, Reason.WITHDRAWN),
        "d": (ClaimStatus.SENDING, Reason.PERMITTED),
        "e": (ClaimStatus.CLOSED, Reason.REJECTED),
    }
    assert {line.id: line.status for line in desk.store.requests(status=None)} == {
        "r-a": RequestStatus.WITHDRAWN,
        "r-b": RequestStatus.WITHDRAWN,
        "r-e": RequestStatus.REJECTED,
    }
    assert [(said["request"], said["status"]) for said in _entries(desk, "approval")] == [
        ("r-a", "withdrawn"),
        ("r-b", "withdrawn"),
    ]
    assert await desk.store.withdraw("thread", now=TEN + MINUTE) == ()
    assert await desk.store.withdraw("another", now=TEN + MINUTE) == ()


# -- wakes ------------------------------------------------------------------------------------


async def _wakes(desk: Desk, owner: str = "one", *, minutes: int = 0, limit: int = 9) -> tuple[str, ...]:
    now = TEN + minutes * MINUTE
    taken: list[str] = []
    while len(taken) < limit:
        wake = await desk.store.take_wake(owner=owner, until=now + 2 * MINUTE, now=now)
        if wake is None:
            break
        taken.append(wake.thread)
    return tuple(taken)


async def _ask_elsewhere(desk: Desk, *threads: str) -> None:
    for thread in threads:
        await desk.ask(request(key(thread, thread=thread)))


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT, Answer.RESPOND], ids=str)
async def test_a_thread_is_woken_once_its_request_is_settled(desk: Desk, answer: Answer) -> None:
    await desk.ask()
    assert await _wakes(desk) == ()
    await desk.vote(vote(request(), answer=answer, **({"text": "no"} if answer is Answer.RESPOND else {})))
    assert await _wakes(desk) == ("thread",)
    assert await _wakes(desk, "two") == ()
    await (desk.admit(request="r-a") if answer is Answer.APPROVE else desk.refuse())
    await desk.store.woken("thread", owner="one", again_at=None)
    assert await _wakes(desk) == ()  # it was told


async def test_time_wakes_a_thread_too(desk: Desk) -> None:
    await desk.ask(request(alone("a")))
    await desk.ask(request(alone("b"), decide_by=TEN + 2 * HOUR))
    await desk.store.sweep(now=TEN + HOUR)
    assert await _wakes(desk, minutes=60) == ("thread",)


async def test_what_was_withdrawn_or_superseded_wakes_nobody(desk: Desk) -> None:
    await desk.approved()
    await desk.ask(request(alone("b")))
    edited = request(alone("b")._replace(digest="c"), parent="r-b")
    await desk.vote(vote(request(alone("b")), answer=Answer.EDIT, digest=edited.digest), edited=edited)
    await desk.store.withdraw("thread", now=TEN)
    assert await _wakes(desk) == ()


async def test_two_workers_never_take_a_thread_at_once(desk: Desk) -> None:
    await _ask_elsewhere(desk, "x", "y", "z")
    for number, thread in enumerate("yxz"):
        await desk.vote(vote(request(key(thread, thread=thread))), now=TEN + number * MINUTE)
    assert await _wakes(desk, "one", minutes=3, limit=2) == ("y", "x")  # the longest waiting first
    assert await _wakes(desk, "two", minutes=3) == ("z",)
    await desk.store.woken("y", owner="two", again_at=None)  # not its lease
    await desk.store.woken("x", owner="two", again_at=TEN)
    assert await _wakes(desk, "two", minutes=4) == ()
    await desk.store.woken("y", owner="one", again_at=None)
    await desk.store.woken("x", owner="one", again_at=TEN + 9 * MINUTE)
    assert await _wakes(desk, "two", minutes=4) == ("y",)
    assert await _wakes(desk, "two", minutes=8) == ("y", "z")  # the leases have ended
    assert await _wakes(desk, "two", minutes=9) == ("x",)


async def test_a_thread_whose_worker_died_is_woken_again(desk: Desk) -> None:
    await desk.approved()
    assert await _wakes(desk) == ("thread",)
    await desk.admit(request="r-a")  # and then it died: the model was not told
    assert await _wakes(desk, "two", minutes=1) == ()
    assert await _wakes(desk, "two", minutes=2) == ("thread",)
    await desk.store.woken("thread", owner="two", again_at=None)
    assert await _wakes(desk, "one", minutes=9) == ()


async def _due(desk: Desk) -> int:
    statement = "SELECT count(*) FROM requests WHERE due IS NOT NULL"
    (count,) = desk.store._read(lambda db: db.execute(statement).fetchone())
    return int(count)


async def test_a_thread_that_was_told_without_a_worker_is_looked_after_once_and_later(desk: Desk) -> None:
    await desk.approved()
    await desk.refuse()
    for minutes in range(10):
        assert await _wakes(desk, minutes=minutes) == ()
    now = TEN + 10 * MINUTE
    wake = await desk.store.take_wake(owner="one", until=now + MINUTE, now=now)
    assert wake == Wake("thread", is_told=True)
    await desk.store.woken("thread", owner="two", again_at=None)  # not its lease: it says nothing
    assert await _due(desk) == 1
    await desk.store.woken("thread", owner="one", again_at=None)
    assert (await _due(desk), await _wakes(desk, minutes=99)) == (0, ())


async def test_a_call_that_is_being_sent_is_not_taken_for_told(desk: Desk) -> None:
    await desk.approved()
    await desk.admit(request="r-a")
    assert await _wakes(desk, minutes=11) == ("thread",)
    await desk.store.woken("thread", owner="one", again_at=None)
    assert await _due(desk) == 1


async def test_a_thread_that_the_user_wrote_to_since_is_not_looked_after(desk: Desk) -> None:
    await desk.approved()
    await desk.refuse()
    await desk.enter("entry-2")
    assert (await _wakes(desk, minutes=11), await _due(desk)) == ((), 0)


async def test_what_was_tried_before_takes_its_place_behind_what_nobody_has_woken(desk: Desk) -> None:
    await _ask_elsewhere(desk, "x", "y", "z")
    for number, thread in enumerate("xy"):
        await desk.vote(
            vote(request(key(thread, thread=thread)), answer=Answer.REJECT, text="no"), now=TEN + number * MINUTE
        )
    assert await _wakes(desk, limit=1) == ("x",)
    await desk.store.woken("x", owner="one", again_at=TEN + 2 * MINUTE)
    assert await _wakes(desk, minutes=3) == ("y", "x")


async def test_an_approved_call_goes_first_and_among_them_what_has_to_be_sent_first(desk: Desk) -> None:
    await _ask_elsewhere(desk, "x", "y", "z")
    await desk.vote(vote(request(key("x", thread="x")), answer=Answer.REJECT, text="no"), now=TEN)
    for number, thread in enumerate("zy"):
        await desk.vote(vote(request(key(thread, thread=thread))), now=TEN + (1 + number) * MINUTE)
    assert await _wakes(desk, minutes=3) == ("z", "y", "x")


async def test_a_lease_that_is_given_back_is_anybodys_at_once(desk: Desk) -> None:
    await desk.approved()
    wake = await desk.store.take_wake(owner="one", until=TEN + MINUTE, now=TEN)
    assert wake is not None
    await desk.store.give_back(wake, owner="two", now=TEN)  # not its lease
    assert await _wakes(desk, "two") == ()
    await desk.store.give_back(wake, owner="one", now=TEN)
    assert await desk.store.take_wake(owner="one", until=TEN + MINUTE, now=TEN, skip={"thread"}) is None
    assert await _wakes(desk, "two") == ("thread",)


async def test_a_told_thread_that_is_given_back_is_still_to_be_looked_after(desk: Desk) -> None:
    await desk.approved()
    await desk.refuse()
    now = TEN + 10 * MINUTE
    wake = await desk.store.take_wake(owner="one", until=now + MINUTE, now=now)
    assert wake is not None
    await desk.store.give_back(wake, owner="one", now=now)
    assert await desk.store.take_wake(owner="two", until=now + MINUTE, now=now, skip=["other"]) == wake


async def test_a_thread_that_nobody_else_may_wake_yet_is_read_with_until_when(desk: Desk) -> None:
    await _ask_elsewhere(desk, "x", "y")
    assert desk.store.delayed(now=TEN) == ()
    for thread in "xy":
        await desk.vote(vote(request(key(thread, thread=thread)), answer=Answer.REJECT, text="no"), now=TEN)
    assert await _wakes(desk) == ("x", "y")
    await desk.store.woken("x", owner="one", again_at=TEN + MINUTE)
    failed, leased = Delayed("x", TEN + MINUTE, is_leased=False), Delayed("y", TEN + 2 * MINUTE, is_leased=True)
    assert desk.store.delayed(now=TEN) == (failed, leased)
    assert desk.store.delayed(now=TEN + MINUTE) == (leased,)
    assert desk.store.delayed(now=TEN + 2 * MINUTE) == ()


async def test_a_lease_that_somebody_has_written_into_the_store_hides_no_other(desk: Desk) -> None:
    await desk.approved()
    await _wakes(desk)
    desk.store._writer.submit(lambda tx: tx.db.execute("UPDATE wakes SET until = 9223372036854775807")).result()
    assert [(found.thread, found.until.year) for found in desk.store.delayed(now=TEN)] == [("thread", 9999)]


async def test_who_gives_a_thread_back_has_not_told_it(desk: Desk) -> None:
    await desk.approved()
    wake = await desk.store.take_wake(owner="of another graph", until=TEN + HOUR, now=TEN + MINUTE)
    assert wake == Wake("thread")
    await desk.store.give_back(wake, owner="of another graph", now=TEN + MINUTE)
    await desk.refuse(now=TEN + 2 * MINUTE)  # its application goes on by itself, and closes the call
    assert await _wakes(desk, minutes=11) == ()
    told = await desk.store.take_wake(owner="one", until=TEN + HOUR, now=TEN + 12 * MINUTE)
    assert told == Wake("thread", is_told=True)


async def test_who_gives_a_thread_back_leaves_it_as_a_worker_left_it_that_died(desk: Desk) -> None:
    await desk.approved()
    assert await _wakes(desk) == ("thread",)
    await desk.admit(request="r-a")  # and then it died: the model was not told
    wake = await desk.store.take_wake(owner="of another graph", until=TEN + HOUR, now=TEN + 2 * MINUTE)
    assert wake is not None
    await desk.store.give_back(wake, owner="of another graph", now=TEN + 2 * MINUTE)
    assert await desk.store.take_wake(owner="two", until=TEN + HOUR, now=TEN + 2 * MINUTE) == wake == Wake("thread")


# -- the outbox -------------------------------------------------------------------------------


async def _notices(desk: Desk, owner: str = "one", *, minutes: int = 0, limit: int = 9) -> tuple[Notice, ...]:
    now = TEN + minutes * MINUTE
    return await desk.store.take_notices(owner=owner, limit=limit, until=now + 2 * MINUTE, now=now)


async def test_a_request_tells_its_group_without_its_arguments(desk: Desk) -> None:
    await desk.ask(request(risk=Risk.HIGH))
    await desk.hold(request(risk=Risk.HIGH))  # by once more
    (told,) = await _notices(desk)
    assert told == Notice(told.id, NoticeKind.ASKED, "r-a", Risk.HIGH, "finance", TEN, 1)
    await desk.store.noticed(told, again_at=None)
    assert await _notices(desk, minutes=99) == ()


async def test_an_edited_request_that_waits_tells_its_group(desk: Desk) -> None:
    await desk.ask()
    edited = request(key("b"), parent="r-a", group="leads")
    await desk.vote(vote(request(), answer=Answer.EDIT, digest=edited.digest), edited=edited)
    assert [(told.request, told.to) for told in await _notices(desk)] == [("r-a", "finance"), ("r-b", "leads")]


async def test_a_notice_is_leased_and_tried_again_under_the_same_id(desk: Desk) -> None:
    for digest in "abc":
        await desk.ask(request(alone(digest)))
    first, second = await _notices(desk, limit=2)
    (third,) = await _notices(desk, "two")
    assert [told.request for told in (first, second, third)] == ["r-a", "r-b", "r-c"]
    await desk.store.noticed(first, again_at=TEN + 9 * MINUTE)
    (again, third_again) = await _notices(desk, "two", minutes=2)  # the lease of the second and third has ended
    assert (again.id, again.attempt, third_again.attempt) == (second.id, 2, 2)
    await desk.store.noticed(second, again_at=TEN)  # late: it was taken again since
    assert await _notices(desk, minutes=3) == ()
    await desk.store.noticed(again, again_at=None)
    later = await _notices(desk, minutes=9)
    assert [(told.id, told.attempt) for told in later] == [(first.id, 2), (third.id, 3)]


async def test_what_is_undone_leaves_no_notice(desk: Desk) -> None:
    await desk.hold()  # not proposed
    assert await _notices(desk) == ()


def _poison(desk: Desk, change: str) -> None:
    def poisoned(tx: Tx) -> None:
        tx.db.execute(f"UPDATE notices SET {change} WHERE request = 'r-a'")

    desk.store._writer.submit(poisoned).result()


POISONS = ("kind = 'x'", "risk = 'x'", "at = 9223372036854775807", "at = -1", "attempt = 9223372036854775807")


@pytest.mark.parametrize("poison", POISONS)
async def test_a_notice_that_cannot_be_read_is_named_and_keeps_nobody_else_from_being_told(
    desk: Desk, poison: str
) -> None:
    await desk.ask(request(alone("a")))
    await desk.ask(request(alone("b")))
    assert desk.store.stuck_notices() == ()
    _poison(desk, poison)
    (told,) = await _notices(desk)
    assert told.request == "r-b"
    (stuck,) = desk.store.stuck_notices()
    assert (stuck.request, stuck.is_readable) == ("r-a", False)


async def test_a_notice_that_failed_twice_is_stuck_and_says_why(desk: Desk) -> None:
    await desk.ask()
    for attempt in (1, 2):
        (told,) = await _notices(desk)
        await desk.store.noticed(told, again_at=TEN, problem="webhook example: 503" + "x" * 999)
        assert len(desk.store.stuck_notices()) == attempt - 1
    (stuck,) = desk.store.stuck_notices()
    assert stuck == StuckNotice(told.id, "r-a", "finance", 2, ("webhook example: 503" + "x" * 999)[:200], True)
