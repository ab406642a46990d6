"""An edited call is another call (DESIGN I8), and no person turns a hard rule round (I12)."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from guarded_agents import Answer, ApprovalError, BindingError, NotEligibleError, PolicyError
from guarded_agents.nodes._votes import MAX_EDITS
from tests.support.bank import ANA, EVE, POLICY, RAJ, calls
from tests.support.ledger import at_desk
from tests.support.people import EXTERNAL, Phonebook

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
EDITED = {"account": "ACME", "amount_cents": 800}
HARD = POLICY.replace(
    "    permit_when: 0 <",
    "    deny_when: [{id: no-eve, when: 'args.account == \"EVE\"', hard: true}]\n    permit_when: 0 <",
)
EXCEPTION = HARD + (
    "exceptions:\n"
    "  - {id: EX-1, allows: bank/wire, when: 'true', until: 2027-01-31, reason: why, granted_by: [ana@example.com]}\n"
)
EDITOR = POLICY.replace("approvers: finance, quorum: 1,", "approvers: finance, quorum: 1, editor_may_approve: true,")

NO_VOTE: dict[str, tuple[Answer, dict[str, str]]] = {
    "a vote": (Answer.APPROVE, {}),
    "a delegation": (Answer.DELEGATE, {"delegate": RAJ}),
}

REFUSED: dict[str, dict[str, Any]] = {
    "a condition that is false": {"account": "ACME", "amount_cents": 100_001},
    "a hard deny rule": {"account": "EVE", "amount_cents": 5},
    "the tool's schema": {"account": "ACME"},
    "another type": {"account": "ACME", "amount_cents": "5"},
    "a reserved name": EDITED | {"config": {}},
    "no change": WIRE[1],
    "an integer beyond 2^53": {"account": "ACME", "amount_cents": 2**53},
}


@pytest.mark.requirement("I8")
@pytest.mark.requirement("B4")
@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
async def test_an_edit_is_decided_afresh(tmp_path: Path, arguments: dict[str, Any]) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=HARD) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        with pytest.raises((ApprovalError, BindingError)):
            await desk.approve(request, Answer.EDIT, arguments=arguments)
        assert desk.guard.store.request(request).status == "pending"
        assert desk.server.sent == []


async def test_an_edit_that_changes_nothing_is_told_to_be_an_approval(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        request = await desk.held()
        with pytest.raises(NotEligibleError) as caught:
            await desk.approve(request, Answer.EDIT, arguments=dict(reversed(WIRE[1].items())))
        assert str(caught.value) == (
            f"approval {request}: expected arguments that differ from those of the call, got the same, so that nothing"
            " would change; approve it as it is, or edit it otherwise"
        )
        assert desk.guard.store.request(request).status == "pending"


@pytest.mark.requirement("I8")
async def test_votes_for_the_first_arguments_do_not_count_for_the_edited_ones(tmp_path: Path) -> None:
    two = POLICY.replace("quorum: 1", "quorum: 2").replace("raj@example.com]}", "raj@example.com, eve@example.com]}")
    async with at_desk(tmp_path, calls(WIRE), policy=two) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.approve(request)
        edited = await desk.approve(request, Answer.EDIT, arguments=EDITED, approver=RAJ)
        with pytest.raises(NotEligibleError, match="its editor"):
            await desk.approve(edited.request.id, approver=RAJ)
        assert (await desk.approve(edited.request.id, approver=ANA)).status == "pending"
        assert desk.server.sent == []
        await desk.approve(edited.request.id, approver=EVE)
        assert desk.server.effects == [("wire", 800)]


@pytest.mark.requirement("I8")
async def test_the_editors_signature_counts_where_the_rule_says_so(tmp_path: Path) -> None:
    assert EDITOR != POLICY
    async with at_desk(tmp_path, calls(WIRE), policy=EDITOR) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.approve(request, Answer.EDIT, arguments=EDITED)
        assert desk.server.effects == [("wire", 800)]
        told = (await desk.told())["call-0"]
        assert "An approver changed the arguments of this call" in told
        assert '"amount_cents":800' in told


@pytest.mark.requirement("I8")
@pytest.mark.parametrize(("answer", "more"), NO_VOTE.values(), ids=NO_VOTE)
async def test_who_edited_is_told_that_neither_vote_nor_delegation_of_theirs_counts(
    tmp_path: Path, answer: Answer, more: dict[str, str]
) -> None:
    policy = POLICY.replace("raj@example.com]}", "raj@example.com, eve@example.com]}")
    async with at_desk(tmp_path, calls(WIRE), policy=policy) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        edited = await desk.approve(request, Answer.EDIT, arguments=EDITED)
        with pytest.raises(NotEligibleError, match="its editor"):
            await desk.guard.vote(desk.signed(edited.request.id, answer, **more))
        assert desk.guard.store.votes(edited.request.id) == ()
        await desk.guard.vote(desk.signed(edited.request.id, Answer.REJECT, text="no"))  # that takes no vote for it
        assert desk.guard.store.request(edited.request.id).status == "rejected"


@pytest.mark.requirement("I8")
async def test_an_edit_that_leaves_too_few_to_approve_it_changes_nothing(tmp_path: Path) -> None:
    two = POLICY.replace("quorum: 1", "quorum: 2")
    async with at_desk(tmp_path, calls(WIRE), policy=two) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        with pytest.raises(NotEligibleError, match="2 people left who may agree"):
            await desk.guard.vote(desk.signed(request, Answer.EDIT, arguments=EDITED))
        assert desk.guard.store.request(request).status == "pending"
        assert desk.guard.store.votes(request) == ()
        for approver in (ANA, RAJ):
            await desk.approve(request, approver=approver)
        assert desk.server.effects == [("wire", 900)]


@pytest.mark.requirement("I8")
@pytest.mark.parametrize("editor", [False, True], ids=["not by default", "where the rule says so"])
async def test_an_editor_who_may_approve_is_one_of_those_left(tmp_path: Path, editor: bool) -> None:
    policy = (EDITOR if editor else POLICY).replace("quorum: 1", "quorum: 2")
    async with at_desk(tmp_path, calls(WIRE), policy=policy) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        with nullcontext() if editor else pytest.raises(NotEligibleError):
            await desk.guard.vote(desk.signed(request, Answer.EDIT, arguments=EDITED))
        status = desk.guard.store.request(request).status
        assert status == ("superseded" if editor else "pending")


@pytest.mark.requirement("I8")
async def test_those_left_are_of_the_group_that_the_directory_names_now(tmp_path: Path) -> None:
    book = Phonebook()
    async with at_desk(tmp_path, calls(WIRE), policy=EXTERNAL, directory=book) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        book.groups = {"finance": frozenset({ANA})}
        with pytest.raises(NotEligibleError, match="1 people left"):
            await desk.guard.vote(desk.signed(request, Answer.EDIT, arguments=EDITED))
        assert desk.guard.store.request(request).status == "pending"


@pytest.mark.requirement("I8")
async def test_no_call_is_edited_further_than_whoever_waits_follows(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        for cents in range(1, MAX_EDITS + 1):
            arguments = {"account": "ACME", "amount_cents": cents}
            edited = await desk.guard.vote(desk.signed(request, Answer.EDIT, arguments=arguments))
            request = edited.request.id
        with pytest.raises(NotEligibleError, match="at most 32 edits"):
            desk.signed(request, Answer.EDIT, arguments=EDITED)
        await desk.wake()
        assert "not carried out" not in str(await desk.told())
        await desk.approve(request, approver=RAJ)
        assert desk.server.effects == [("wire", MAX_EDITS)]


@pytest.mark.requirement("I8")
async def test_the_first_call_never_runs_after_an_edit(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        approval = desk.signed(request, approver=RAJ)
        edited = await desk.approve(request, Answer.EDIT, arguments=EDITED)
        with pytest.raises(ApprovalError):
            await desk.guard.vote(approval)
        await desk.approve(edited.request.id, Answer.REJECT, approver=RAJ, text="no")
        assert desk.server.sent == []
        assert desk.guard.store.request(request).successor == edited.request.id


@pytest.mark.requirement("I12")
@pytest.mark.parametrize("policy", [HARD, EXCEPTION], ids=["alone", "with an exception"])
async def test_no_approver_is_asked_about_what_a_hard_rule_denies(tmp_path: Path, policy: str) -> None:
    script = calls(("wire", {"account": "EVE", "amount_cents": 5}), ("wire", {"account": "BOB", "amount_cents": 5}))
    async with at_desk(tmp_path, script, policy=policy) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.approve(request)
        assert [sent.arguments["account"] for sent in desk.server.sent] == ["BOB"]


@pytest.mark.requirement("I12")
async def test_an_exception_waives_a_soft_rule_and_not_a_hard_one(tmp_path: Path) -> None:
    beyond = calls(
        ("wire", {"account": "BOB", "amount_cents": 100_001}), ("wire", {"account": "EVE", "amount_cents": 100_001})
    )
    async with at_desk(tmp_path, beyond, policy=EXCEPTION) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        assert desk.guard.store.request(request).request.rule == "EX-1"
        assert '"BOB"' in desk.guard.store.request(request).request.arguments


@pytest.mark.requirement("I12")
async def test_an_edit_into_what_a_hard_rule_denies_is_refused_even_under_an_exception(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=EXCEPTION) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        with pytest.raises(ApprovalError):
            await desk.approve(request, Answer.EDIT, arguments={"account": "EVE", "amount_cents": 5})
        assert desk.server.sent == []


BOTH_RULES = EXCEPTION.replace(
    "deny_when: [{id: no-eve,", "deny_when: [{id: no-5, when: 'args.amount_cents == 5'}, {id: no-eve,"
)
HARD_TOOL = EXCEPTION.replace("    deny_when", "    hard: true\n    deny_when")
WAIVED: dict[str, tuple[str, dict[str, Any], bool]] = {
    "a soft rule": (BOTH_RULES, {"account": "BOB", "amount_cents": 5}, True),
    "a hard rule behind a soft one": (BOTH_RULES, {"account": "EVE", "amount_cents": 5}, False),
    "the condition of a tool": (EXCEPTION, {"account": "BOB", "amount_cents": 100_001}, True),
}


@pytest.mark.requirement("I12")
@pytest.mark.parametrize(("policy", "arguments", "waived"), WAIVED.values(), ids=WAIVED)
async def test_an_exception_reaches_a_person_for_soft_rules_alone(
    tmp_path: Path, policy: str, arguments: dict[str, Any], waived: bool
) -> None:
    assert policy.count("deny_when") == 1
    async with at_desk(tmp_path, calls(("wire", arguments)), policy=policy) as desk:
        await desk.ask()
        assert len(await desk.waiting()) == waived
        assert desk.server.sent == []


@pytest.mark.requirement("I12")
async def test_no_exception_can_be_written_for_a_hard_tool(tmp_path: Path) -> None:
    assert HARD_TOOL != EXCEPTION
    with pytest.raises(PolicyError, match="not hard"):
        async with at_desk(tmp_path, policy=HARD_TOOL):
            pass


@pytest.mark.requirement("I8")
async def test_a_call_that_was_edited_again_and_again_elsewhere_is_answered_in_its_thread(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        request = await desk.held()
        for cents in (8, 7, 6):
            edit = desk.signed(request, Answer.EDIT, arguments={"account": "ACME", "amount_cents": cents})
            request = (await desk.guard.vote(edit)).request.id
        await desk.approve(request, approver=RAJ)
        assert desk.server.effects == [("wire", 6)]


@pytest.mark.requirement("I8")
@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT], ids=str)
async def test_an_edited_call_whose_arguments_were_erased_does_not_run_and_its_thread_goes_on(
    tmp_path: Path, write: Any, answer: Answer
) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        edit = desk.signed(await desk.held(), Answer.EDIT, arguments=EDITED)
        edited = (await desk.guard.vote(edit)).request.id
        await desk.guard.vote(desk.signed(edited, answer, approver=RAJ))
        write("UPDATE payloads SET body = NULL WHERE id = (SELECT arguments FROM requests WHERE id = ?)", edited)
        await desk.wake()
        assert desk.server.sent == []
        assert await desk.waiting() == []
        assert list(await desk.told()) == ["call-0"]
