"""Who may approve alone, and how often."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from guarded_agents.approval import MIN_JUSTIFICATION_CHARS, check_glass, edit_request, glass_left, glass_stands
from guarded_agents.errors import ApprovalError, BreakGlassError, NotEligibleError
from guarded_agents.records import (
    Answer,
    BreakGlassTerms,
    BrokenGlass,
    Electorate,
    RequestStatus,
    ReviewFinding,
    SignedVote,
    StandingRequest,
)
from tests.support.approvals import (
    ANA,
    ELECTORATE,
    KEY,
    MAX,
    MEMBERS,
    OBLIGATION,
    TEN,
    TERMS,
    bound,
    broke,
    opened,
    permits,
    standing,
    voted,
)

REQUEST = opened()
PENDING = standing()


def test_a_holder_may_break_the_glass_and_says_why() -> None:
    check_glass(PENDING, broke(REQUEST).vote, TERMS, electorate=ELECTORATE)
    check_glass(PENDING, broke(REQUEST, text="x" * MIN_JUSTIFICATION_CHARS).vote, TERMS, electorate=ELECTORATE)


STANDS: dict[str, tuple[dict[str, object], BreakGlassTerms | None, timedelta, bool]] = {
    "it does": ({}, TERMS, timedelta(0), True),
    "until the terms' time has passed, clocks aside": ({}, TERMS, timedelta(seconds=599), True),
    "no longer": ({}, TERMS, timedelta(seconds=600), False),
    "nor by the rule's time, where that is shorter": (
        {},
        replace(TERMS, execute_within_s=9_000),
        timedelta(900),
        False,
    ),
    "no terms": ({}, None, timedelta(0), False),
    "no holder": ({}, replace(TERMS, holders=frozenset({ANA})), timedelta(0), False),
    "another scope": ({}, replace(TERMS, tools=frozenset({"payments/list"})), timedelta(0), False),
    "no justification": ({"text": None}, TERMS, timedelta(0), False),
    "a short one": ({"text": "x" * (MIN_JUSTIFICATION_CHARS - 1)}, TERMS, timedelta(0), False),
}


@pytest.mark.parametrize(("changes", "terms", "after", "stands"), STANDS.values(), ids=STANDS)
def test_a_broken_glass_stands_by_the_terms_of_who_asks(
    changes: dict[str, object], terms: BreakGlassTerms | None, after: timedelta, *, stands: bool
) -> None:
    vote = broke(REQUEST, **changes).vote
    assert glass_stands(REQUEST, vote, terms, now=vote.at + after) is stands
    assert not glass_stands(opened(hard=True), vote, terms, now=vote.at + after)
    assert not glass_stands(REQUEST, vote.model_copy(update={"answer": Answer.APPROVE}), terms, now=vote.at + after)


MAY_NOT: dict[str, tuple[SignedVote, dict[str, object], type[ApprovalError], str]] = {
    "no-such-section": (broke(REQUEST), {"terms": None}, BreakGlassError, "a policy with break_glass"),
    "the-requester": (broke(REQUEST, "desk-agent"), {}, NotEligibleError, "other than who asks"),
    "whom-it-acts-for": (
        broke(REQUEST, "bob"),
        {"terms": replace(TERMS, holders=frozenset({"bob"})), "electorate": Electorate(MEMBERS, frozenset({"bob"}))},
        NotEligibleError,
        "other than who asks",
    ),
    "an-approver": (broke(REQUEST, ANA), {}, NotEligibleError, "who may break the glass"),
    "a-former-holder": (broke(REQUEST), {"electorate": Electorate(MEMBERS)}, NotEligibleError, "may break the glass"),
    "no-holder-of-the-terms": (
        broke(REQUEST),
        {"terms": replace(TERMS, holders=frozenset())},
        NotEligibleError,
        "may break the glass",
    ),
    "a-hard-rule": (broke(REQUEST), {"standing": standing(hard=True)}, BreakGlassError, "a rule that is not hard"),
    "another-tool": (
        broke(REQUEST),
        {"terms": replace(TERMS, tools=frozenset({"refund", "payments/payout"}))},
        BreakGlassError,
        "a tool in the scope",
    ),
    "no-justification": (broke(REQUEST, text=None), {}, ApprovalError, "a justification of at least 20 characters"),
    "a-short-one": (broke(REQUEST, text="x" * 19), {}, ApprovalError, "a justification"),
    "blanks": (broke(REQUEST, text="x" + " " * 40), {}, ApprovalError, "a justification"),
}


@pytest.mark.requirement("I12")
@pytest.mark.parametrize(("signed", "changes", "error", "message"), MAY_NOT.values(), ids=MAY_NOT)
def test_nobody_else_and_nothing_else(
    signed: SignedVote, changes: dict[str, object], error: type[ApprovalError], message: str
) -> None:
    values = {"standing": PENDING, "terms": TERMS, "electorate": ELECTORATE} | changes
    with pytest.raises(error, match=message) as caught:
        check_glass(vote=signed.vote, **values)  # type: ignore[arg-type]
    assert type(caught.value) is error


@pytest.mark.requirement("I8")
@pytest.mark.parametrize("editor_may_approve", [False, True], ids=["not-by-default", "where-the-rule-says-so"])
def test_an_editor_breaks_the_glass_over_the_edit_only_where_it_may_approve(editor_may_approve: bool) -> None:
    decision = permits(replace(OBLIGATION, editor_may_approve=editor_may_approve))
    edited = edit_request(REQUEST, bound({"amount_cents": 1}), decision, members=MEMBERS, key=KEY, now=TEN)
    edit = voted(REQUEST, MAX, answer=Answer.EDIT, digest=edited.digest, arguments=edited.arguments)
    where = StandingRequest(edited, RequestStatus.PENDING)
    if editor_may_approve:
        check_glass(where, broke(edited).vote, TERMS, electorate=ELECTORATE, cast=(edit,))
    else:
        with pytest.raises(NotEligibleError, match="other than who edited it"):
            check_glass(where, broke(edited).vote, TERMS, electorate=ELECTORATE, cast=(edit,))
    check_glass(where, broke(edited).vote, TERMS, electorate=ELECTORATE, cast=(voted(REQUEST, MAX),))


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def glass(used_at: datetime, *, approver: str = MAX, reviewed: bool = False, due: timedelta = 2 * DAY) -> BrokenGlass:
    finding = ReviewFinding.REVIEWED if reviewed else None
    return BrokenGlass("7f3a", approver, used_at, used_at + due, finding)


LEFT: dict[str, tuple[tuple[BrokenGlass, ...], int]] = {
    "none-used": ((), 2),
    "one-used": ((glass(TEN - HOUR),), 1),
    "used-by-another": ((glass(TEN - HOUR, approver=ANA),) * 3, 2),
    "used-before-the-period": ((glass(TEN - DAY), glass(TEN - DAY)), 2),
    "reviewed-long-after-its-date": ((glass(TEN - 9 * DAY, reviewed=True),), 2),
    "due-in-a-second": ((glass(TEN - DAY, due=DAY + timedelta(seconds=1)),), 2),
}


@pytest.mark.parametrize(("used", "left"), LEFT.values(), ids=LEFT)
def test_what_is_left_is_counted_per_person_and_period(used: tuple[BrokenGlass, ...], left: int) -> None:
    assert glass_left(TERMS, used, approver=MAX, now=TEN) == left


NONE_LEFT: dict[str, tuple[tuple[BrokenGlass, ...], str]] = {
    "as-many-as-the-terms-permit": (
        (glass(TEN - HOUR), glass(TEN - HOUR)),
        "break-glass by max@example.com: expected at most 2 within 1 d, got 2 already",
    ),
    "reviewed-ones-count-too": ((glass(TEN - HOUR, reviewed=True),) * 2, "got 2 already"),
    "one-with-another-spelling": ((glass(TEN - HOUR), glass(TEN - HOUR, approver=MAX.upper())), "got 2 already"),
    "one-from-a-clock-ahead": ((glass(TEN + HOUR), glass(TEN - HOUR)), "got 2 already"),
    "just-within-the-period": ((glass(TEN - DAY + timedelta(microseconds=1)),) * 2, "got 2 already"),
    "an-overdue-review": ((glass(TEN - 2 * DAY),), "got 1 overdue, the first that of request 7f3a"),
    "an-overdue-review-of-another": ((glass(TEN - 9 * DAY, approver=ANA),), "1 overdue"),
}


@pytest.mark.requirement("I12")
@pytest.mark.parametrize(("used", "message"), NONE_LEFT.values(), ids=NONE_LEFT)
def test_the_glass_is_not_broken_without_bound_or_review(used: tuple[BrokenGlass, ...], message: str) -> None:
    with pytest.raises(BreakGlassError, match=message):
        glass_left(TERMS, used, approver=MAX, now=TEN)


def test_terms_that_permit_none_permit_none() -> None:
    terms: BreakGlassTerms = replace(TERMS, per_person=0)
    with pytest.raises(BreakGlassError, match="at most 0"):
        glass_left(terms, (), approver=MAX, now=TEN)
