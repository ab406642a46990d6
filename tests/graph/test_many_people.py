"""Quorum, delegation and escalation, over the graph (DESIGN section 8)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guarded_agents import Answer, ApprovalError, GuardContext, NotEligibleError, Principal
from guarded_agents.records import QUOTED, UNEXPOSED
from tests.support.bank import ANA, EVE, NOON, RAJ, calls
from tests.support.ledger import Desk, at_desk
from tests.support.people import ESCALATES, EXTERNAL, TWO, Phonebook

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
DONE = [("wire", 900)]
pytestmark = pytest.mark.requirement("I7")


def status(desk: Desk, request: str) -> str:
    standing = desk.guard.store.request(request)
    assert standing is not None
    return str(standing.status)


async def hand_over(desk: Desk, request: str, who: str, to: str) -> Any:
    return await desk.approve(request, Answer.DELEGATE, approver=who, delegate=to)


# -- quorum ------------------------------------------------------------------------------------------


@pytest.mark.requirement("B12")
async def test_a_call_that_takes_two_people_runs_when_the_second_agrees(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=TWO) as desk:
        request = await desk.held()
        for _ in range(3):
            await desk.guard.vote(desk.signed(request))  # each with a nonce of its own
            await desk.wake()
        assert (status(desk, request), desk.server.sent) == ("pending", [])
        await desk.approve(request, approver=RAJ)
        assert desk.server.effects == DONE


async def test_one_no_is_enough_however_many_agreed(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=TWO) as desk:
        request = await desk.held()
        await desk.approve(request)
        await desk.approve(request, Answer.REJECT, approver=RAJ, text="not this month")
        assert desk.server.sent == []
        assert "not this month" in (await desk.told())["call-0"]


@pytest.mark.requirement("B9")
async def test_the_requester_is_none_of_the_two(tmp_path: Path) -> None:
    for_ana = GuardContext(principal=Principal(id="teller", scopes=("bank:write",), acting_for=ANA))
    async with at_desk(tmp_path, calls(WIRE), policy=TWO) as desk:
        request = await desk.held(context=for_ana)
        with pytest.raises(NotEligibleError, match="requester"):
            await desk.approve(request)
        await desk.approve(request, approver=RAJ)
        assert desk.server.sent == []
        await desk.approve(request, approver=EVE)
        assert desk.server.effects == DONE


@pytest.mark.requirement("I6")
async def test_a_quorum_that_shrank_since_is_no_quorum(tmp_path: Path) -> None:
    phonebook = Phonebook()
    policy = EXTERNAL.replace("quorum: 1", "quorum: 2")
    async with at_desk(tmp_path, calls(WIRE), policy=policy, directory=phonebook) as desk:
        request = await desk.held()
        await desk.approve(request)
        phonebook.groups = {"finance": frozenset({RAJ, EVE})}  # ana left after her vote
        assert (await desk.approve(request, approver=RAJ)).status == "pending"
        assert desk.server.sent == []
        await desk.approve(request, approver=EVE)
        assert desk.server.effects == DONE


# -- a response --------------------------------------------------------------------------------------


@pytest.mark.requirement("I9")
async def test_a_response_is_told_as_the_approvers_and_raises_the_label_and_loosens_none(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        request = await desk.held()
        before = desk.guard.store.thread("t1")
        await desk.approve(request, Answer.RESPOND, text="It was paid already: see invoice 7.")
        told = (await desk.told())["call-0"]
        assert told.startswith("This call was not carried out. An approver answers instead.")
        assert told.endswith("It was paid already: see invoice 7.")
        assert await desk.reasons() == ["answered"]
        assert (status(desk, request), desk.server.sent) == ("answered", [])
        after = desk.guard.store.thread("t1")
        assert (before.labels, after.labels) == (UNEXPOSED, QUOTED)  # nobody vouches for what approvers quote


# -- delegation --------------------------------------------------------------------------------------


@pytest.mark.requirement("approval:one-person")
async def test_a_delegate_answers_in_place_of_the_delegator(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        request = await desk.held()
        assert (await hand_over(desk, request, ANA, RAJ)).status == "pending"
        with pytest.raises(ApprovalError):
            await desk.approve(request)  # her vote is given away
        assert desk.server.sent == []
        await desk.approve(request, approver=RAJ)
        assert desk.server.effects == DONE
        assert [(cast.vote.answer, cast.vote.delegate) for cast in desk.guard.store.votes(request)] == [
            ("delegate", RAJ),
            ("approve", None),
        ]


@pytest.mark.requirement("B12", "approval:one-person")
async def test_delegator_and_delegate_are_one_person(tmp_path: Path) -> None:
    three = TWO.replace("raj@example.com, eve@example.com]", "raj@example.com, eve@example.com, zoe@example.com]")
    async with at_desk(tmp_path, calls(WIRE), policy=three) as desk:
        request = await desk.held()
        await hand_over(desk, request, ANA, RAJ)
        await desk.approve(request, approver=RAJ)
        assert (status(desk, request), desk.server.sent) == ("pending", [])
        await desk.approve(request, approver=EVE)
        assert desk.server.effects == DONE


REFUSED: dict[str, tuple[str, str]] = {
    "to oneself": (ANA, ANA),
    "to oneself in other letters": (ANA, ANA.upper()),
    "to somebody outside the group": (ANA, "mallory@example.com"),
    "to the requester": (ANA, "teller"),
    "to nobody": (ANA, ""),
    "by somebody outside the group": (EVE, RAJ),
}


@pytest.mark.requirement("B9")
@pytest.mark.parametrize(("who", "to"), REFUSED.values(), ids=REFUSED)
async def test_a_vote_is_not_handed_to_just_anybody(tmp_path: Path, who: str, to: str) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        request = await desk.held()
        with pytest.raises(ApprovalError):
            await hand_over(desk, request, who, to)
        assert desk.guard.store.votes(request) == ()
        await desk.approve(request)
        assert desk.server.effects == DONE


async def test_a_delegate_does_not_hand_on_and_a_quorum_stays_possible(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=TWO) as desk:
        request = await desk.held()
        await hand_over(desk, request, ANA, RAJ)
        for who, to in ((RAJ, EVE), (EVE, RAJ)):  # the second step; and one of the last two who could agree
            with pytest.raises(NotEligibleError):
                await hand_over(desk, request, who, to)
        await desk.approve(request, approver=RAJ)
        await desk.approve(request, approver=EVE)
        assert desk.server.effects == DONE


# -- escalation --------------------------------------------------------------------------------------


@pytest.mark.requirement("B12")
async def test_the_backup_may_answer_once_the_time_has_come_and_time_itself_approves_nothing(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=ESCALATES) as desk:
        request = await desk.held()
        before = desk.guard.store.request(request).request
        assert before.escalate_at == NOON + timedelta(minutes=30)
        desk.bank.clock.advance(30 * 60 - 1)
        with pytest.raises(NotEligibleError):
            await desk.approve(request, approver=RAJ)
        desk.bank.clock.advance(1)
        assert (await desk.guard.sweep()).escalated == (request,)
        assert (await desk.guard.sweep()).escalated == ()
        await desk.wake()
        assert (status(desk, request), desk.server.sent) == ("pending", [])
        assert desk.guard.store.request(request).request == before  # the same digest, the same decide-by
        await desk.approve(request, approver=RAJ)
        assert desk.server.effects == DONE


async def test_the_first_group_may_answer_after_the_escalation_and_without_a_sweep(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=ESCALATES) as desk:
        request = await desk.held()
        desk.bank.clock.advance(31 * 60)
        await desk.approve(request)
        assert desk.server.effects == DONE


@pytest.mark.requirement("I6")
async def test_a_vote_of_the_backup_counts_for_nothing_before_its_time(tmp_path: Path) -> None:
    """A clock that is set back takes the backup out again."""
    async with at_desk(tmp_path, calls(WIRE), policy=ESCALATES) as desk:
        request = await desk.held()
        desk.bank.clock.advance(31 * 60)
        assert (await desk.guard.vote(desk.signed(request, approver=RAJ))).status == "approved"
        desk.bank.clock.advance(-20 * 60)
        await desk.wake()
        assert (status(desk, request), desk.server.sent) == ("voided", [])


async def test_each_vote_is_on_record_with_what_proves_it(tmp_path: Path) -> None:
    import json

    async with at_desk(tmp_path, calls(WIRE), policy=ESCALATES) as desk:
        request = await desk.held()
        desk.bank.clock.advance(31 * 60)
        signed = desk.signed(request, approver=RAJ)
        await desk.guard.vote(signed)
        entries = [json.loads(stored) for _, stored, _ in desk.guard.store.audit_rows()]
        [fields] = [entry["fields"] for entry in entries if entry["kind"] == "vote"]
        assert (fields["approver"], fields["answer"], fields["group"]) == (RAJ, "approve", "leads")
        assert (fields["scheme"], fields["nonce"]) == ("ed25519", signed.vote.nonce)
        assert fields["credentials"][0].startswith("SHA256:")
        assert len(fields["proof"]) == 64
