"""One row that somebody else has written so that nothing can read it holds up no other, and is named."""

from contextlib import suppress
from datetime import timedelta
from itertools import islice

import pytest

from guarded_agents.approval import doubt_id
from guarded_agents.errors import StoreError
from guarded_agents.records import UNEXPOSED, Answer, ClaimStatus, RequestStatus, Verdict
from guarded_agents.stores import UnreadableRow, every_request
from tests.support.store_desk import Desk
from tests.support.stores import DESK, HOUR, MINUTE, NOTE, SILENCE, TEN, alone, key, proposal, request, resolution, vote

NO_TEXT = "CAST(x'ff' AS TEXT)"
SHOWN = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture
async def both(desk: Desk) -> Desk:
    """Return a desk where ``r-a`` waits, whose row will be written, and ``r-b`` on a thread of its own."""
    for digest in "ab":
        thread = f"on-{digest}"
        opened = {"entry": "entry", "requester": DESK, "tenant": "acme", "labels": UNEXPOSED}
        await desk.store.open_entry(thread=thread, now=TEN, **opened)  # type: ignore[arg-type]
        await desk.ask(request(alone(digest, thread=thread)))
    assert desk.store.unreadable() == ()
    return desk


@pytest.mark.parametrize("column", ["id", "request", "addressee"])
async def test_a_notice_that_is_no_text_is_named_and_keeps_nobody_else_from_being_told(both: Desk, column: str) -> None:
    both.write(f"UPDATE notices SET {column} = {NO_TEXT} WHERE request = 'r-a'")
    for minutes in (0, 2):
        now = TEN + minutes * MINUTE
        told = await both.store.take_notices(owner="w", limit=1, until=now + MINUTE, now=now)
        assert [notice.request for notice in told] == ["r-b"]
    (stuck,) = both.store.stuck_notices()
    assert (getattr(stuck, "to" if column == "addressee" else column), stuck.is_readable) == (SHOWN, False)


async def test_a_reason_that_is_no_text_keeps_no_notice_from_being_named(both: Desk) -> None:
    both.write(f"UPDATE notices SET attempt = 2, problem = {NO_TEXT}")
    assert [stuck.problem for stuck in both.store.stuck_notices()] == [SHOWN, SHOWN]


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT], ids=str)
async def test_a_thread_that_is_no_text_keeps_no_other_from_being_woken(both: Desk, answer: Answer) -> None:
    for digest in "ab":
        await both.vote(vote(request(alone(digest, thread=f"on-{digest}")), answer=answer))
    both.write(f"UPDATE requests SET thread = {NO_TEXT}, due = 0, execute_by = execute_by - 1 WHERE digest = 'a'")
    both.write(f"INSERT INTO wakes VALUES ({NO_TEXT}, '', 0, TRUE)")
    now = TEN + MINUTE
    wake = await both.store.take_wake(owner="w", until=TEN + 9 * MINUTE, now=now)
    assert wake is not None
    assert wake.thread == "on-b"
    assert await both.store.take_wake(owner="w", until=TEN + 9 * MINUTE, now=now) is None
    assert both.store.unreadable() == (UnreadableRow("request", "r-a", SHOWN),)


@pytest.mark.parametrize("column", ["id", "thread", "question", "grp", "principal", "document"])
async def test_a_request_that_is_no_text_keeps_no_other_from_expiring(both: Desk, column: str) -> None:
    both.write(f"UPDATE requests SET {column} = {NO_TEXT} WHERE digest = 'a'")
    assert "r-b" in (await both.store.sweep(now=TEN + 2 * HOUR)).expired


LOST = {  # the name that it goes by, and which requests are listed
    "an id": (f"id = {NO_TEXT}", SHOWN, ["r-b"]),
    "a time": ("decide_by = 9223372036854775807", "r-a", ["r-b"]),
    "a document": (f"document = {NO_TEXT}", "r-a", ["r-a", "r-b"]),  # a line needs none
    "a status": ("status = 'x'", "r-a", ["r-b"]),
}


@pytest.mark.parametrize(("change", "name", "listed"), LOST.values(), ids=LOST)
async def test_a_request_that_cannot_be_read_is_named_and_hides_no_other(
    both: Desk, change: str, name: str, listed: list[str]
) -> None:
    both.write(f"UPDATE requests SET {change}, risk = -99 WHERE digest = 'a'")
    assert [line.id for line in both.store.requests(limit=1, status=None)] == listed[:1]
    assert [line.id for line in every_request(both.store)] == listed
    assert both.store.unreadable() == (UnreadableRow("request", name, "on-a"),)
    with suppress(StoreError):
        await both.admit(alone("a", thread="on-a"), request="r-a")
    assert both.store.claim(alone("a", thread="on-a")) is None


