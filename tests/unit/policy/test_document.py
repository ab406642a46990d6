"""The example in docs/policy.md is a policy, and decides as the page says."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import JsonValue

from guarded_agents.policy import RulePolicy, load_policy
from guarded_agents.records import UNEXPOSED, AccessRequest, Labels, Principal, ToolRef

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"
SCOPES = ("orders:read", "refunds:write")


@pytest.mark.parametrize(
    ("amount", "labels", "answer"),
    [
        (5_000, UNEXPOSED, "permit permit:payments/refund"),
        (7_000, Labels(), "permit permit:payments/refund after refund-over-50"),
        (60_000, UNEXPOSED, "permit EX-7 after refund-over-50"),
        (60_001, UNEXPOSED, "deny permit:payments/refund"),
        (20_001, Labels(), "deny no-refund-after-injection"),
        (0, UNEXPOSED, "deny permit:payments/refund"),
    ],
    ids=["small", "held", "excepted", "too much", "tainted", "nothing"],
)
def test_the_example_decides_as_the_page_says(amount: JsonValue, labels: Labels, answer: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 1
    arguments: dict[str, JsonValue] = {"order_id": "A-17", "amount_cents": amount}
    request = AccessRequest(
        Principal(id="desk-agent", scopes=SCOPES), "t", ToolRef("payments", "refund", "d"), arguments, labels
    )
    rules = RulePolicy(load_policy(blocks[0].encode(), source="docs/policy.md"))
    decision = rules.decide(request, now=datetime(2026, 11, 22, tzinfo=UTC))
    after = "" if decision.approval is None else f" after {decision.approval.rule}"
    assert f"{decision.effect} {decision.rule}{after}" == answer
