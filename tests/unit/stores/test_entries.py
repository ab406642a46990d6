"""New input, and what the model proposes."""

import pytest

from guarded_agents.errors import NotEligibleError, StoreError
from guarded_agents.records import (
    UNEXPOSED,
    Answer,
    ClaimStatus,
    Confidentiality,
    Integrity,
    Labels,
    Principal,
    Reason,
    RequestStatus,
)
from guarded_agents.stores import Admission, Told
from tests.support.store_desk import Desk
from tests.support.stores import DESK, SENT, TEN, key, proposal, request, vote

READ_SOMETHING = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.INTERNAL)
READ_A_SECRET = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.RESTRICTED)


# -- open_entry -------------------------------------------------------------------------------


async def test_an_entry_is_fresh_once(desk: Desk) -> None:
    assert (await desk.enter("second")).fresh
    again = await desk.enter("second")
    assert not again.fresh
    assert again.facts == desk.store.thread("thread")
    assert (again.facts.entry, again.facts.requester, again.facts.tenant) == ("second", DESK, "acme")


async def test_who_asked_for_an_entry_is_known_after_it_was_left(desk: Desk) -> None:
    await desk.enter("second", requester=Principal(id="other-agent"))
    assert desk.store.requester("thread", "entry") == DESK
    assert desk.store.requester("thread", "second") == Principal(id="other-agent")
    assert desk.store.requester("thread", "third") is None


async def test_an_unknown_thread_has_no_facts(desk: Desk) -> None:
    assert desk.store.thread("another") is None


@pytest.mark.requirement("I9")
@pytest.mark.parametrize(
    ("first", "then"),
    [(READ_SOMETHING, READ_A_SECRET), (READ_A_SECRET, READ_SOMETHING)],
    ids=["untrusted, then secret", "secret, then untrusted"],
)
async def test_the_labels_of_a_thread_only_grow_stricter(desk: Desk, first: Labels, then: Labels) -> None:
    assert (await desk.enter("second", labels=first)).facts.labels == first
    assert (await desk.enter("third", labels=UNEXPOSED)).facts.labels == first
    assert (await desk.enter("fourth", labels=then)).facts.labels == first.join(then)


@pytest.mark.parametrize(
    ("requester", "tenant"),
    [(Principal(id="mallory"), "acme"), (Principal(id="desk-agent", acting_for="eve"), "acme"), (DESK, "other")],
    ids=["another principal", "acting for another", "another tenant"],
)
async def test_an_entry_cannot_be_taken_over(desk: Desk, requester: Principal, tenant: str) -> None:
    with pytest.raises(NotEligibleError, match="entry entry of thread thread"):
        await desk.enter(requester=requester, tenant=tenant)
    assert desk.store.thread("thread").requester == DESK  # type: ignore[union-attr]


async def test_a_resume_with_other_scopes_leaves_the_recorded_ones(desk: Desk) -> None:
    opened = await desk.enter(requester=DESK.model_copy(update={"scopes": ("everything",)}))
    assert opened.facts.requester == DESK


@pytest.mark.requirement("I4")
async def test_new_input_withdraws_what_was_proposed_and_held(desk: Desk) -> None:
    await desk.propose(proposal(), proposal(key("b"), consequential=False))
    await desk.hold()
    await desk.enter("second")
    assert [(call.call_id, call.claim.status, call.claim.reason) for call in desk.store.calls("thread", "entry")] == [
        ("call-a", ClaimStatus.CLOSED, Reason.WITHDRAWN),
    ]  # a plain read needs no row: nothing is ever claimed for it
    assert desk.store.request("r-a").status is RequestStatus.WITHDRAWN  # type: ignore[union-attr]
    assert desk.kinds() == ["decision", "withdrawal", "approval"]
    told = await desk.admit()
    assert isinstance(told, Told)
    assert told.reason is Reason.WITHDRAWN
    assert not told.waiting


async def test_new_input_leaves_what_was_sent_and_what_was_settled(desk: Desk) -> None:
    await desk.propose(proposal(), proposal(key("b")))
    await desk.admit(key("a"))
    await desk.admit(key("b"))
    await desk.settle(of=key("b"))
    await desk.enter("second")
    calls = desk.store.calls("thread", "entry")
    assert [call.claim.status for call in calls] == [ClaimStatus.SENDING, ClaimStatus.EXECUTED]
    assert calls[1].claim.outcome == SENT


@pytest.mark.requirement("I4")
async def test_new_input_withdraws_the_successor_of_an_edit(desk: Desk) -> None:
    old, new = request(), request(key("b"), parent="r-a")
    await desk.propose()
    await desk.hold(old)
    await desk.vote(vote(old, answer=Answer.EDIT, digest=new.digest), edited=new)
    await desk.enter("second")
    assert desk.store.request("r-b").status is RequestStatus.WITHDRAWN  # type: ignore[union-attr]
    assert desk.store.claim(key("b")).reason is Reason.WITHDRAWN  # type: ignore[union-attr]