async def test_a_page_is_full_whatever_was_passed_over(both: Desk) -> None:
    both.write("UPDATE requests SET risk = -99, escalate_at = 9223372036854775807 WHERE digest = 'a'")
    assert [line.id for line in both.store.requests(limit=1)] == ["r-b"]
    assert both.store.requests(limit=1, after="r-b") == ()


CHANGES = {  # the name that it goes by, and its thread
    "a reason": ("reason = 'x'", doubt_id(alone("a")), "thread"),
    "a time": ("lease_until = -9223372036854775807", doubt_id(alone("a")), "thread"),
    "a thread": (f"thread = {NO_TEXT}", "", SHOWN),
    "a turn": ("turn = 9007199254740992", "", "thread"),
    "an occurrence": ("occurrence = -1", "", "thread"),
    "names that are text only together": ("thread = CAST(x'f0' AS TEXT), entry = CAST(x'9f9880' AS TEXT)", "", SHOWN),
}


@pytest.mark.parametrize(("change", "name", "thread"), CHANGES.values(), ids=CHANGES)
async def test_a_call_that_cannot_be_read_hides_no_other_in_doubt_and_is_named(
    desk: Desk, change: str, name: str, thread: str
) -> None:
    for digest in "ab":
        await desk.propose(proposal(alone(digest)))
        await desk.admit(alone(digest))
    await desk.store.sweep(now=TEN + HOUR)
    desk.write(f"UPDATE claims SET {change} WHERE digest = 'a'")
    assert [claim.key.digest for claim in desk.store.doubts(now=TEN + HOUR)] == ["b"]
    assert desk.store.unreadable() == (UnreadableRow("call", name, thread),)
    assert len(list(islice(desk.store.claimed(), 9))) <= 2


BODIES = {
    "no text": "x'ff'",
    "no outcome": "x'5b5d'",
    "nested": "CAST(replace(hex(zeroblob(50000)), '0', '[') AS BLOB)",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_call_in_doubt_whose_outcome_cannot_be_read_hides_no_other_and_is_named(desk: Desk, body: str) -> None:
    for digest in "ab":
        await desk.propose(proposal(alone(digest)))
        await desk.admit(alone(digest))
        await desk.settle(SILENCE, of=alone(digest))
    outcome = "(SELECT outcome_payload FROM claims WHERE digest = 'a')"
    desk.write(f"UPDATE payloads SET body = {body} WHERE id = {outcome}")
    assert [claim.key.digest for claim in desk.store.doubts(now=TEN + HOUR)] == ["b"]
    assert [(row.kind, row.thread) for row in desk.store.unreadable()] == [("call", "thread")]


async def test_a_settled_call_without_an_id_hides_no_other(desk: Desk) -> None:
    for digest in "ab":
        await desk.propose(proposal(alone(digest)))
        await desk.admit(alone(digest))
    await desk.store.sweep(now=TEN + HOUR)
    for digest in "ab":
        said = resolution(Verdict.HAPPENED, call=f"call-{digest}")
        await desk.store.resolve(said, alone(digest), note=NOTE, now=TEN + HOUR)
    for table in ("claims", "resolutions"):
        desk.write(f"UPDATE {table} SET turn = 9007199254740992 WHERE digest = 'a'")
    assert [claim.key.digest for claim in desk.store.resolved()] == ["b"]


async def test_a_settled_call_that_cannot_be_read_hides_no_other(desk: Desk) -> None:
    for digest in "ab":
        await desk.propose(proposal(alone(digest)))
        await desk.admit(alone(digest))
    await desk.store.sweep(now=TEN + HOUR)
    for digest in "ab":
        said = resolution(Verdict.HAPPENED, call=f"call-{digest}")
        await desk.store.resolve(said, alone(digest), note=NOTE, now=TEN + HOUR)
    desk.write("UPDATE claims SET reason = 'x' WHERE digest = 'a'")
    assert [(claim.key.digest, claim.status) for claim in desk.store.resolved()] == [("b", ClaimStatus.HAPPENED)]
    assert [row.kind for row in desk.store.unreadable()] == ["call"]


async def test_people_are_told_of_the_next_that_can_be_read(desk: Desk) -> None:
    for digest in "abcd":
        await desk.ask(request(key(digest, thread=digest), question="the same"))
    desk.write(f"UPDATE requests SET id = {NO_TEXT} WHERE digest = 'c'")
    await desk.vote(vote(request(key("b", thread="b"))), now=TEN + timedelta(seconds=1))
    now = TEN + 15 * MINUTE
    told = await desk.store.take_notices(owner="w", limit=9, until=now + MINUTE, now=now)
    assert [notice.request for notice in told] == ["r-a", "r-d"]
    statuses = {line.id: line.status for line in desk.store.requests(status=None)}
    assert statuses["r-d"] is RequestStatus.PENDING
