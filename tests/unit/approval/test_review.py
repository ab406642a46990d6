"""Which reviews of a broken glass count."""

from dataclasses import replace
from datetime import timedelta

import pytest

from guarded_agents.approval import check_review
from guarded_agents.errors import (
    ApprovalError,
    NotEligibleError,
    ProofError,
    RequestClosedError,
    UnknownRequestError,
)
from guarded_agents.records import BrokenGlass, Review, ReviewFinding
from tests.support.approvals import ANA, LEA, MAX, TEN, opened

REQUEST = opened()
USED_AT = TEN + timedelta(hours=1)
NOW = TEN + timedelta(hours=2)
GLASS = BrokenGlass(REQUEST.id, MAX, USED_AT, NOW + timedelta(days=1))
REVIEWERS = frozenset({LEA, MAX, "desk-agent", "bob"})


def review(**changes: object) -> Review:
    values: dict[str, object] = {
        "request": REQUEST.id,
        "digest": REQUEST.digest,
        "reviewer": LEA,
        "finding": ReviewFinding.REVIEWED,
        "text": "the outage was real; paid once",
        "at": NOW,
        "nonce": "0" * 32,
    }
    return Review(**(values | changes))  # type: ignore[arg-type]


COUNTING = {
    "reviewed": (review(), GLASS),
    "violation": (review(finding=ReviewFinding.VIOLATION), GLASS),
    "overdue": (review(), replace(GLASS, review_due=USED_AT + timedelta(seconds=1))),
    "at-the-first-moment": (review(at=USED_AT), GLASS),
    "clock-a-little-ahead": (review(at=NOW + timedelta(minutes=5)), GLASS),
}


@pytest.mark.parametrize(("statement", "glass"), COUNTING.values(), ids=COUNTING)
def test_a_reviewer_says_what_was_found(statement: Review, glass: BrokenGlass) -> None:
    check_review(statement, glass, REQUEST, members=REVIEWERS, now=NOW)


REFUSED: dict[str, tuple[Review, BrokenGlass, type[ApprovalError], str]] = {
    "another-request": (review(request="0" * 12), GLASS, UnknownRequestError, "expected request"),
    "another-glass": (review(), replace(GLASS, request="0" * 12), UnknownRequestError, "expected request"),
    "a-second-one": (
        review(),
        replace(GLASS, finding=ReviewFinding.VIOLATION),
        RequestClosedError,
        "got one that was found violation",
    ),
    "by-who-broke-it": (review(reviewer=MAX), GLASS, NotEligibleError, "other than who broke the glass"),
    "by-who-broke-it-in-capitals": (review(reviewer=MAX.upper()), GLASS, NotEligibleError, "who broke the glass"),
    "by-the-requester": (review(reviewer="desk-agent"), GLASS, NotEligibleError, "other than who asked"),
    "by-whom-it-acts-for": (review(reviewer="bob"), GLASS, NotEligibleError, "other than who asked"),
    "by-no-reviewer": (review(reviewer=ANA), GLASS, NotEligibleError, "a reviewer of broken glass"),
    "without-a-text": (review(text="  "), GLASS, ApprovalError, "a text that says what was looked at"),
    "with-a-long-text": (review(text="x" * 4_001), GLASS, ApprovalError, "at most 4,000 characters, got 4,001"),
    "with-a-short-nonce": (review(nonce="0"), GLASS, ApprovalError, "a nonce of 32 hex digits"),
    "over-another-digest": (review(digest="0" * 64), GLASS, ProofError, "the digest of this request"),
    "over-a-digest-that-is-none": (review(digest="ä"), GLASS, ProofError, "the digest of this request"),
    "from-the-future": (review(at=NOW + timedelta(minutes=6)), GLASS, ProofError, "one from the future"),
    "from-before": (review(at=USED_AT - timedelta(seconds=1)), GLASS, ProofError, "since the glass was broken"),
}


@pytest.mark.requirement("I12")
@pytest.mark.parametrize(("statement", "glass", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_any_other_review_does_not_count(
    statement: Review, glass: BrokenGlass, error: type[ApprovalError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        check_review(statement, glass, REQUEST, members=REVIEWERS, now=NOW)
    assert type(caught.value) is error
