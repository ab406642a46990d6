"""Which votes count."""

from datetime import datetime, timedelta

import pytest

from guarded_agents.approval import ResumeAnswer, check_vote, edit_request
from guarded_agents.errors import (
    ApprovalError,
    ApprovalExpiredError,
    BreakGlassError,
    NotEligibleError,
    ProofError,
    RequestClosedError,
    UnknownRequestError,
)
from guarded_agents.records import Answer, ApprovalRequest, Electorate, RequestStatus, SignedVote, StandingRequest
from tests.support.approvals import (
    ANA,
    BACKUP,
    ELECTORATE,
    HOLDERS,
    KEY,
    MAX,
    MEMBERS,
    RAJ,
    TEN,
    TERMS,
    ZOE,
    bound,
    broke,
    delegated,
    opened,
    permits,
    standing,
    voted,
)

REQUEST = opened()
NOW = TEN + timedelta(minutes=2)
TWO = opened(quorum=2)
EDITED = edit_request(
    REQUEST, bound({"order_id": "1", "amount_cents": 5000}), permits(), members=MEMBERS, key=KEY, now=NOW
)


def check(signed: SignedVote, where: StandingRequest | None = None, now: datetime = NOW, **changes: object) -> None:
    values = {"electorate": ELECTORATE, "key": KEY, "now": now, "terms": TERMS} | changes
    check_vote(where or standing(), signed, **values)  # type: ignore[arg-type]


def an_edit(edited: ApprovalRequest = EDITED, **changes: object) -> SignedVote:
    values = {"digest": edited.digest, "answer": Answer.EDIT, "arguments": edited.arguments} | changes
    return voted(REQUEST, **values)


COUNTING = {
    "approve": voted(REQUEST),
    "approve-with-a-word": voted(REQUEST, text="fine"),
    "reject": voted(REQUEST, answer=Answer.REJECT),
    "reject-with-a-reason": voted(REQUEST, answer=Answer.REJECT, text="x" * 4_000),
    "respond": voted(REQUEST, answer=Answer.RESPOND, text="it is paid already"),
    "edit": an_edit(),
    "delegate": delegated(REQUEST, ANA, RAJ),
    "delegate-with-a-word": delegated(REQUEST, ANA, RAJ, text="on leave"),
    "break-the-glass": broke(REQUEST),
    "at-the-first-moment": voted(REQUEST, at=REQUEST.created_at),
    "clock-a-little-ahead": voted(REQUEST, at=NOW + timedelta(minutes=5)),
}


@pytest.mark.parametrize("signed", COUNTING.values(), ids=COUNTING)
def test_a_proven_vote_of_a_member_counts(signed: SignedVote) -> None:
    check(signed, edited=EDITED)


def foreign(**changes: object) -> SignedVote:
    return voted(REQUEST, "zoe@example.com", **changes)


def among(*voters: str) -> dict[str, object]:
    return {"electorate": Electorate(frozenset(voters))}


