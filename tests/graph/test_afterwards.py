"""A thread that is cancelled, a sweep, and a call in doubt that a person resolves (DESIGN sections 8 and 8b.5)."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guarded_agents import (
    Answer,
    ApprovalError,
    NotEligibleError,
    ProofError,
    RequestClosedError,
    SignedResolution,
    SignedVote,
    UnknownRequestError,
    Verdict,
    doubt_id,
    sign,
)
from guarded_agents.approval import Proof
from guarded_agents.errors import NoReplyError
from guarded_agents.records import Scheme
from guarded_agents.transport import ToolReply
from tests.support.bank import ANA, CONTEXT, EVE, RAJ, calls
from tests.support.ledger import KEYS, Desk, Ledger, Sent, at_desk
from tests.support.people import ESCALATES, OPERATED, Passwords

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
TOPUP = ("topup", {"account": "ACME", "amount_cents": 5})
LEASE_S = 90
pytestmark = pytest.mark.requirement("approval:resolve", "I4")


def silence(sent: Sent) -> ToolReply:
    raise NoReplyError("bank", expected="a reply", got="none", action="look")


# -- cancel and sweep --------------------------------------------------------------------------------


@pytest.mark.requirement("I7")
async def test_a_cancelled_thread_runs_nothing_and_the_model_is_told(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE, TOPUP)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        signed = desk.signed(request)
        assert await desk.guard.cancel("t1") == (request,)
        assert desk.guard.store.request(request).status == "withdrawn"
        with pytest.raises(RequestClosedError):
            await desk.guard.vote(signed)
        await desk.wake()
        assert [sent.tool for sent in desk.server.sent] == ["topup"]
        assert "withdrawn before it was decided" in (await desk.told())["call-0"]
        assert await desk.waiting() == []
        assert await desk.guard.cancel("t1") == ()
        assert await desk.guard.cancel("never") == ()


@pytest.mark.requirement("I7")
async def test_what_was_approved_and_then_cancelled_does_not_run(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(desk.signed(request))
        assert await desk.guard.cancel("t1") == (request,)
        await desk.wake()
        assert desk.server.sent == []
        entries = [json.loads(stored) for _, stored, _ in desk.guard.store.audit_rows()]
        ended = [entry["fields"] for entry in entries if entry["kind"] == "approval"][-1]
        assert (ended["request"], ended["status"]) == (request, "withdrawn")


@pytest.mark.requirement("B12")
async def test_a_sweep_ends_what_time_is_over_for_and_approves_nothing(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        assert await desk.guard.sweep() == type(await desk.guard.sweep())()
        desk.bank.clock.advance(4 * 3_600)
        assert (await desk.guard.sweep()).expired == (request,)
        await desk.wake()
        assert desk.server.sent == []
        assert "Nobody approved it in time" in (await desk.told())["call-0"]


# -- calls in doubt ----------------------------------------------------------------------------------


async def in_doubt(desk: Desk, *, is_approved: bool = True) -> str:
    await desk.ask()
    if is_approved:
        [request] = await desk.waiting()
        await desk.approve(request)
    [claim] = desk.guard.doubts
    return doubt_id(claim.key)


def resolved(desk: Desk, doubt: str, verdict: Verdict = Verdict.HAPPENED, **more: Any) -> SignedResolution:
    who, key = more.pop("by", RAJ), more.pop("key", None)
    values = {"looked_at": desk.bank.clock(), "text": "Looked at the statement of today."} | more
    return sign(desk.guard.prepare_resolution(doubt, verdict, resolver=who, **values), KEYS[key or who])


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("verdict", Verdict)
async def test_a_person_settles_a_call_in_doubt_and_nothing_is_sent_again(tmp_path: Path, verdict: Verdict) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        desk.bank.clock.advance(LEASE_S + 1)
        claim = await desk.guard.resolve(resolved(desk, doubt, verdict))
        assert claim.status == verdict.value
        assert desk.guard.doubts == ()
        for snapshot in [found async for found in desk.agent.aget_state_history(desk.config)]:
            if snapshot.next:
                await desk.agent.ainvoke(None, snapshot.config, context=CONTEXT)
        assert len(desk.server.sent) == 1
        entries = [json.loads(stored) for _, stored, _ in desk.guard.store.audit_rows()]
        [fields] = [entry["fields"] for entry in entries if entry["kind"] == "resolution"]
        assert (fields["resolver"], fields["verdict"], fields["group"]) == (RAJ, verdict.value, "finance")


async def test_a_call_whose_sender_ended_is_resolved_without_a_sweep_before(tmp_path: Path, write: Any) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        write("UPDATE claims SET status = 'sending', outcome_status = NULL")  # as where its process died
        desk.bank.clock.advance(LEASE_S + 1)
        claim = await desk.guard.resolve(resolved(desk, doubt))
        assert claim.status == "happened"


LATER = {
    Verdict.HAPPENED: "was carried out",
    Verdict.NOT_HAPPENED: "was not carried out",
    Verdict.NOT_OBSERVED: "It may still happen",
}


@pytest.mark.parametrize(("verdict", "text"), LATER.items(), ids=LATER)
async def test_who_asks_again_is_told_what_the_person_saw(tmp_path: Path, verdict: Verdict, text: str) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        desk.bank.clock.advance(LEASE_S + 1)
        await desk.guard.resolve(resolved(desk, doubt, verdict))
        [approved] = [
            found.config async for found in desk.agent.aget_state_history(desk.config) if found.next == ("approval",)
        ]
        result = await desk.agent.ainvoke(None, approved)
        assert text in str([message.content for message in result["messages"] if message.type == "tool"])
        assert len(desk.server.sent) == 1


@pytest.mark.requirement("I7")
async def test_who_is_not_proven_is_not_told_that_a_call_is_being_sent(tmp_path: Path, write: Any) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        signed = resolved(desk, await in_doubt(desk))
        write("UPDATE claims SET status = 'sending', outcome_status = NULL")
        with pytest.raises(ProofError):
            await desk.guard.resolve(SignedResolution(resolution=signed.resolution, signature="forged"))
        with pytest.raises(ApprovalError, match="still under its sender's lease"):
            await desk.guard.resolve(signed)


@pytest.mark.requirement("I6")
async def test_not_happened_takes_a_look_after_the_senders_lease(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        desk.bank.clock.advance(LEASE_S)
        with pytest.raises(ApprovalError, match="lease"):
            await desk.guard.resolve(resolved(desk, doubt, Verdict.NOT_HAPPENED))
        assert len(desk.guard.doubts) == 1
        claim = await desk.guard.resolve(resolved(desk, doubt, Verdict.NOT_OBSERVED))
        assert claim.status == "not_observed"


WRONG: dict[str, Any] = {
    "by somebody else's key": (lambda d, i: resolved(d, i, key=ANA), ProofError),
    "by somebody outside the group": (lambda d, i: resolved(d, i, by=EVE), NotEligibleError),
    "without a text": (lambda d, i: resolved(d, i, text=" "), ApprovalError),
    "of a look in the future": (
        lambda d, i: resolved(d, i, looked_at=d.bank.clock() + timedelta(hours=1)),
        ProofError,
    ),
    "of a look from before the call": (
        lambda d, i: resolved(d, i, looked_at=d.bank.clock() - timedelta(days=300)),
        ApprovalError,
    ),
    "nothing": (lambda d, i: None, ProofError),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("make", "error"), WRONG.values(), ids=WRONG)
async def test_a_resolution_that_does_not_count_leaves_the_call_in_doubt(
    tmp_path: Path, make: Any, error: type[ApprovalError]
) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        with pytest.raises(error):
            await desk.guard.resolve(make(desk, doubt))
        assert [claim.status for claim in desk.guard.doubts] == ["in_doubt"]


@pytest.mark.requirement("I7")
async def test_once_it_has_escalated_the_backup_settles_a_call_in_doubt_too(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=ESCALATES, server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        desk.bank.clock.advance(30 * 60 - 1)
        with pytest.raises(NotEligibleError, match="expected a member of finance, got"):
            await desk.guard.resolve(resolved(desk, doubt, by=RAJ))
        desk.bank.clock.advance(1)
        with pytest.raises(NotEligibleError, match="expected a member of finance or of leads, got"):
            await desk.guard.resolve(resolved(desk, doubt, by=EVE))
        assert [claim.status for claim in desk.guard.doubts] == ["in_doubt"]
        await desk.guard.resolve(resolved(desk, doubt, by=RAJ))
        assert desk.guard.doubts == ()
        entries = [json.loads(stored)["fields"] for _, stored, _ in desk.guard.store.audit_rows()]
        assert [fields["group"] for fields in entries if "verdict" in fields] == ["leads"]


class OfGroup(Passwords):
    """An authenticator with one account per group: of each, only its members are known."""

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        found = await super().verify(proof, group=group, now=now, is_fresh=is_fresh)
        if group != {ANA: "finance", RAJ: "leads"}[proof.who]:
            raise ProofError("word", expected="an account of the group", got="another", action="ask a member")
        return found


@pytest.mark.requirement("I7")
async def test_who_resolves_is_proven_in_the_name_of_their_own_group(tmp_path: Path) -> None:
    passwords = OfGroup()
    server = Ledger(reply=silence)
    ways = {Scheme.OIDC: passwords}
    async with at_desk(tmp_path, calls(WIRE), policy=ESCALATES, server=server, authenticators=ways) as desk:
        request = await desk.held()
        vote = desk.guard.prepare(request, Answer.APPROVE, approver=ANA)
        await desk.guard.resume(desk.agent, SignedVote(vote=vote, signature="sesame", scheme=Scheme.OIDC))
        [claim] = desk.guard.doubts
        desk.bank.clock.advance(30 * 60)
        statement = desk.guard.prepare_resolution(
            doubt_id(claim.key), Verdict.HAPPENED, resolver=RAJ, looked_at=desk.bank.clock(), text="saw it"
        )
        signed = SignedResolution(resolution=statement, signature="swordfish", scheme=Scheme.OIDC)
        passwords.asked.clear()
        await desk.guard.resolve(signed)
        assert passwords.asked == [(RAJ, "finance", True), (RAJ, "leads", True)]
        assert desk.guard.doubts == ()


async def test_a_call_is_resolved_once_and_only_while_it_is_in_doubt(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk)
        first, second = resolved(desk, doubt), resolved(desk, doubt, by=ANA)
        await desk.guard.resolve(first)
        for late in (first, second, resolved(desk, doubt, Verdict.NOT_HAPPENED)):
            with pytest.raises(RequestClosedError, match="expected a call in doubt, got one that is happened"):
                await desk.guard.resolve(late)
        assert desk.guard.store.claim(desk.guard.store.resolved()[0].key).status == "happened"
        with pytest.raises(UnknownRequestError):
            desk.guard.prepare_resolution(
                "0" * 12, Verdict.HAPPENED, resolver=RAJ, looked_at=desk.bank.clock(), text="seen"
            )


@pytest.mark.requirement("I6")
async def test_a_call_that_nobody_was_asked_about_is_the_operators(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(TOPUP), policy=OPERATED, server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk, is_approved=False)
        with pytest.raises(NotEligibleError):
            await desk.guard.resolve(resolved(desk, doubt))
        assert (await desk.guard.resolve(resolved(desk, doubt, by=EVE))).status == "happened"
    async with at_desk(tmp_path / "none", calls(TOPUP), server=Ledger(reply=silence)) as desk:
        doubt = await in_doubt(desk, is_approved=False)
        with pytest.raises(NotEligibleError, match="operators"):
            await desk.guard.resolve(resolved(desk, doubt, by=EVE))


@pytest.mark.requirement("I7")
@pytest.mark.requirement("B9")
async def test_who_asked_does_not_say_what_came_of_it_not_even_after_another_asked(tmp_path: Path) -> None:
    from guarded_agents import GuardContext, Principal

    for_eve = GuardContext(principal=Principal(id="teller", scopes=("bank:write",), acting_for=EVE))
    async with at_desk(tmp_path, calls(TOPUP), policy=OPERATED, server=Ledger(reply=silence)) as desk:
        await desk.ask(context=for_eve)
        [claim] = desk.guard.doubts
        desk.server.reply = lambda sent: ToolReply("did", None, is_error=False)
        await desk.ask("and now I ask")  # the thread's newest entry is another one's
        with pytest.raises(NotEligibleError):
            await desk.guard.resolve(resolved(desk, doubt_id(claim.key), by=EVE))
        assert len(desk.guard.doubts) == 1