async def test_going_back_to_an_older_entry_withdraws_the_newer_one(desk: Desk) -> None:
    await desk.enter("second")
    await desk.propose(proposal(key(entry="second")))
    back = await desk.enter("entry")
    assert not back.fresh
    assert back.facts.entry == "entry"
    assert [call.claim.reason for call in desk.store.calls("thread", "second")] == [Reason.WITHDRAWN]


# -- propose ----------------------------------------------------------------------------------


async def test_a_proposal_is_kept_as_it_was_recorded(desk: Desk) -> None:
    assert await desk.propose() == frozenset()
    assert await desk.propose() == frozenset()
    assert desk.store.proposal(key()) == proposal()
    assert desk.store.proposal(key("b")) is None
    assert await desk.store.propose([], durable=True, now=TEN) == frozenset()


async def test_the_calls_of_two_turns_are_not_recorded_together(desk: Desk) -> None:
    with pytest.raises(StoreError, match="one thread, entry and turn"):
        await desk.propose(proposal(), proposal(key("b", turn=2)))
    assert desk.store.proposal(key()) is None


@pytest.mark.requirement("I4")
async def test_another_proposal_of_the_turn_closes_the_older_one(desk: Desk) -> None:
    await desk.propose()
    await desk.hold()
    assert await desk.propose(proposal(key("b"))) == frozenset()
    assert desk.store.claim(key()).reason is Reason.SUPERSEDED  # type: ignore[union-attr]
    standing = desk.store.request("r-a")
    assert standing is not None
    assert (standing.status, standing.successor) == (RequestStatus.SUPERSEDED, None)
    told = await desk.admit(request="r-a")
    assert isinstance(told, Told)
    assert not told.waiting  # no edit led on from it
    assert isinstance(await desk.admit(key("b")), Admission)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (ClaimStatus.SENDING, True),
        (ClaimStatus.EXECUTED, True),
        (ClaimStatus.IN_DOUBT, True),
        (ClaimStatus.HAPPENED, True),
        (ClaimStatus.NOT_OBSERVED, True),
        (ClaimStatus.CONFLICT, True),
        (ClaimStatus.FAILED, False),
        (ClaimStatus.CLOSED, False),
        (ClaimStatus.NOT_HAPPENED, False),
    ],
    ids=str,
)
async def test_another_proposal_waits_for_one_that_may_have_happened(
    desk: Desk, status: ClaimStatus, refused: bool
) -> None:
    await desk.propose()
    await desk.admit()
    desk.set_status(status)
    keys = await desk.propose(proposal(key("b")), proposal(key("c"), consequential=False))
    assert keys == ({key("b")} if refused else frozenset())
    assert await desk.propose(proposal(key("b"))) == keys  # the same again says the same
    admitted = await desk.admit(key("b"))
    assert isinstance(admitted, Told if refused else Admission)
    assert desk.store.claim(key("c")) is None


@pytest.mark.requirement("I4")
async def test_what_was_refused_once_stays_refused(desk: Desk) -> None:
    await desk.propose()
    await desk.admit()
    await desk.propose(proposal(key("b")))
    desk.set_status(ClaimStatus.NOT_HAPPENED)
    assert await desk.propose(proposal(key("b"))) == {key("b")}
    assert isinstance(await desk.admit(key("b")), Told)


async def test_an_older_read_stays_where_it_is(desk: Desk) -> None:
    await desk.propose(proposal(key("r"), consequential=False), durable=False)
    await desk.propose(proposal(key("b")))
    assert desk.store.claim(key("r")) is None


@pytest.mark.requirement("I4")
async def test_a_proposal_that_comes_after_new_input_is_withdrawn(desk: Desk) -> None:
    await desk.enter("second")
    assert await desk.propose() == {key()}
    assert desk.store.claim(key()).reason is Reason.WITHDRAWN  # type: ignore[union-attr]
    await desk.propose(proposal(key("b"), consequential=False), durable=False)
    told = await desk.admit(key("b"))
    assert isinstance(told, Told)
    assert told.reason is Reason.NOT_PROPOSED


async def test_the_calls_of_an_entry_are_told_by_their_claims_whenever_it_is_asked(desk: Desk) -> None:
    await desk.propose(proposal(key(turn=1)))
    await desk.propose(proposal(key(turn=2)))
    assert desk.store.calls("thread", "entry") == ()
    await desk.admit(key(turn=1))
    await desk.enter("second")
    for _ in range(2):
        calls = desk.store.calls("thread", "entry")
        assert [(call.claim.key.turn, call.claim.status) for call in calls] == [
            (1, ClaimStatus.SENDING),
            (2, ClaimStatus.CLOSED),
        ]
        await desk.enter("second")
    assert desk.store.calls("thread", "second") == desk.store.calls("other", "entry") == ()
