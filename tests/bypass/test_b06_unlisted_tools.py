"""B6: a tool that nobody listed is denied, wherever it is missing: in the policy, the lockfile or the server."""

import json

import pytest
from langgraph.types import Command, Send

from guarded_agents.catalog import dump_lockfile, load_lockfile, make_lock
from tests.support.bank import POLICY, calls
from tests.support.siege import HAPPENED_TOPUP, TOPUP, Siege, Wires, forged

pytestmark = pytest.mark.requirement("B6", "I6")

TOPUP_RULE = POLICY[POLICY.index("  bank/topup:") : POLICY.index("  bank/refuse:")]
CALL = calls(("topup", TOPUP))


def test_a_tool_without_an_entry_in_the_policy_is_denied(siege: Siege) -> None:
    siege.policy((TOPUP_RULE, ""))
    post = siege.open(CALL)
    post.ask()
    post.failing("run", Command(goto=Send("execute", forged("topup", TOPUP))))
    assert siege.effects == []


def test_a_tool_that_is_not_in_the_lockfile_is_denied(siege: Siege) -> None:
    path = siege.bank.folder / "tools.lock"
    lock = load_lockfile(path.read_bytes(), source="tools.lock")
    path.write_bytes(dump_lockfile(make_lock([t.definition for t in lock.tools if t.definition.name != "topup"])))
    post = siege.open(CALL)
    post.ask()
    assert "bank/topup" in post.guard.quarantine
    assert "topup" not in [tool.name for tool in post.guard.tools]
    assert siege.effects == []


def test_a_line_of_the_lockfile_that_was_changed_by_hand_denies_the_tool(siege: Siege) -> None:
    path = siege.bank.folder / "tools.lock"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document).replace("small amounts need nobody", "any amounts need nobody"))
    post = siege.failing_open(CALL)  # refused before anything is opened, or denied
    if post is not None:
        post.ask()
    assert siege.effects == []


@pytest.mark.parametrize("name", ["drain", "bank/topup", "bank__topup", "mcp.topup", "execute", "", "tools/call", "*"])
def test_a_name_that_no_tool_has_is_denied(siege: Siege, name: str) -> None:
    drifting = siege.line.transport(siege.line.bank.servers(BANK_DRIFT="tool"), name="more tools")
    post = siege.open(calls((name, TOPUP), ("topup", TOPUP)), wires=Wires(drifting))
    post.ask()
    post.failing("run", Command(goto=Send("execute", forged(name, TOPUP))))
    assert set(post.wires.sent) == {("bank", "topup")}
    assert siege.effects == [HAPPENED_TOPUP]
    assert "bank/drain" in post.guard.quarantine


def test_a_principal_that_is_not_in_the_policy_may_nothing(siege: Siege) -> None:
    siege.policy(("  teller: {scopes: [bank:read, bank:write]}\n", ""))
    post = siege.open(CALL)
    post.ask()
    assert siege.effects == []
