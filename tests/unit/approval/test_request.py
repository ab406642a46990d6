"""What a request covers."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from guarded_agents.approval import covers, edit_request, is_intact, open_request, request_digest, risk_of
from guarded_agents.errors import ApprovalError
from guarded_agents.records import (
    ApprovalRequest,
    Confidentiality,
    Decision,
    Effect,
    Integrity,
    Labels,
    Lack,
    Miss,
    Permit,
    Principal,
    Reason,
    Risk,
    ToolEffect,
    ToolRef,
)
from tests.support.approvals import (
    ACCESS,
    CALL,
    ESCALATES,
    KEY,
    MEMBERS,
    OBLIGATION,
    TEN,
    bound,
    opened,
    permits,
)

REQUEST = opened()


def test_a_request_says_who_asks_for_what_until_when_and_of_whom() -> None:
    assert REQUEST.arguments == '{"amount_cents":8200,"order_id":"1"}'
    assert REQUEST.decide_by == TEN + timedelta(hours=4)
    assert REQUEST.members == ("ana@example.com", "raj@example.com")
    assert (REQUEST.requester, REQUEST.tenant, REQUEST.policy) == (ACCESS.principal, "acme", "p" * 64)
    assert (REQUEST.key, REQUEST.parent) == (CALL.key, None)
    assert ApprovalRequest.model_validate_json(REQUEST.model_dump_json()) == REQUEST


def test_who_may_answer_comes_from_the_directory_and_not_from_the_obligation() -> None:
    request = opened(members=frozenset({"zoe", "lea"}))
    assert request.members == ("lea", "zoe")


def test_a_request_says_when_somebody_else_is_asked() -> None:
    request = opened(backup=ESCALATES.backup, escalate_within_s=ESCALATES.escalate_within_s)
    assert (request.backup, request.escalate_at) == ("finance-leads", TEN + timedelta(minutes=30))
    assert (REQUEST.backup, REQUEST.escalate_at) == (None, None)


UNTRUSTED = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC)
RISKS = {
    "read": (permits(tool_effect=ToolEffect.READ), UNTRUSTED, Risk.LOW),
    "write": (permits(), UNTRUSTED, Risk.MEDIUM),
    "egress-before-untrusted-text": (permits(tool_effect=ToolEffect.EGRESS), ACCESS.labels, Risk.MEDIUM),
    "egress-after-untrusted-text": (permits(tool_effect=ToolEffect.EGRESS), UNTRUSTED, Risk.HIGH),
    "irreversible-write": (permits(irreversible=True), ACCESS.labels, Risk.HIGH),
    "irreversible-read": (permits(tool_effect=ToolEffect.READ, irreversible=True), ACCESS.labels, Risk.HIGH),
}


@pytest.mark.parametrize(("decision", "labels", "risk"), RISKS.values(), ids=RISKS)
def test_the_risk_is_what_a_wrong_approval_could_cost(decision: Decision, labels: Labels, risk: Risk) -> None:
    assert risk_of(decision, labels) is risk
    request = open_request(CALL, replace(ACCESS, labels=labels), decision, members=MEMBERS, key=KEY, now=TEN)
    assert request.risk is risk


def test_a_hard_rule_stays_on_the_request() -> None:
    assert opened(hard=True).hard
    assert not REQUEST.hard


SAME_QUESTION = {
    "another-thread": (bound({"order_id": "1", "amount_cents": 8200}, place=("other", "entry", 1)), ACCESS),
    "another-entry-and-turn": (bound({"order_id": "1", "amount_cents": 8200}, place=("thread", "other", 9)), ACCESS),
    "another-occurrence": (bound({"order_id": "1", "amount_cents": 8200}, occurrence=1), ACCESS),
    "other-spelling": (bound({"amount_cents": 8200.0, "order_id": "1"}), ACCESS),
    "other-scopes": (CALL, replace(ACCESS, principal=Principal(id="desk-agent", acting_for="bob"))),
    "other-labels": (CALL, replace(ACCESS, labels=UNTRUSTED)),
}


@pytest.mark.parametrize(("call", "access"), SAME_QUESTION.values(), ids=SAME_QUESTION)
def test_the_same_is_asked_wherever_and_whenever_it_is_asked(call: object, access: object) -> None:
    other = open_request(call, access, permits(), members=MEMBERS, key=KEY, now=TEN + timedelta(hours=1))  # type: ignore[arg-type]
    assert other.question == REQUEST.question
    assert len(other.question) == 64


OTHER_QUESTION = {
    "arguments": (bound({"order_id": "1", "amount_cents": 8201}), ACCESS),
    "tool": (bound({"order_id": "1", "amount_cents": 8200}, tool="payments/payout"), ACCESS),
    "requester": (CALL, replace(ACCESS, principal=Principal(id="other", acting_for="bob"))),
    "whom-it-acts-for": (CALL, replace(ACCESS, principal=Principal(id="desk-agent", acting_for="eve"))),
    "acting-for-nobody": (CALL, replace(ACCESS, principal=Principal(id="desk-agent"))),
    "tenant": (CALL, replace(ACCESS, tenant="other")),
}


@pytest.mark.parametrize(("call", "access"), OTHER_QUESTION.values(), ids=OTHER_QUESTION)
def test_another_question_is_another(call: object, access: object) -> None:
    other = open_request(call, access, permits(), members=MEMBERS, key=KEY, now=TEN)  # type: ignore[arg-type]
    assert other.question != REQUEST.question


def test_a_question_tells_nothing_to_who_has_no_key() -> None:
    other = open_request(CALL, ACCESS, permits(), members=MEMBERS, key=b"x" * 32, now=TEN)
    assert other.question != REQUEST.question


def test_asking_again_gives_the_same_id() -> None:
    again = open_request(CALL, ACCESS, permits(), members=MEMBERS, key=KEY, now=TEN + timedelta(hours=1))
    assert again.id == REQUEST.id
    assert len(REQUEST.id) == 12
    assert int(REQUEST.id, 16) >= 0


CALLS = {
    "arguments": bound({"order_id": "1", "amount_cents": 1}),
    "requester": bound({"order_id": "1", "amount_cents": 8200}, requester="mallory"),
    "thread": bound({"order_id": "1", "amount_cents": 8200}, place=("other", "entry", 1)),
    "entry": bound({"order_id": "1", "amount_cents": 8200}, place=("thread", "other", 1)),
    "turn": bound({"order_id": "1", "amount_cents": 8200}, place=("thread", "entry", 2)),
    "occurrence": bound({"order_id": "1", "amount_cents": 8200}, occurrence=1),
    "key": bound({"order_id": "1", "amount_cents": 8200}, key=b"x" * 32),
}


@pytest.mark.requirement("I2")
@pytest.mark.requirement("B7")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_another_call_is_another_request(call: object) -> None:
    other = open_request(call, ACCESS, permits(), members=MEMBERS, key=KEY, now=TEN)  # type: ignore[arg-type]
    assert other.id != REQUEST.id
    assert other.digest != REQUEST.digest


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("field", sorted(set(ApprovalRequest.model_fields) - {"digest", "created_at"}))
def test_the_digest_covers_every_field(field: str) -> None:
    value = getattr(REQUEST, field)
    others: dict[type, object] = {
        str: "other",
        int: 7,
        bool: True,
        tuple: ("eve",),
        Principal: Principal(id="mallory"),
        Labels: Labels(),
        type(None): "other",
        datetime: TEN,
        Risk: Risk.LOW,
    }
    others_of = {"escalate_at": TEN, "misses": (Miss(lack=Lack.VERB),)}
    other = others_of.get(field, others[type(value)])
    tampered = REQUEST.model_copy(update={field: other})
    assert request_digest(tampered, key=KEY) != REQUEST.digest


def test_the_digest_needs_the_key_of_the_deployment() -> None:
    assert request_digest(REQUEST, key=KEY) == REQUEST.digest
    assert request_digest(REQUEST, key=b"x" * 32) != REQUEST.digest


ALTERED = {"a digest of other letters": {"digest": "ä" * 64}, "an integer beyond 2^53": {"turn": 2**60}}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize("changes", ALTERED.values(), ids=ALTERED)
def test_whatever_else_stands_in_a_row_is_not_as_it_was_written(changes: dict[str, object]) -> None:
    assert is_intact(REQUEST, key=KEY)
    assert not is_intact(REQUEST.model_copy(update=changes), key=KEY)


UNMEETABLE = {
    "empty-quorum": {"quorum": 0},
    "negative-quorum": {"quorum": -1},
    "more-than-there-are": {"quorum": 3},
    "nobody": {"members": frozenset()},
    "one-person-in-two-spellings": {"members": frozenset({"ana", "Ana"}), "quorum": 2},
    "only-the-requester": {"members": frozenset({"desk-agent"})},
    "only-whom-it-acts-for": {"members": frozenset({"Bob"})},
    "no-time-to-decide": {"decide_within_s": 0},
    "no-time-to-execute": {"execute_within_s": 0},
    "no-time-before-the-backup": {"backup": "finance-leads", "escalate_within_s": 0},
    "a-backup-that-is-never-asked": {"backup": "finance-leads"},
    "an-escalation-to-nobody": {"escalate_within_s": 60},
}


@pytest.mark.requirement("B12")
@pytest.mark.parametrize("changes", UNMEETABLE.values(), ids=UNMEETABLE)
def test_terms_that_cannot_be_met_are_refused_at_once(changes: dict[str, object]) -> None:
    with pytest.raises(ApprovalError):
        opened(**changes)  # type: ignore[arg-type]


NO_OBLIGATION = {
    "denied": permits(effect=Effect.DENY, reason=Reason.NO_RULE),
    "unattended": permits(None),
}


@pytest.mark.parametrize("decision", NO_OBLIGATION.values(), ids=NO_OBLIGATION)
def test_no_request_without_a_permit_that_asks_for_it(decision: Decision) -> None:
    with pytest.raises(ApprovalError, match="a permit with an approval"):
        open_request(CALL, ACCESS, decision, members=MEMBERS, key=KEY, now=TEN)


EDITED = bound({"order_id": "1", "amount_cents": 5000})
LATER = TEN + timedelta(minutes=5)


@pytest.mark.requirement("I8")
def test_an_edit_is_a_new_request_with_the_old_deadline() -> None:
    decision = permits(replace(OBLIGATION, rule="other", quorum=2), policy="q" * 64, rule="r2")
    edited = edit_request(REQUEST, EDITED, decision, members=MEMBERS, key=KEY, now=LATER)
    assert edited.id != REQUEST.id
    assert edited.digest != REQUEST.digest
    assert (edited.parent, edited.decide_by, edited.created_at) == (REQUEST.id, REQUEST.decide_by, LATER)
    assert (edited.approval_rule, edited.quorum, edited.policy, edited.rule) == ("other", 2, "q" * 64, "r2")
    assert edited.key == EDITED.key
    assert request_digest(edited, key=KEY) == edited.digest


@pytest.mark.requirement("I8")
def test_an_edit_has_the_same_digest_when_it_is_previewed_and_when_it_is_voted_on() -> None:
    previews = {
        edit_request(REQUEST, EDITED, permits(), members=MEMBERS, key=KEY, now=now).digest for now in (TEN, LATER)
    }
    assert len(previews) == 1


@pytest.mark.requirement("I8")
def test_an_edit_that_the_policy_would_permit_unattended_keeps_its_parents_terms() -> None:
    edited = edit_request(opened(quorum=2), EDITED, permits(None), members=MEMBERS, key=KEY, now=LATER)
    assert (edited.quorum, edited.approval_rule) == (2, "refund-over-50")


@pytest.mark.requirement("I8")
def test_an_edit_is_a_new_question_with_a_new_risk() -> None:
    decision = permits(hard=True, irreversible=True)
    edited = edit_request(REQUEST, EDITED, decision, members=MEMBERS, key=KEY, now=LATER)
    assert (edited.risk, edited.hard) == (Risk.HIGH, True)
    assert edited.question == open_request(EDITED, ACCESS, permits(), members=MEMBERS, key=KEY, now=TEN).question


ESCALATED = opened(backup=ESCALATES.backup, escalate_within_s=ESCALATES.escalate_within_s)
LEADS = replace(OBLIGATION, backup="directors", escalate_within_s=60)
TO_WHOM = {
    "the-same-rule": (ESCALATED, permits(ESCALATES), ("finance-leads", ESCALATED.escalate_at)),
    "another-backup": (ESCALATED, permits(LEADS), ("directors", ESCALATED.escalate_at)),
    "no-backup": (ESCALATED, permits(), (None, None)),
    "only-the-edit-has-one": (REQUEST, permits(LEADS), (None, None)),
    "the-parents-terms": (ESCALATED, permits(None), ("finance-leads", ESCALATED.escalate_at)),
}


@pytest.mark.requirement("I8")
@pytest.mark.parametrize(("parent", "decision", "asked"), TO_WHOM.values(), ids=TO_WHOM)
def test_an_edit_moves_no_clock(parent: ApprovalRequest, decision: Decision, asked: tuple[object, object]) -> None:
    edited = edit_request(parent, EDITED, decision, members=MEMBERS, key=KEY, now=LATER)
    assert (edited.backup, edited.escalate_at) == asked
    assert edited.decide_by == parent.decide_by


def test_an_edit_asks_who_is_in_the_group_now() -> None:
    edited = edit_request(REQUEST, EDITED, permits(), members=frozenset({"lea"}), key=KEY, now=LATER)
    assert edited.members == ("lea",)


def test_an_edit_back_is_not_the_first_request_again() -> None:
    edited = edit_request(REQUEST, EDITED, permits(), members=MEMBERS, key=KEY, now=LATER)
    assert edit_request(edited, CALL, permits(), members=MEMBERS, key=KEY, now=LATER).id != REQUEST.id


NO_EDIT = {
    "denied": (EDITED, permits(effect=Effect.DENY, reason=Reason.CONDITION_NOT_MET)),
    "nothing-changed": (CALL, permits()),
    "other-tool": (bound({"amount_cents": 1}, tool="payments/payout"), permits()),
    "other-thread": (bound({"amount_cents": 1}, place=("other", "entry", 1)), permits()),
    "other-call": (bound({"amount_cents": 1}, call_id="call-2"), permits()),
    "quorum-of-none": (EDITED, permits(replace(OBLIGATION, quorum=0))),
}


@pytest.mark.requirement("I8")
@pytest.mark.parametrize(("call", "decision"), NO_EDIT.values(), ids=NO_EDIT)
def test_an_edit_is_decided_afresh_and_changes_arguments_only(call: object, decision: Decision) -> None:
    with pytest.raises(ApprovalError) as caught:
        edit_request(REQUEST, call, decision, members=MEMBERS, key=KEY, now=LATER)  # type: ignore[arg-type]
    assert "8200" not in str(caught.value)


PERMIT = Permit(
    call=CALL,
    tool=ACCESS.tool,
    decision=permits(),
    principal=ACCESS.principal,
    tenant="acme",
    labels=ACCESS.labels,
    request=REQUEST,
)


@pytest.mark.requirement("I2")
def test_a_permit_covers_the_call_that_was_agreed_to() -> None:
    assert covers(PERMIT, key=KEY)


NOT_COVERED = {
    "no-request": {"request": None},
    "tampered-request": {"request": REQUEST.model_copy(update={"quorum": 2})},
    "other-arguments": {"call": EDITED},
    "other-canonical-bytes": {"call": replace(CALL, canonical=EDITED.canonical)},
    "other-tool-name": {"call": replace(CALL, tool="payments/payout")},
    "other-occurrence": {"call": CALLS["occurrence"]},
    "drifted-tool": {"tool": ToolRef("payments", "refund", "e" * 64)},
    "other-server": {"tool": ToolRef("other", "refund", "d" * 64)},
    "other-principal": {"principal": Principal(id="desk-agent", scopes=("refunds:write",))},
    "other-tenant": {"tenant": "other"},
    "other-labels": {
        "labels": Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC),
    },
    "changed-policy": {"decision": permits(policy="q" * 64)},
    "denied-meanwhile": {"decision": permits(effect=Effect.DENY, reason=Reason.MISSING_SCOPE)},
}


@pytest.mark.requirement("I2")
@pytest.mark.requirement("B7")
@pytest.mark.parametrize("changes", NOT_COVERED.values(), ids=NOT_COVERED)
def test_a_permit_covers_nothing_else(changes: dict[str, object]) -> None:
    assert not covers(replace(PERMIT, **changes), key=KEY)  # type: ignore[arg-type]
