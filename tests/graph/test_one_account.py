"""One account speaks for one person, a glass is broken in the holders' name, and under one policy (DESIGN I2, I7)."""

from pathlib import Path
from typing import Any

import pytest

from guarded_agents import Answer, DirectoryError, Guard, ProofError, ReviewFinding, Verdict, doubt_id, sign
from guarded_agents.approval import commitment
from guarded_agents.audit import Kind
from guarded_agents.errors import NoReplyError
from guarded_agents.identity import IdTokens, JwksFile
from guarded_agents.records import Electorate, Scheme, SignedResolution, SignedReview, SignedVote
from guarded_agents.stores import AuditNote
from guarded_agents.transport import ToolReply
from tests.support.bank import ANA, EVE, POLICY, RAJ, calls
from tests.support.issuer import CLIENT, ISSUER, claims, jwk, key_set, private_key, token
from tests.support.ledger import KEYS, SECOND_KEYS, Desk, Ledger, Sent, at_desk
from tests.support.people import ESCALATES, GLASS, TWO, Passwords

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
WHY = "Both approvers are on a plane, and the supplier stops deliveries at noon."
LEASE_S = 90
pytestmark = pytest.mark.requirement("I7")


def id_tokens(folder: Path, **more: Any) -> dict[Scheme, IdTokens]:
    (folder / "jwks.json").write_bytes(key_set(jwk(private_key("EdDSA").public_key())))
    return {Scheme.OIDC: IdTokens(issuer=ISSUER, audience=CLIENT, keys=JwksFile(folder / "jwks.json"), **more)}


def by_token(desk: Desk, said: Any, who: str, account: str, **more: Any) -> str:
    """Return an ID token over *said* by the provider's *account*, whose e-mail address is now that of *who*."""
    at = int(desk.guard.now().timestamp())
    body = claims(sub=account, email=who, nonce=commitment(said), iat=at + 1, exp=at + 300, **more)
    return token(body, algorithm="EdDSA")


def by_account(
    desk: Desk, request: str, who: str, account: str, answer: Answer = Answer.APPROVE, **more: Any
) -> SignedVote:
    vote = desk.guard.prepare(request, answer, approver=who)
    return SignedVote(vote=vote, signature=by_token(desk, vote, who, account, **more), scheme=Scheme.OIDC)


async def broken(desk: Desk, request: str, account: str, **more: Any) -> SignedVote:
    vote = desk.guard.prepare(request, Answer.BREAK_GLASS, approver=EVE, text=WHY)
    second = sign(vote, SECOND_KEYS[EVE, "second.key"]).signature
    proof = by_token(desk, vote, EVE, account, **more)
    return SignedVote(vote=vote, signature=proof, scheme=Scheme.OIDC, second=second)


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT])
async def test_an_account_that_answered_as_one_person_answers_as_no_other(tmp_path: Path, answer: Answer) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=TWO, authenticators=id_tokens(tmp_path)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(by_account(desk, request, RAJ, "00u1"))
        with pytest.raises(ProofError, match="account of one's own"):
            await desk.guard.vote(by_account(desk, request, ANA, "00u1", answer))
        assert [signed.vote.approver for signed in desk.guard.store.votes(request)] == [RAJ]
        await desk.guard.vote(by_account(desk, request, RAJ, "00u1"))  # sent again, it is the same vote
        await desk.guard.vote(by_account(desk, request, ANA, "00u2"))
        await desk.wake()
        assert len(desk.server.sent) == 1


