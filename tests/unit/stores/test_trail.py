"""A thread's trail: texts, answers, uses, endorsements and the plan, each only ever added to (DESIGN section 7)."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from guarded_agents.errors import StoreError
from guarded_agents.records import (
    UNEXPOSED,
    Confidentiality,
    Electorate,
    Endorsement,
    Integrity,
    Labels,
    Licence,
    Reason,
)
from guarded_agents.stores import Admission, SeenMessage, SqliteStore, Told, Use
from tests.support.store_desk import Desk
from tests.support.stores import GLASS, HOLDERS, TEN, broken, key, proposal, proven, request

pytestmark = pytest.mark.requirement("I9")

UNTRUSTED = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC)
CONFIDENTIAL = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.CONFIDENTIAL)
ANSWER = SeenMessage("d1", UNTRUSTED, "tool-1", "bank/see", {"name": "Beta"})
LICENCE = Licence("payments/refund", ("entry",), (("order", ("digest",)),))
AGREED = (Endorsement("payments/refund", "order", "digest", "r-a"),)
FIRST, SECOND = key("a"), key("b", turn=2)


def unattended(licence: Licence | None = LICENCE) -> Use:
    return Use(licence, is_checked=True, labels=UNTRUSTED)


async def proposed(desk: Desk) -> None:
    await desk.propose(proposal(FIRST))
    await desk.propose(proposal(SECOND))


async def test_what_was_recorded_is_read_and_read_on_from_there(desk: Desk) -> None:
    await desk.enter("e2", text="top up ACME-7", plan=("payments/refund",))
    desk.store.see("thread", ANSWER)
    trail = desk.store.trail("thread")
    assert (trail.texts, trail.seen, trail.plan) == (
        {"entry": "", "e2": "top up ACME-7"},
        [ANSWER],
        ("payments/refund",),
    )
    await desk.propose(proposal(key(entry="e2")))
    more = desk.store.trail("thread", after=trail.number)
    assert ([seen.digest for seen in more.seen], more.texts) == (["d1"], {})
    assert desk.store.trail("thread", after=more.number).seen == []
    assert desk.store.trail("another").texts == {}


async def test_of_a_text_the_first_that_was_recorded_stands(desk: Desk) -> None:
    await desk.enter("e2", text="refund 5")
    await desk.enter("e2", text="refund 5,000")
    assert desk.store.trail("thread").texts["e2"] == "refund 5"


async def test_of_a_plan_the_first_that_was_pinned_stands(desk: Desk) -> None:
    await desk.enter("e2", plan=("a/b",))
    await desk.enter("e3", plan=("a/b", "c/d"))
    assert desk.store.trail("thread").plan == ("a/b",)


async def test_after_untrusted_text_a_plan_has_no_tool(desk: Desk) -> None:
    await desk.enter("e2", labels=UNTRUSTED)
    await desk.enter("e3", plan=("a/b",))
    assert desk.store.trail("thread").plan == ()


@pytest.mark.parametrize("is_written", [False, True])
async def test_the_labels_of_a_message_only_grow_stricter(desk: Desk, *, is_written: bool) -> None:
    for labels in (UNTRUSTED, CONFIDENTIAL, UNEXPOSED):
        desk.store.see("thread", replace(ANSWER, labels=labels))
        if is_written:
            await desk.propose(proposal())
            await desk.store.append([], now=TEN)
    assert desk.store.labels_shown("thread", ["d1", "d2"]) == {"d1": UNTRUSTED.join(CONFIDENTIAL)}
    assert desk.store.labels_shown("another", ["d1"]) == {}


async def test_what_an_unattended_call_draws_on_is_spent_for_every_other(desk: Desk) -> None:
    await proposed(desk)
    assert isinstance(await desk.admit(FIRST, use=unattended()), Admission)
    told = await desk.admit(SECOND, use=unattended())
    assert isinstance(told, Told)
    assert told.reason is Reason.UNLICENSED
    assert desk.store.claim(SECOND).reason is Reason.UNLICENSED
    assert list(desk.store.trail("thread").uses.values()) == [LICENCE]


async def test_a_call_that_draws_on_something_else_or_that_a_person_agreed_to_is_admitted(desk: Desk) -> None:
    await proposed(desk)
    await desk.admit(FIRST, use=unattended())
    other = LICENCE._replace(targets=(("order", ("another",)),))
    assert isinstance(await desk.admit(SECOND, use=unattended(other)), Admission)
    third = request(key("c", turn=3))
    await desk.approved(third)
    attended = Use(LICENCE, is_checked=False, endorsed=AGREED, labels=UNTRUSTED)
    assert isinstance(await desk.admit(third.key, request=third.id, use=attended), Admission)
    assert desk.store.trail("thread").endorsed == list(AGREED)


async def test_an_unattended_call_that_draws_on_nothing_is_refused(desk: Desk) -> None:
    await proposed(desk)
    told = await desk.admit(FIRST, use=unattended(None))
    assert isinstance(told, Told)
    assert told.reason is Reason.UNLICENSED


async def test_who_breaks_the_glass_agrees_to_one_call_and_endorses_nothing(desk: Desk) -> None:
    asked = request()
    await desk.ask(asked)
    await desk.vote(broken(asked), eligible=frozenset(), holders=HOLDERS, glass=GLASS)
    use = Use(LICENCE, is_checked=False, endorsed=AGREED, labels=UNTRUSTED)
    seen = replace(proven(desk.store, asked.id, Electorate(frozenset(), HOLDERS)), glass=GLASS)
    assert isinstance(await desk.admit(asked.key, seen=seen, use=use), Admission)
    assert desk.store.trail("thread").endorsed == []


async def test_what_is_no_text_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(StoreError):
        desk.store.see("thread", replace(ANSWER, message="\ud800"))
    with pytest.raises(StoreError):
        await desk.enter("e2", text="\ud800")


async def test_another_process_reads_what_this_one_wrote_and_erased_is_gone(desk: Desk, path: Path) -> None:
    await desk.enter("e2", text="top up")
    desk.store.see("thread", ANSWER)
    await proposed(desk)
    await desk.store.aclose()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE payloads SET body = NULL WHERE id IN (SELECT payload FROM trail)")
    store = SqliteStore.open(path)
    assert (store.trail("thread").texts, store.trail("thread").seen) == ({}, [])
    assert store.labels_shown("thread", ["d1"]) == {"d1": UNTRUSTED}
    await store.aclose()
