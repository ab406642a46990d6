"""B2: what was decided when the call was held is decided otherwise when it is resumed; the approval is then void."""

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guarded_agents import Answer, NotEligibleError
from tests.support.bank import RAJ, calls
from tests.support.siege import HAPPENED_WIRE, WIRE, Siege, statuses

pytestmark = pytest.mark.requirement("B2", "I2")

ASKED = "approval: {id: wire-approval, approvers: finance, quorum: 1, decide_within: 4h, execute_within: 15m}"
SCRIPT = calls(("wire", WIRE))
CHANGES = {
    "needs nobody any more": (f"    {ASKED}\n", ""),
    "needs somebody only above": (
        ASKED,
        ASKED.replace("wire-approval,", "wire-approval, when: args.amount_cents > 5000,"),
    ),
    "permits less": ("<= 100000", "<= 899"),
    "permits more": ("<= 100000", "<= 1000000"),
    "permits all": ("    permit_when: 0 < args.amount_cents && args.amount_cents <= 100000\n", ""),
    "takes the scope": ("teller: {scopes: [bank:read, bank:write]}", "teller: {scopes: [bank:read]}"),
    "asks for another scope": ("bank/wire:\n    scope: bank:write", "bank/wire:\n    scope: bank:drop"),
    "gives the group another member": ("[ana@example.com, raj@example.com]", "[ana@example.com, eve@example.com]"),
    "asks for more approvers": ("quorum: 1", "quorum: 2"),
    "calls it a read": (
        "bank/wire:\n    scope: bank:write\n    effect: write",
        "bank/wire:\n    scope: bank:write\n    effect: read",
    ),
    "gives more time": ("execute_within: 15m", "execute_within: 20h"),
    "sets a limit": (f"    {ASKED}\n", f"    {ASKED}\n    limits: {{per_thread: 9}}\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("voted", ["before the change", "after the change"])
def test_an_approval_is_void_once_the_policy_has_changed(siege: Siege, change: tuple[str, str], voted: str) -> None:
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    [request] = first.waits()
    if voted == "before the change":
        first.call("vote", siege.signed(first, request))
    siege.policy(change)
    second = siege.open(SCRIPT, saver=saver)
    if voted == "after the change":
        second.failing("call", "resume", siege.signed(second, request))
    second.failing("call", "wake", "t1")
    for snapshot in second.history():
        second.failing("run", at=snapshot.config, context=None)
    assert siege.effects == []


@pytest.mark.parametrize("change", [CHANGES["needs nobody any more"], CHANGES["calls it a read"]])
def test_a_rejected_call_stays_rejected_when_it_needs_nobody_any_more(siege: Siege, change: tuple[str, str]) -> None:
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    [request] = first.waits()
    first.call("vote", siege.signed(first, request, Answer.REJECT))
    siege.policy(change)
    second = siege.open(SCRIPT, saver=saver)
    second.call("wake", "t1")
    for snapshot in second.history():
        second.failing("run", at=snapshot.config)
    assert siege.effects == []


def test_a_call_that_waits_does_not_run_when_it_needs_nobody_any_more(siege: Siege) -> None:
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    siege.policy(CHANGES["needs nobody any more"])
    second = siege.open(SCRIPT, saver=saver)
    for _ in range(3):
        second.failing("call", "wake", "t1")
    assert siege.effects == []


def test_a_person_who_left_the_group_does_not_count_any_more(siege: Siege) -> None:
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    [request] = first.waits()
    signed = siege.signed(first, request)
    siege.policy(("[ana@example.com, raj@example.com]", "[raj@example.com]"))
    second = siege.open(SCRIPT, saver=saver)
    with pytest.raises(NotEligibleError):
        second.call("resume", signed)
    assert siege.effects == []


def test_an_unchanged_policy_honours_the_approval_after_a_restart(siege: Siege) -> None:
    """The control: a change elsewhere in the file touches no approval."""
    saver = InMemorySaver()
    first = siege.open(SCRIPT, saver=saver)
    first.ask()
    [request] = first.waits()
    first.call("vote", siege.signed(first, request, approver=RAJ))
    siege.policy(("args.amount_cents <= 500,", "args.amount_cents <= 400,"))
    second = siege.open(SCRIPT, saver=saver)
    second.call("wake", "t1")
    assert siege.effects == [HAPPENED_WIRE]
    assert statuses(second, [request]) == ["consumed"]