async def test_the_account_that_edited_a_call_does_not_approve_the_edit_under_another_name(tmp_path: Path) -> None:
    policy = TWO.replace("quorum: 2", "quorum: 1")
    async with at_desk(tmp_path, calls(WIRE), policy=policy, authenticators=id_tokens(tmp_path)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        edit = desk.guard.prepare(request, Answer.EDIT, approver=RAJ, arguments=WIRE[1] | {"amount_cents": 800})
        proof = by_token(desk, edit, RAJ, "00u1")
        edited = await desk.guard.vote(SignedVote(vote=edit, signature=proof, scheme=Scheme.OIDC))
        with pytest.raises(ProofError, match="account of one's own"):
            await desk.guard.vote(by_account(desk, edited.request.id, ANA, "00u1"))
        await desk.guard.vote(by_account(desk, edited.request.id, ANA, "00u2"))
        await desk.wake()
        assert desk.server.effects == [("wire", 800)]


async def test_two_votes_by_one_account_that_stand_in_the_store_count_as_none(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=TWO, authenticators=id_tokens(tmp_path)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        everybody = Electorate(frozenset({ANA, RAJ, EVE}))
        for who in (RAJ, ANA):
            signed, note = by_account(desk, request, who, "00u1"), AuditNote(Kind.VOTE, {})
            await desk.guard.store.vote(
                signed, electorate=everybody, edited=None, glass=None, credentials=(), note=note, now=desk.guard.now()
            )
        assert desk.guard.store.request(request).status == "approved"
        await desk.wake()
        assert desk.server.sent == []
        assert await desk.reasons() == ["voided"]


async def test_while_it_cannot_be_told_who_voted_nothing_runs(tmp_path: Path) -> None:
    words = Passwords()
    async with at_desk(tmp_path, calls(WIRE), policy=TWO, authenticators={Scheme.OIDC: words}) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        vote = desk.guard.prepare(request, Answer.APPROVE, approver=RAJ)
        await desk.guard.vote(SignedVote(vote=vote, signature="swordfish", scheme=Scheme.OIDC))
        words.fails = DirectoryError("word", expected="an answer", got="none", action="wait")
        await desk.guard.vote(desk.signed(request))
        await desk.wake()
        assert desk.server.sent == []


async def test_the_account_that_broke_the_glass_does_not_review_it(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS, authenticators=id_tokens(tmp_path)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(await broken(desk, request, "00u1"))
        review = desk.guard.prepare_review(request, ReviewFinding.REVIEWED, reviewer=RAJ, text="all well")
        proof = by_token(desk, review, RAJ, "00u1")
        with pytest.raises(ProofError, match="account of one's own"):
            await desk.guard.review(SignedReview(review=review, signature=proof, scheme=Scheme.OIDC))
        proof = by_token(desk, review, RAJ, "00u2")
        glass = await desk.guard.review(SignedReview(review=review, signature=proof, scheme=Scheme.OIDC))
        assert glass.reviewed_by == RAJ


async def test_the_account_that_broke_the_glass_is_known_when_its_proof_stands_no_more(tmp_path: Path) -> None:
    words = Passwords({EVE: "sesame", RAJ: "swordfish"}, accounts={EVE: "mailbox", RAJ: "mailbox"})
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS, authenticators={Scheme.OIDC: words}) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        vote = desk.guard.prepare(request, Answer.BREAK_GLASS, approver=EVE, text=WHY)
        second = sign(vote, SECOND_KEYS[EVE, "second.key"]).signature
        await desk.guard.vote(SignedVote(vote=vote, signature="sesame", scheme=Scheme.OIDC, second=second))
        words.words[EVE] = "changed"
        review = desk.guard.prepare_review(request, ReviewFinding.REVIEWED, reviewer=RAJ, text="all well")
        with pytest.raises(ProofError, match="account of one's own"):
            await desk.guard.review(SignedReview(review=review, signature="swordfish", scheme=Scheme.OIDC))
        glass = await desk.guard.review(sign(review, KEYS[RAJ]))
        assert glass.reviewed_by == RAJ


async def test_the_account_that_broke_the_glass_does_not_settle_what_came_of_it(tmp_path: Path) -> None:
    def silence(sent: Sent) -> ToolReply:
        raise NoReplyError("bank", expected="a reply", got="none", action="look")

    server = Ledger(reply=silence)
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS, authenticators=id_tokens(tmp_path), server=server) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        await desk.guard.vote(await broken(desk, request, "00u1"))
        await desk.wake()
        desk.bank.clock.advance(LEASE_S)
        [claim] = desk.guard.doubts
        look, happened = desk.guard.now(), Verdict.HAPPENED
        resolution = desk.guard.prepare_resolution(
            doubt_id(claim.key), happened, resolver=RAJ, looked_at=look, text="in the bank"
        )
        proof = by_token(desk, resolution, RAJ, "00u1")
        with pytest.raises(ProofError, match="account of one's own"):
            await desk.guard.resolve(SignedResolution(resolution=resolution, signature=proof, scheme=Scheme.OIDC))
        proof = by_token(desk, resolution, RAJ, "00u2")
        claim = await desk.guard.resolve(SignedResolution(resolution=resolution, signature=proof, scheme=Scheme.OIDC))
        assert claim.status == "happened"


HOLDERS = {"finance": "approve-finance", "leads": "approve-leads", "break_glass": "emergency"}


async def test_a_holder_breaks_the_glass_in_the_name_of_the_holders_whatever_group_asks(tmp_path: Path) -> None:
    provider = id_tokens(tmp_path, group_claim="groups", groups=HOLDERS)
    async with at_desk(tmp_path, calls(WIRE), policy=GLASS, authenticators=provider) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        for groups in (["approve-finance", "approve-leads"], []):
            with pytest.raises(ProofError, match="a member of the approver group"):
                await desk.guard.vote(await broken(desk, request, "00u9", groups=groups))
        await desk.guard.vote(await broken(desk, request, "00u9", groups=["emergency"]))
        await desk.wake()
        assert len(desk.server.sent) == 1


async def test_who_is_in_two_groups_that_are_asked_is_proven_in_the_one_in_whose_name_they_count(
    tmp_path: Path,
) -> None:
    both = ESCALATES.replace("members: [ana@example.com]", "members: [ana@example.com, raj@example.com]")
    provider = id_tokens(tmp_path, group_claim="groups", groups=HOLDERS)
    async with at_desk(tmp_path, calls(WIRE), policy=both, authenticators=provider) as desk:
        request = await desk.held()
        desk.bank.clock.advance(3600)  # from then on the leads are asked too
        with pytest.raises(ProofError, match="a member of the approver group"):
            await desk.guard.vote(by_account(desk, request, RAJ, "00u1", groups=["approve-leads"]))
        assert desk.guard.store.votes(request) == ()
        await desk.guard.vote(by_account(desk, request, RAJ, "00u1", groups=["approve-finance"]))
        await desk.wake()
        assert desk.server.effects == [("wire", 900)]


REFUSE = (
    "{scope: bank:write, effect: write, approval: {id: r, approvers: finance, decide_within: 4h, execute_within: 15m}}"
)
NARROW = GLASS.replace("tools: [bank/wire]", "tools: [bank/refuse]").replace("quorum: 1", "quorum: 2")
NARROW = NARROW.replace("bank/refuse: {scope: bank:write, effect: write}", f"bank/refuse: {REFUSE}")
OWN = {
    "a wider glass": (NARROW.replace("tools: [bank/refuse]", "tools: [bank/refuse, bank/wire]"), Answer.BREAK_GLASS),
    "oneself in the group": (NARROW.replace("raj@example.com]}\ntools", "eve@example.com]}\ntools"), Answer.REJECT),
    "a smaller quorum": (NARROW.replace("quorum: 2", "quorum: 1"), Answer.APPROVE),
    "no such tool": (POLICY.replace("bank/wire", "bank/wires"), Answer.APPROVE),
}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("policy", "answer"), OWN.values(), ids=OWN)
async def test_an_answer_under_a_policy_of_ones_own_counts_nowhere(tmp_path: Path, policy: str, answer: Answer) -> None:
    assert policy != NARROW
    async with at_desk(tmp_path, calls(WIRE), policy=NARROW) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        folder = desk.bank.folder
        (folder / "own.yaml").write_text(policy)
        opened = Guard.open(
            folder / "own.yaml",
            lockfile=folder / "tools.lock",
            store=folder / "guard.db",
            now=desk.bank.clock,
            transport=Ledger(),
        )
        who = ANA if answer is Answer.APPROVE else EVE
        second = SECOND_KEYS[EVE, "second.key"] if answer is Answer.BREAK_GLASS else None
        async with opened as own:
            vote = own.prepare(request, answer, approver=who, text=WHY)
            with pytest.raises(ProofError, match="the policy that the request was made under"):
                await own.vote(sign(vote, KEYS[who], second=second))
        assert desk.guard.store.votes(request) == ()
        assert desk.guard.store.request(request).status == "pending"


async def test_a_decision_point_that_fails_lets_nobody_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        monkeypatch.setattr("guarded_agents.policy.RulePolicy.decide", lambda *_, **__: 1 / 0)
        with pytest.raises(ProofError, match="the policy that the request was made under"):
            await desk.guard.vote(desk.signed(request))
