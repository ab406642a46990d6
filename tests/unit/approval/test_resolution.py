"""Which resolutions settle a call in doubt."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.approval import check_resolution, doubt_id
from guarded_agents.errors import (
    ApprovalError,
    NotEligibleError,
    ProofError,
    RequestClosedError,
    UnknownRequestError,
)
from guarded_agents.records import CallKey, Claim, ClaimStatus, Reason, Resolution, Verdict
from tests.support.approvals import ACCESS, ANA, CALL, MEMBERS, TEN, ZOE

LEASE = TEN + timedelta(minutes=10)
NOW = TEN + timedelta(hours=1)
CLAIM = Claim(CALL.key, ClaimStatus.IN_DOUBT, "worker-1", 2, LEASE, Reason.PERMITTED, None, TEN)
GROUPS = {"finance": MEMBERS}
ID = doubt_id(CALL.key)


def test_a_call_in_doubt_has_a_short_id_of_its_own() -> None:
    assert len(ID) == 12
    assert int(ID, 16) >= 0
    others = {
        CALL.key._replace(thread="other"),
        CALL.key._replace(entry="other"),
        CALL.key._replace(turn=2),
        CALL.key._replace(digest="e" * 64),
        CALL.key._replace(occurrence=1),
    }
    assert len({ID, *(doubt_id(key) for key in others)}) == 6


@given(left=st.tuples(st.text(), st.text()), right=st.tuples(st.text(), st.text()))
def test_no_part_of_the_id_runs_into_the_next(left: tuple[str, str], right: tuple[str, str]) -> None:
    ids = [doubt_id(CallKey(*pair, 1, "d" * 64, 0)) for pair in (left, right)]
    assert (ids[0] == ids[1]) is (left == right)


def resolution(**changes: object) -> Resolution:
    values: dict[str, object] = {
        "call": ID,
        "attempt": 2,
        "verdict": Verdict.NOT_HAPPENED,
        "resolver": ANA,
        "looked_at": NOW - timedelta(minutes=5),
        "text": "no refund of order 1 in the ledger",
        "at": NOW,
        "nonce": "0" * 32,
    }
    return Resolution(**(values | changes))  # type: ignore[arg-type]


COUNTING = {
    "not-happened": resolution(),
    "not-happened-just-after-the-lease": resolution(looked_at=LEASE + timedelta(microseconds=1)),
    "happened": resolution(verdict=Verdict.HAPPENED),
    "happened-seen-during-the-lease": resolution(verdict=Verdict.HAPPENED, looked_at=LEASE),
    "not-observed-during-the-lease": resolution(verdict=Verdict.NOT_OBSERVED, looked_at=TEN),
    "looked-at-this-moment": resolution(looked_at=NOW),
    "clock-a-little-ahead": resolution(at=NOW + timedelta(minutes=5)),
}


@pytest.mark.parametrize("statement", COUNTING.values(), ids=COUNTING)
def test_a_person_who_looked_settles_a_call_in_doubt(statement: Resolution) -> None:
    check_resolution(statement, CLAIM, groups=GROUPS, requester=ACCESS.principal, now=NOW)


REFUSED: dict[str, tuple[Resolution, dict[str, object], type[ApprovalError], str]] = {
    "another-call": (resolution(call="0" * 12), {}, UnknownRequestError, f"expected call {ID}"),
    "another-attempt": (
        resolution(attempt=1),
        {},
        RequestClosedError,
        "expected one over attempt 2, got one over attempt 1",
    ),
    "by-the-requester": (
        resolution(resolver="desk-agent"),
        {"groups": {"finance": frozenset({"desk-agent"})}},
        NotEligibleError,
        "other than who asked",
    ),
    "by-whom-it-acts-for": (
        resolution(resolver="Bob"),
        {"groups": {"finance": frozenset({"Bob"})}},
        NotEligibleError,
        "other than who asked",
    ),
    "by-no-member": (resolution(resolver=ZOE), {}, NotEligibleError, "a member of finance, got"),
    "by-no-member-of-either": (
        resolution(resolver=ZOE),
        {"groups": {"finance": MEMBERS, "leads": frozenset({"max"})}},
        NotEligibleError,
        "a member of finance or of leads, got",
    ),
    "without-a-text": (resolution(text=""), {}, ApprovalError, "a text that says what was seen"),
    "with-a-long-text": (resolution(text="x" * 4_001), {}, ApprovalError, "at most 4,000 characters"),
    "with-a-nonce-in-capitals": (resolution(nonce="A" * 32), {}, ApprovalError, "a nonce of 32 hex digits"),
    "with-a-look-to-come": (
        resolution(looked_at=NOW + timedelta(seconds=1), at=NOW + timedelta(seconds=2)),
        {},
        ProofError,
        "a look in the past",
    ),
    "signed-before-the-look": (
        resolution(at=NOW - timedelta(minutes=6)),
        {},
        ProofError,
        "a statement signed since the look",
    ),
    "from-the-future": (resolution(at=NOW + timedelta(minutes=6)), {}, ProofError, "one from the future"),
    "not-happened-seen-as-the-lease-ended": (
        resolution(looked_at=LEASE),
        {},
        ApprovalError,
        "expected a look after the sender's lease ended at 2026-01-05T10:10:00Z, got one at 2026-01-05T10:10:00Z",
    ),
}


@pytest.mark.requirement("I4")
@pytest.mark.parametrize(("statement", "changes", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_any_other_resolution_settles_nothing(
    statement: Resolution, changes: dict[str, object], error: type[ApprovalError], message: str
) -> None:
    values = {"groups": GROUPS, "requester": ACCESS.principal, "now": NOW} | changes
    with pytest.raises(error, match=message) as caught:
        check_resolution(statement, CLAIM, **values)  # type: ignore[arg-type]
    assert type(caught.value) is error


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("verdict", Verdict, ids=str)
def test_nobody_saw_a_call_before_it_was_admitted(verdict: Verdict) -> None:
    early = resolution(verdict=verdict, looked_at=TEN - timedelta(microseconds=1))
    with pytest.raises(ApprovalError, match="expected a look since the call was admitted at 2026-01-05T10:00:00Z"):
        check_resolution(early, CLAIM, groups=GROUPS, requester=ACCESS.principal, now=NOW)
    never = replace(CLAIM, admitted_at=None)
    with pytest.raises(ApprovalError, match="expected a look since the call was admitted, got"):
        check_resolution(resolution(verdict=verdict), never, groups=GROUPS, requester=ACCESS.principal, now=NOW)


def test_a_member_of_any_of_the_groups_asked_may_resolve() -> None:
    groups = {"finance": frozenset({ZOE}), "leads": MEMBERS}
    check_resolution(resolution(), CLAIM, groups=groups, requester=ACCESS.principal, now=NOW)


@pytest.mark.requirement("I4")
@pytest.mark.parametrize("status", sorted(set(ClaimStatus) - {ClaimStatus.IN_DOUBT}))
def test_only_a_call_in_doubt_is_resolved(status: ClaimStatus) -> None:
    with pytest.raises(RequestClosedError, match=f"got one that is {status.value}"):
        check_resolution(
            resolution(), replace(CLAIM, status=status), groups=GROUPS, requester=ACCESS.principal, now=NOW
        )
