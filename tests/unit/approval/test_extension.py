"""Which statements extend the plan of a thread."""

from datetime import timedelta

import pytest

from guarded_agents.approval import check_extension
from guarded_agents.errors import ApprovalError, NotEligibleError, ProofError
from guarded_agents.records import PlanExtension
from tests.support.approvals import ACCESS, ANA, MEMBERS, TEN, ZOE

GROUPS = {"finance": MEMBERS}
DAY = timedelta(days=1)
pytestmark = pytest.mark.requirement("I7")


def extension(**changes: object) -> PlanExtension:
    values: dict[str, object] = {"thread": "t1", "tool": "bank/wire", "approver": ANA, "at": TEN, "nonce": "0" * 32}
    return PlanExtension(**(values | changes))  # type: ignore[arg-type]


COUNTING = {
    "signed now": extension(),
    "with a reason": extension(text="the invoice has to be paid today"),
    "signed a day ago": extension(at=TEN - DAY),
    "clock a little ahead": extension(at=TEN + timedelta(minutes=5)),
}


@pytest.mark.parametrize("statement", COUNTING.values(), ids=COUNTING)
def test_one_who_is_asked_about_the_tool_extends_the_plan(statement: PlanExtension) -> None:
    check_extension(statement, groups=GROUPS, requester=ACCESS.principal, now=TEN)


REFUSED: dict[str, tuple[PlanExtension, dict[str, frozenset[str]], type[ApprovalError], str]] = {
    "by the requester": (
        extension(approver="desk-agent"),
        {"finance": frozenset({"desk-agent"})},
        NotEligibleError,
        "other than who asks",
    ),
    "by whom it acts for": (
        extension(approver="Bob"),
        {"finance": frozenset({"Bob"})},
        NotEligibleError,
        "other than who asks",
    ),
    "by no member": (extension(approver=ZOE), GROUPS, NotEligibleError, "a member of finance, got"),
    "with a long text": (extension(text="x" * 4_001), GROUPS, ApprovalError, "at most 4,000 characters"),
    "with a nonce in capitals": (extension(nonce="A" * 32), GROUPS, ApprovalError, "a nonce of 32 hex digits"),
    "from the future": (extension(at=TEN + timedelta(minutes=6)), GROUPS, ProofError, "one from the future"),
    "signed long ago": (
        extension(at=TEN - DAY - timedelta(microseconds=1)),
        GROUPS,
        ProofError,
        "a statement signed since a day ago, got an older one",
    ),
}


@pytest.mark.parametrize(("statement", "groups", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_count_says_why(
    statement: PlanExtension, groups: dict[str, frozenset[str]], error: type[ApprovalError], said: str
) -> None:
    with pytest.raises(error, match=said):
        check_extension(statement, groups=groups, requester=ACCESS.principal, now=TEN)