SURROGATE = voted(REQUEST)
SURROGATE = SURROGATE.model_copy(update={"vote": SURROGATE.vote.model_copy(update={"digest": "\ud800"})})
REFUSED: dict[str, tuple[SignedVote, type[ApprovalError], dict[str, object]]] = {
    "on-another-request": (voted(REQUEST, request="0" * 12), UnknownRequestError, {}),
    "of-no-member": (foreign(), NotEligibleError, {}),
    "of-a-former-member": (voted(REQUEST), NotEligibleError, among(RAJ)),
    "nobody-is-eligible": (voted(REQUEST), NotEligibleError, among()),
    "of-the-requester": (voted(REQUEST, "desk-agent"), NotEligibleError, among("desk-agent")),
    "of-whom-it-acts-for": (voted(REQUEST, "bob"), NotEligibleError, among("bob")),
    "of-a-holder-who-breaks-no-glass": (voted(REQUEST, MAX), NotEligibleError, {}),
    "glass-broken-by-a-member": (broke(REQUEST, ANA), NotEligibleError, {}),
    "glass-broken-by-a-former-holder": (broke(REQUEST), NotEligibleError, among(ANA)),
    "glass-broken-where-there-is-none": (broke(REQUEST), BreakGlassError, {"terms": None}),
    "glass-broken-with-one-key": (broke(REQUEST).model_copy(update={"second": None}), ApprovalError, {}),
    "two-keys-for-an-approval": (voted(REQUEST).model_copy(update={"second": "c2Vjb25k"}), ApprovalError, {}),
    "approval-with-a-delegate": (voted(REQUEST, delegate=RAJ), ApprovalError, {}),
    "delegation-to-nobody": (voted(REQUEST, answer=Answer.DELEGATE), ApprovalError, {}),
    "delegation-to-somebody-else": (delegated(REQUEST, ANA, ZOE), NotEligibleError, {}),
    "delegation-to-who-has-voted": (
        delegated(TWO, ANA, RAJ),
        NotEligibleError,
        {"where": StandingRequest(TWO, RequestStatus.PENDING), "cast": (voted(TWO, RAJ),)},
    ),
    "delegation-over-another-digest": (delegated(REQUEST, ANA, RAJ, digest="0" * 64), ProofError, {}),
    "glass-over-another-digest": (broke(REQUEST, digest="0" * 64), ProofError, {}),
    "digest-with-a-lone-surrogate": (SURROGATE, ProofError, {}),
    "other-digest": (voted(REQUEST, digest="0" * 64), ProofError, {}),
    "digest-not-ascii": (voted(REQUEST, digest="ä"), ProofError, {}),
    "digest-of-another-amount": (voted(REQUEST, digest=EDITED.digest), ProofError, {}),
    "edit-signed-for-the-old-digest": (an_edit(digest=REQUEST.digest), ProofError, {"edited": EDITED}),
    "edit-without-its-request": (an_edit(), ProofError, {}),
    "edit-of-other-arguments": (an_edit(arguments='{"amount_cents":1}'), ProofError, {"edited": EDITED}),
    "edit-with-a-later-deadline": (
        an_edit(),
        ProofError,
        {"edited": EDITED.model_copy(update={"decide_by": NOW + timedelta(days=9)})},
    ),
    "edit-of-another-request": (an_edit(), ProofError, {"edited": EDITED.model_copy(update={"parent": None})}),
    "edit-that-was-tampered-with": (an_edit(), ProofError, {"edited": EDITED.model_copy(update={"quorum": 2})}),
    "edit-in-another-spelling": (an_edit(arguments='{ "a": 1}'), ApprovalError, {"edited": EDITED}),
    "edit-that-is-no-json": (an_edit(arguments="{"), ApprovalError, {"edited": EDITED}),
    "edit-that-is-no-object": (an_edit(arguments="[]"), ApprovalError, {"edited": EDITED}),
    "edit-without-arguments": (an_edit(arguments=None), ApprovalError, {"edited": EDITED}),
    "approval-with-arguments": (voted(REQUEST, arguments="{}"), ApprovalError, {}),
    "respond-without-text": (voted(REQUEST, answer=Answer.RESPOND), ApprovalError, {}),
    "respond-with-blanks": (voted(REQUEST, answer=Answer.RESPOND, text=" \n"), ApprovalError, {}),
    "text-too-long": (voted(REQUEST, answer=Answer.REJECT, text="x" * 4_001), ApprovalError, {}),
    "nonce-too-short": (voted(REQUEST, nonce="0" * 31), ApprovalError, {}),
    "nonce-in-capitals": (voted(REQUEST, nonce="A" * 32), ApprovalError, {}),
    "from-the-future": (voted(REQUEST, at=NOW + timedelta(minutes=5, microseconds=1)), ProofError, {}),
    "older-than-the-request": (voted(REQUEST, at=TEN - timedelta(microseconds=1)), ProofError, {}),
    "dated-at-the-deadline": (
        voted(REQUEST, at=REQUEST.decide_by),
        ApprovalExpiredError,
        {"now": REQUEST.decide_by - timedelta(seconds=1)},
    ),
    "too-late": (voted(REQUEST), ApprovalExpiredError, {"now": REQUEST.decide_by}),
    "too-late-and-closed": (
        voted(REQUEST),
        ApprovalExpiredError,
        {"where": StandingRequest(REQUEST, RequestStatus.EXPIRED), "now": REQUEST.decide_by},
    ),
    "key-of-another-deployment": (voted(REQUEST), ProofError, {"key": b"x" * 32}),
}


@pytest.mark.requirement("I7")
@pytest.mark.requirement("B9")
@pytest.mark.parametrize(("signed", "error", "changes"), REFUSED.values(), ids=REFUSED)
def test_any_other_vote_does_not(signed: SignedVote, error: type[ApprovalError], changes: dict[str, object]) -> None:
    with pytest.raises(error) as caught:
        check(signed, **changes)  # type: ignore[arg-type]
    assert type(caught.value) is error
    assert "8200" not in str(caught.value)


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("status", sorted(set(RequestStatus) - {RequestStatus.PENDING}))
def test_a_closed_request_takes_no_vote(status: RequestStatus) -> None:
    where = StandingRequest(REQUEST, status, execute_by=NOW + timedelta(minutes=1))
    with pytest.raises(RequestClosedError):
        check(voted(REQUEST), where)


TAMPERED = {
    "arguments": '{"amount_cents":1,"order_id":"1"}',
    "quorum": 2,
    "decide_by": REQUEST.decide_by + timedelta(days=1),
    "tenant": "other",
    "digest": "0" * 64,
}


@pytest.mark.requirement("I3")
@pytest.mark.parametrize("field", TAMPERED)
def test_a_row_that_was_changed_in_the_store_takes_no_vote(field: str) -> None:
    row = REQUEST.model_copy(update={field: TAMPERED[field]})
    with pytest.raises(ProofError, match="the row as it was written"):
        check(voted(row), StandingRequest(row, RequestStatus.PENDING))


@pytest.mark.requirement("I7")
def test_a_member_of_the_backup_answers_once_it_counts() -> None:
    signed = voted(REQUEST, ZOE)
    with pytest.raises(NotEligibleError):
        check(signed)
    check(signed, electorate=Electorate(MEMBERS | BACKUP, HOLDERS))


def test_a_delegation_that_is_sent_again_is_no_error() -> None:
    signed = delegated(TWO, ANA, RAJ)
    electorate = Electorate(MEMBERS | BACKUP)
    where = StandingRequest(TWO, RequestStatus.PENDING)
    check(signed, where, electorate=electorate, cast=(signed, voted(TWO, RAJ)))


@pytest.mark.requirement("I7")
def test_a_vote_that_comes_back_through_an_interrupt_is_checked_like_any_other() -> None:
    signed = voted(REQUEST)
    check(ResumeAnswer.model_validate(signed.model_dump(mode="json")).signed())
