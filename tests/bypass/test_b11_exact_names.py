"""B11: names are compared exactly, whatever a look-alike, a prefix or another case suggests."""

import pytest

from guarded_agents import GuardContext, Principal
from tests.support.bank import POLICY, asked, calls, thread
from tests.support.siege import HAPPENED_TOPUP, TOPUP, Siege

pytestmark = pytest.mark.requirement("B11", "I6")

RULE = POLICY[POLICY.index("  bank/topup:") : POLICY.index("\n  bank/refuse:")]
DROP = "  bank/drop_table: {scope: bank:drop, effect: write}\n"
CALLED = {
    "case": ["DROP_TABLE", "Drop_Table", "TOPUP"],
    "space": [" drop_table", "drop_table ", "drop_table\n", "drop_table\x00", " topup", "topup "],
    "part": ["drop", "drop_table_now", "drop-table", "top", "topups", "topup*", "top.p"],
    "look-alike": ["drop_tabl\u0435", "\uff44rop_table", "t\u03bfpup", "\uff54opup"],
    "invisible": ["drop\u200b_table", "topup\u200b"],
    "place": ["bank/drop_table", "./drop_table", "bank/topup"],
}
GRANTED = ["bank/top", "bank/topups", "bank/TOPUP", "BANK/topup", "ban/topup", "bank2/topup", "bank/t\u03bfpup"]
SCOPES = ["bank:writ", "bank:writes", "BANK:WRITE", "bank:*", "bank", "*", "bank:write:small"]
PEOPLE = ["Teller", "TELLER", "teller ", " teller", "telle", "tellers", "t\u0435ller", "teller\n", "*", ""]


def test_a_tool_is_called_by_its_exact_name_or_not_at_all(siege: Siege) -> None:
    """Each name is one turn of one thread; the principal may call topup and may not call drop_table."""
    siege.policy((", limits: {per_thread: 3}", ""))
    post = siege.open(
        *[calls((name, TOPUP), (name, {"account": "B"}, "b")) for names in CALLED.values() for name in names],
        calls(("topup", TOPUP)),
    )
    post.call("invoke", asked(), {**thread(), "recursion_limit": 200}, context=_who("teller"))
    assert post.wires.sent == [("bank", "topup")]
    assert siege.effects == [HAPPENED_TOPUP]


@pytest.mark.parametrize("key", GRANTED, ids=ascii)
def test_a_rule_grants_the_tool_that_it_names_and_no_other(siege: Siege, key: str) -> None:
    siege.policy((RULE, RULE.replace("bank/topup", f'"{key}"')))
    post = siege.failing_open(calls(("topup", TOPUP)))
    if post is not None:
        post.ask()
    assert siege.effects == []


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_grants_what_asks_for_exactly_it(siege: Siege, scope: str) -> None:
    siege.policy(("teller: {scopes: [bank:read, bank:write]}", f'teller: {{scopes: [bank:read, "{scope}"]}}'))
    post = siege.failing_open(calls(("topup", TOPUP)))
    if post is not None:
        post.run(asked(), context=GuardContext(Principal(id="teller", scopes=(scope,))))
        post.run(asked("again"), context=GuardContext(Principal(id="teller", scopes=("bank:write", scope))))
    assert siege.effects == []


def test_a_principal_is_who_the_policy_names(siege: Siege) -> None:
    post = siege.open(calls(("topup", TOPUP)))
    for name in PEOPLE:
        post.run(asked(f"as {name}"), context=_who(name))
    assert siege.effects == []


def test_a_token_without_the_scope_takes_it_away(siege: Siege) -> None:
    post = siege.open(calls(("topup", TOPUP)))
    for scopes in ((), ("bank:read",), ("bank:write ",), ("bank:*",)):
        post.run(asked(str(scopes)), context=GuardContext(Principal(id="teller", scopes=scopes)))
    assert siege.effects == []


def _who(name: str) -> GuardContext:
    return GuardContext(Principal(id=name, scopes=("bank:read", "bank:write", "bank:drop")))
