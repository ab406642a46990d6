"""One person may approve in an emergency: within bounds, on record, and looked at by somebody else."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guarded_agents import (
    Answer,
    ApprovalError,
    BreakGlassError,
    GuardContext,
    NotEligibleError,
    PolicyError,
    Principal,
    ProofError,
    RequestClosedError,
    ReviewFinding,
    SignedReview,
    UnknownRequestError,
    sign,
)
from tests.support.bank import ANA, EVE, NOON, RAJ, calls
from tests.support.ledger import KEYS, SECOND_KEYS, Desk, at_desk
from tests.support.people import GLASS

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
DONE = [("wire", 900)]
WHY = "Both approvers are on a plane, and the supplier stops deliveries at noon."
ELSEWHERE = GLASS.replace("tools: [bank/wire]", "tools: [bank/refuse]").replace(
    "  bank/refuse: {scope: bank:write, effect: write}",
    "  bank/refuse: {scope: bank:write, effect: write,"
    " approval: {id: r, approvers: finance, decide_within: 4h, execute_within: 15m}}",
)
HARD = ("    permit_when: 0 <", "    hard: true\n    permit_when: 0 <")
pytestmark = [pytest.mark.requirement("approval:break-glass"), pytest.mark.requirement("I7")]


def broken(desk: Desk, request: str, *, by: str = EVE, text: str | None = WHY) -> Any:
    return desk.signed(request, Answer.BREAK_GLASS, approver=by, text=text)


def reviewed(desk: Desk, request: str, *, by: str = RAJ, found: ReviewFinding = ReviewFinding.REVIEWED) -> SignedReview:
    review = desk.guard.prepare_review(request, found, reviewer=by, text="Looked at the invoice and the call log.")
    return sign(review, KEYS[by])


async def test_a_holder_approves_alone_and_somebody_else_reviews_it(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS.replace("quorum: 1", "quorum: 2")) as desk:
        request = await desk.held()
        standing = await desk.guard.resume(desk.agent, broken(desk, request))
        assert (standing.status, standing.broke_glass, standing.settled_by) == ("approved", True, EVE)
        assert standing.execute_by == NOON + timedelta(minutes=5)  # the glass's, sooner than the rule's
        assert desk.server.effects == DONE
        [glass] = desk.guard.store.broken_glass()
        assert (glass.request, glass.approver, glass.review_due) == (request, EVE, NOON + timedelta(hours=1))
        desk.bank.clock.advance(60)
        seen = await desk.guard.review(reviewed(desk, request))
        assert (seen.finding, seen.reviewed_by) == ("reviewed", RAJ)
        assert desk.guard.store.broken_glass() == ()
        with pytest.raises(RequestClosedError):
            await desk.guard.review(reviewed(desk, request, by=RAJ, found=ReviewFinding.VIOLATION))


async def test_it_is_recorded_with_the_same_fields_as_any_vote(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held()
        await desk.guard.resume(desk.agent, broken(desk, request))
        await desk.guard.review(reviewed(desk, request))
        entries = [json.loads(stored) for _, stored, _ in desk.guard.store.audit_rows()]
        [vote] = [entry["fields"] for entry in entries if entry["kind"] == "vote"]
        [review] = [entry["fields"] for entry in entries if entry["kind"] == "review"]
        assert (vote["answer"], vote["approver"], len(set(vote["credentials"]))) == ("break_glass", EVE, 2)
        assert (review["finding"], review["reviewer"], review["digest"]) == ("reviewed", RAJ, vote["digest"])


def _same_key(desk: Desk, request: str) -> Any:
    return sign(broken(desk, request).vote, KEYS[EVE], second=KEYS[EVE])


def _others_key(desk: Desk, request: str) -> Any:
    return sign(broken(desk, request).vote, KEYS[EVE], second=SECOND_KEYS[RAJ, "second.key"])


REFUSED: dict[str, tuple[Any, type[ApprovalError]]] = {
    "with one key": (lambda d, r: broken(d, r).model_copy(update={"second": None}), ProofError),
    "with one key twice": (_same_key, ProofError),
    "with somebody else's second key": (_others_key, ProofError),
    "by nobody who may": (lambda d, r: broken(d, r, by=RAJ), NotEligibleError),
    "without a justification": (lambda d, r: broken(d, r, text=None), ApprovalError),
    "with a short one": (lambda d, r: broken(d, r, text="urgent"), ApprovalError),
    "with a blank one": (lambda d, r: broken(d, r, text=" " * 40), ApprovalError),
}


@pytest.mark.parametrize(("make", "error"), REFUSED.values(), ids=REFUSED)
async def test_the_glass_holds_against(tmp_path: Path, make: Any, error: type[ApprovalError]) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held()
        with pytest.raises(error):
            await desk.guard.resume(desk.agent, make(desk, request))
        assert desk.server.sent == []
        assert desk.guard.store.request(request).status == "pending"
        assert desk.guard.store.broken_glass() == ()
        await desk.approve(request)
        assert desk.server.effects == DONE


@pytest.mark.requirement("B9")
async def test_the_requester_breaks_no_glass(tmp_path: Path) -> None:
    for_eve = GuardContext(principal=Principal(id="teller", scopes=("bank:write",), acting_for=EVE))
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held(context=for_eve)
        with pytest.raises(NotEligibleError, match="requester"):
            await desk.guard.resume(desk.agent, broken(desk, request))
        assert desk.server.sent == []


OUT_OF_BOUNDS = {
    "a hard rule": (ELSEWHERE.replace(*HARD), "hard"),
    "another tool": (ELSEWHERE, "scope"),
    "a policy without": (GLASS[: GLASS.index("break_glass:")], "break"),
}


@pytest.mark.requirement("I12")
@pytest.mark.parametrize(("policy", "why"), OUT_OF_BOUNDS.values(), ids=OUT_OF_BOUNDS)
async def test_no_glass_is_broken_over(tmp_path: Path, policy: str, why: str) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=policy) as desk:
        request = await desk.held()
        with pytest.raises(BreakGlassError, match=why):
            await desk.guard.resume(desk.agent, broken(desk, request))
        assert desk.server.sent == []
        assert desk.guard.store.request(request).status == "pending"


@pytest.mark.requirement("I12")
async def test_a_policy_that_would_have_the_glass_broken_over_a_hard_rule_is_none(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="hard"):
        await at_desk(tmp_path, policy=GLASS.replace(*HARD)).__aenter__()


async def test_a_person_breaks_as_many_as_the_policy_says_within_its_period(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        for number in range(2):
            request = await desk.held(f"number {number}")
            await desk.guard.resume(desk.agent, broken(desk, request))
            await desk.guard.review(reviewed(desk, request))
        request = await desk.held("once more")
        with pytest.raises(BreakGlassError):
            await desk.guard.resume(desk.agent, broken(desk, request))
        assert len(desk.server.sent) == 2
        desk.bank.clock.advance(86_400)
        request = await desk.held("on the next day")
        await desk.guard.resume(desk.agent, broken(desk, request))
        assert len(desk.server.sent) == 3


async def test_an_overdue_review_blocks_everybodys_next_one_until_it_is_made(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        first = await desk.held()
        await desk.guard.resume(desk.agent, broken(desk, first))
        desk.bank.clock.advance(3_600)
        assert (await desk.guard.sweep()).overdue == (first,)
        request = await desk.held("another")
        for who in (EVE, ANA):
            with pytest.raises(BreakGlassError, match="overdue"):
                await desk.guard.resume(desk.agent, broken(desk, request, by=who))
        assert len(desk.server.sent) == 1
        await desk.guard.review(reviewed(desk, first, found=ReviewFinding.VIOLATION))  # late is better than never
        await desk.guard.resume(desk.agent, broken(desk, request, by=ANA))
        assert len(desk.server.sent) == 2


@pytest.mark.parametrize("by", [EVE, ANA], ids=["who broke it", "no reviewer"])
async def test_a_review_is_somebody_elses_who_is_a_reviewer(tmp_path: Path, by: str) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held()
        await desk.guard.resume(desk.agent, broken(desk, request))
        with pytest.raises(NotEligibleError):
            await desk.guard.review(reviewed(desk, request, by=by))
        [glass] = desk.guard.store.broken_glass()
        assert glass.finding is None


async def test_a_review_that_is_forged_or_of_nothing_changes_nothing(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held()
        with pytest.raises(UnknownRequestError):  # nobody broke it
            await desk.guard.review(reviewed(desk, request))
        await desk.guard.resume(desk.agent, broken(desk, request))
        with pytest.raises(ProofError):
            await desk.guard.review(sign(reviewed(desk, request).review, KEYS[ANA]))
        nothing: Any = None
        with pytest.raises(ProofError):
            await desk.guard.review(nothing)
        assert len(desk.guard.store.broken_glass()) == 1


REVOKED = {
    "the holder was removed": (
        "policy.yaml",
        "holders: [ana@example.com, eve@example.com]",
        "holders: [ana@example.com]",
    ),
    "the section was removed": ("policy.yaml", GLASS[GLASS.index("break_glass:") :], ""),
    "a key was removed": ("allowed_signers", None, ""),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("name", "old", "new"), REVOKED.values(), ids=REVOKED)
async def test_who_may_no_longer_break_it_when_the_call_is_sent_has_not(
    tmp_path: Path, name: str, old: str | None, new: str
) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held()
        assert (await desk.guard.vote(broken(desk, request))).status == "approved"
        saver, bank = desk.agent.checkpointer, desk.bank
    path = bank.folder / name
    text = path.read_text()
    line = old or [line for line in text.splitlines(keepends=True) if line.startswith(EVE)][1]
    assert text.count(line) == 1
    path.write_text(text.replace(line, new))
    async with at_desk(tmp_path, calls(WIRE), bank=bank, saver=saver) as desk:
        await desk.wake()
        assert desk.server.sent == []
        assert desk.guard.store.request(request).status == "voided"


async def test_a_broken_glass_ends_when_its_time_is_over(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS) as desk:
        request = await desk.held()
        await desk.guard.vote(broken(desk, request))
        desk.bank.clock.advance(300)
        await desk.wake()
        assert desk.server.sent == []
        assert desk.guard.store.request(request).status == "lapsed"
