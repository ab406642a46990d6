"""What `policy check` notes: no error, and seldom meant."""

from datetime import UTC, datetime

import pytest

from guarded_agents.policy import load_policy, seldom_meant

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEXT = """\
version: 1
signers: keys
operators: finance
principals:
  ana: {scopes: [read]}
  desk: {scopes: [pay, read]}
approvers:
  finance: {members: [ana, raj], backup: leads}
  leads: {members: [lea]}
  audit: {members: [lea, max, zoe]}
  cloud: {external: true}
break_glass: {holders: [lea, max], tools: [bank/pay], reviewers: audit}
tools:
  bank/see: {scope: read, effect: read}
  bank/pay:
    scope: pay
    effect: write
    verbs: [pay]
    permit_when: args.n < 9
    approval: {approvers: finance, quorum: 2, decide_within: 4h, execute_within: 15m, escalate_within: 1h}
exceptions:
  - {id: EX-1, allows: bank/pay, when: args.n < 99, until: 2027-01-31, reason: r, granted_by: [ana]}
"""
ESCALATION = ", escalate_within: 1h"
# what is put in the place of what, and the beginnings of the notes
NOTED = {
    "nothing": ({}, ()),
    "a value that is never taken out": (
        {"effect: read}": "effect: read, receives: [iban, password]}"},
        ("tool bank/see: it receives values of kind iban",),
    ),
    "a scope that nobody has": ({"scope: read": "scope: see"}, ("tool bank/see: no principal has its scope see",)),
    "an exception that ended": ({"2027-01-31": "2026-01-31"}, ("exception EX-1: it ended at 2026-01-31",)),
    "no keys": (
        {"signers: keys": ""},
        ("signers: no file of approvers' keys", "break_glass: no file of approvers' keys"),
    ),
    "a backup that is never asked": ({ESCALATION: ""}, ("approvers finance: no approval escalates",)),
    "a backup of the same people": ({"members: [lea]}": "members: [Raj]}"}, ("approvers finance: everybody in",)),
    "a backup that a directory knows": ({"members: [lea]}": "external: true}"}, ()),
    "no verbs": ({"    verbs: [pay]\n": ""}, ("tool bank/pay: it has no verbs, so each call of it is asked about",)),
    "no operators": ({"operators: finance": ""}, ("operators: no group is named",)),
    "operators who may ask": ({"ana: {scopes: [read]}": "ana: {scopes: [pay]}"}, ()),
    "a principal that too few could approve": (
        {"ana: {scopes: [read]}": "raj: {scopes: [pay]}", ESCALATION: ""},
        ("approvers finance: no approval escalates", "tool bank/pay: without raj its approvers are too few"),
    ),
    "a bound that bounds nothing": (
        {"version: 1": "version: 1\nqueue: {per_principal: 101}"},
        ("queue.per_principal: it is above per_tenant",),
    ),
    "a principal that fills a group by default": (
        {"members: [ana, raj]": "members: [ana, raj], capacity: 20"},
        ("approvers finance: one principal can fill its capacity of 20",),
    ),
    "a tenant that fills a group by default, where principals may act in any": (
        {"members: [ana, raj]": "members: [ana, raj], capacity: 100"},
        ("approvers finance: one tenant can fill its capacity of 100",),
    ),
    "a tenant that fills a group by default, beside another": (
        {
            "members: [ana, raj]": "members: [ana, raj], capacity: 21",
            "scopes: [pay, read]": "scopes: [pay], tenants: [a, b]",
        },
        ("approvers finance: one tenant can fill its capacity of 21",),
    ),
    "the only tenant": (
        {
            "members: [ana, raj]": "members: [ana, raj], capacity: 21",
            "scopes: [pay, read]": "scopes: [pay], tenants: [a]",
        },
        (),
    ),
    "a small group that nobody waits for": ({"members: [lea, max, zoe]": "members: [lea, max, zoe], capacity: 1"}, ()),
    "holders who review one another": (
        {"[lea, max, zoe]": "[LEA, max]"},
        ("break_glass: everybody in audit may break the glass",),
    ),
    "reviewers that a directory knows": ({"reviewers: audit": "reviewers: cloud"}, ()),
    "a holder who is a principal": (
        {"ana: {scopes: [read]}": "Max: {scopes: [pay]}"},
        ("break_glass: max may call bank/pay",),
    ),
}


@pytest.mark.parametrize(("changes", "notes"), NOTED.values(), ids=NOTED)
def test_what_is_seldom_meant_is_noted(changes: dict[str, str], notes: tuple[str, ...]) -> None:
    text = TEXT
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    told = seldom_meant(load_policy(text.encode(), source="p"), now=NOW)
    assert len(told) == len(notes), told
    assert all(line.startswith(begins) for line, begins in zip(told, notes, strict=True)), told


@pytest.mark.parametrize(
    ("tool", "noted"),
    [
        ("effect: read", False),
        ("effect: write, verbs: [go]", True),
        ("effect: read, approval: {approvers: fin, decide_within: 1h, execute_within: 1m}", True),
    ],
    ids=["a plain read", "an effect", "a read that waits"],
)
def test_operators_are_missed_where_a_call_can_be_in_doubt(tool: str, *, noted: bool) -> None:
    text = f"""\
version: 1
signers: keys
principals: {{desk: {{scopes: [a]}}}}
approvers: {{fin: {{members: [ana]}}}}
tools: {{s/t: {{scope: a, {tool}}}}}
"""
    told = seldom_meant(load_policy(text.encode(), source="p"), now=NOW)
    assert [line.partition(":")[0] for line in told] == (["operators"] if noted else [])
