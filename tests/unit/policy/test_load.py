"""From the bytes of a policy file to a Policy, or one clear error."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from pydantic import ValidationError

from guarded_agents.errors import PolicyError
from guarded_agents.policy import Policy, RulePolicy, load_policy
from guarded_agents.policy._file import ContentRule, Recording
from guarded_agents.records import BreakGlassTerms, Confidentiality, Integrity, Labels, QueueLimits, ToolEffect

WHOLE = b"""\
version: 1
signers: approvers.keys
principals:
  desk-agent: {scopes: [refunds:write, orders:read, mail:send]}
  clerk: {scopes: [orders:read], tenants: [acme]}
approvers:
  finance: {members: [raj@example.com, ana@example.com], backup: leads, capacity: 50}
  leads: {members: [lea@example.com]}
  audit: {external: true}
tools:
  orders/get_order: {scope: orders:read, effect: read, record: durable, result: {confidentiality: internal}}
  payments/refund:
    id: refund
    scope: refunds:write
    effect: write
    irreversible: true
    atomic: true
    permit_when: 0 < args.amount_cents && args.amount_cents <= 50000
    deny_when:
      - {id: no-test-orders, when: args.order_id.startsWith('test'), hard: true}
    arguments:
      order_id: {use: target, natural_key: true}
      amount_cents: {use: amount}
      note: {use: content, content: no_new_tokens}
    schema: {type: object, required: [amount_cents], properties: {amount_cents: {type: integer}}}
    approval:
      id: refund-over-50
      when: args.amount_cents > 5000
      approvers: finance
      quorum: 2
      decide_within: 4h
      execute_within: 15m
      escalate_within: 30m
      editor_may_approve: true
    limits: {per_thread: 3, per_hour: 20}
  mail/send:
    {scope: mail:send, effect: egress, idempotent: true,
     approval: {approvers: leads, decide_within: 30s, execute_within: 2d}}
exceptions:
  - id: EX-7
    allows: payments/refund
    when: args.amount_cents <= 60000
    until: 2027-01-31
    reason: the bank was down
    granted_by: [ana@example.com]
operators: leads
queue: {per_principal: 10, per_tenant: 20, ask_again_after: 5m}
break_glass:
  holders: [Max@example.com, lea@example.com]
  tools: [mail/send, payments/refund]
  reviewers: audit
  per_person: 2
  period: 14d
  execute_within: 5m
  review_within: 1d
"""


def test_a_whole_policy_is_read_as_it_stands() -> None:
    policy = load_policy(WHOLE, source="policy.yaml")
    assert policy.digest == sha256(WHOLE).hexdigest()
    assert policy.source == "policy.yaml"
    assert policy.signers == "approvers.keys"
    assert policy.principals["desk-agent"].scopes == ("mail:send", "orders:read", "refunds:write")
    assert policy.principals["clerk"].tenants == ("acme",)
    assert policy.members("finance") == ("ana@example.com", "raj@example.com")
    assert policy.members("Finance") == ()
    assert policy.approvers["finance"].backup == "leads"
    assert policy.operators == "leads"
    order = policy.tools["orders/get_order"]
    assert (order.effect, order.record) == (ToolEffect.READ, Recording.DURABLE)
    assert order.result == Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.INTERNAL)
    refund = policy.tools["payments/refund"]
    assert refund.approval is not None
    assert (refund.approval.decide_within_s, refund.approval.execute_within_s) == (14_400, 900)
    assert refund.approval.escalate_within_s == 1_800
    assert refund.arguments["note"].content is ContentRule.NO_NEW_TOKENS
    assert refund.result == Labels()
    exception = policy.exceptions[0]
    assert exception.until == datetime(2027, 1, 31, tzinfo=UTC)
    assert exception.is_live(now=exception.until - timedelta(seconds=1))
    assert not exception.is_live(now=exception.until)


def test_a_policy_tells_what_may_wait_and_who_may_break_the_glass() -> None:
    policy = load_policy(WHOLE, source="policy.yaml")
    waiting = QueueLimits(per_group=50, per_principal=10, per_tenant=20, ask_again_after_s=300)
    assert policy.queue_limits("finance") == waiting
    assert policy.queue_limits("leads") == policy.queue_limits("none") == replace(waiting, per_group=200)
    assert policy.external_groups == ("audit",)
    assert policy.members("audit") == ()
    assert policy.glass == BreakGlassTerms(
        holders=frozenset({"Max@example.com", "lea@example.com"}),
        tools=frozenset({"mail/send", "payments/refund"}),
        per_person=2,
        period_s=14 * 86_400,
        execute_within_s=300,
        review_within_s=86_400,
        reviewers="audit",
    )


def test_what_a_policy_leaves_out_of_its_queue_and_its_glass_has_a_default() -> None:
    bare = load_policy(b"version: 1\ntools: {}\n", source="p")
    assert bare.queue_limits("any") == QueueLimits()
    assert (bare.glass, bare.operators, bare.external_groups) == (None, None, ())
    kept = b"".join(
        line
        for line in WHOLE.splitlines(keepends=True)
        if not line.startswith((b"  per_person", b"  period", b"  execute", b"  review_within"))
    )
    glass = load_policy(kept, source="p").glass
    assert glass is not None
    assert (glass.per_person, glass.period_s) == (1, 7 * 86_400)
    assert (glass.execute_within_s, glass.review_within_s) == (900, 3 * 86_400)


def test_a_policy_is_frozen() -> None:
    policy = load_policy(WHOLE, source="policy.yaml")
    with pytest.raises(ValidationError):
        policy.digest = "0"  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy.tools["a/b"] = policy.tools["mail/send"]  # type: ignore[index]
    with pytest.raises(TypeError):
        policy.tools["mail/send"].arguments["x"] = None  # type: ignore[index]


def line_of(text: str) -> int:
    return WHOLE.decode().split(text, 1)[0].count("\n") + 1


# what is put in the place of what, the words that the error has, and the text on whose line the error stands
BROKEN = {
    "an unknown section": ("signers:", "signer:", "a key of this section", "signers:"),
    "an unknown key": ("irreversible: true", "ireversible: true", "'ireversible'", "irreversible:"),
    "a key that only a loaded policy has": ("signers: approvers.keys", "digest: abc", "'digest'", "signers:"),
    "a python name for a key": ("decide_within: 4h", "decide_within_s: 4h", "'decide_within_s'", "decide_within: 4h"),
    "no version": ("version: 1\n", "", "the key 'version'", "version"),
    "another version": ("version: 1", "version: 2", "expected 1 at version", "version"),
    "a version as text": ("version: 1", "version: '1'", "expected 1 at version", "version"),
    "no scope": ("    scope: refunds:write\n", "", "the key 'scope'", "payments/refund:"),
    "an unknown effect": ("effect: write", "effect: delete", "'read', 'write' or 'egress'", "effect: write"),
    "an effect in capitals": ("effect: write", "effect: Write", "'read', 'write' or 'egress'", "effect: write"),
    "a flag as text": ("irreversible: true", "irreversible: 'true'", "a valid boolean", "irreversible:"),
    "a flag as number": ("irreversible: true", "irreversible: 1", "a valid boolean", "irreversible:"),
    "a flag that is null": ("irreversible: true", "irreversible: null", "got null", "irreversible:"),
    "a condition that is a boolean": (
        "when: args.amount_cents > 5000",
        "when: true",
        "got True",
        "when: args.amount_cents > 5000",
    ),
    "a condition that is a list": (
        "when: args.amount_cents > 5000",
        "when: []",
        "got a sequence",
        "when: args.amount_cents > 5000",
    ),
    "a bad condition": (
        "args.amount_cents > 5000",
        "amount_cents > 5000",
        "one of the names",
        "args.amount_cents > 5000",
    ),
    "a bad permit": ("0 < args.amount_cents &&", "0 <", "a chain", "permit_when"),
    "a bad deny": (
        "args.order_id.startsWith('test')",
        "args.order_id.starts('test')",
        "one of the methods",
        "no-test-orders",
    ),
    "a bad exception": ("args.amount_cents <= 60000", "foo(1)", "one of the functions", "args.amount_cents <= 60000"),
    "a tool without a server": ("mail/send:", "send:", "match", "mail/send"),
    "a tool with a space": ("mail/send:", "mail/send mail:", "match", "mail/send"),
    "a scope with a space": ("scope: refunds:write", "scope: 'refunds: write'", "match", "scope: refunds"),
    "a scope twice": ("[orders:read], tenants", "[orders:read, orders:read], tenants", "each name once", "clerk"),
    "a signers path": ("approvers.keys", "../approvers.keys", "match", "signers"),
    "a duration without unit": ("decide_within: 4h", "decide_within: 4", "a duration", "decide_within: 4h"),
    "a duration of nothing": ("decide_within: 4h", "decide_within: 0h", "a duration", "decide_within: 4h"),
    "a duration in words": ("decide_within: 4h", "decide_within: 4 hours", "a duration", "decide_within: 4h"),
    "a duration of two": ("decide_within: 4h", "decide_within: 1h30m", "a duration", "decide_within: 4h"),
    "too long a duration": ("decide_within: 4h", "decide_within: 91d", "at most 90d", "decide_within: 4h"),
    "a quorum of nobody": ("quorum: 2", "quorum: 0", "greater than or equal to 1", "quorum"),
    "a quorum larger than the group": ("quorum: 2", "quorum: 3", "at most 2", "quorum"),
    "a limit of nothing": ("per_thread: 3", "per_thread: 0", "greater than or equal to 1", "per_thread"),
    "an unknown group": ("approvers: finance", "approvers: Finance", "a group of this file", "approvers: finance"),
    "an unknown backup": ("backup: leads", "backup: lead", "another group", "finance: {"),
    "itself as backup": ("backup: leads", "backup: finance", "another group", "finance: {"),
    "an escalation to nobody": ("backup: leads, ", "", "a backup of finance", "escalate_within"),
    "a group without members": ("{members: [lea@example.com]}", "{}", "at least one member", "leads: {"),
    "an external group with members": (
        "{members: [lea@example.com]}",
        "{members: [lea@example.com], external: true}",
        "none for an external group",
        "leads: {",
    ),
    "a quorum of one person in two spellings": (
        "[raj@example.com, ana@example.com]",
        "[Ana@example.com, ana@example.com]",
        "at most 1",
        "quorum: 2",
    ),
    "a quorum that only the principal itself could meet": (
        "desk-agent:",
        "LEA@Example.com:",
        "enough approvers other than who asks",
        "approval: {approvers: leads",
    ),
    "a glass without holders": ("[Max@example.com, lea@example.com]", "[]", "at least 1 item", "holders"),
    "a holder twice": ("[Max@", "[lea@example.com, Max@", "each name once", "holders"),
    "a holder in two spellings": ("[Max@", "[LEA@example.com, Max@", "each person once", "holders"),
    "a glass for no tool": ("[mail/send, payments/refund]", "[]", "at least 1 item", "tools: [mail"),
    "a glass for a tool twice": (
        "[mail/send, payments",
        "[mail/send, mail/send, payments",
        "each name",
        "tools: [mail",
    ),
    "a glass for an unknown tool": ("[mail/send, payments", "[mail/Send, payments", "does not list", "tools: [mail"),
    "a glass for a tool that nobody approves": (
        "[mail/send, payments",
        "[orders/get_order, payments",
        "which nobody has to approve",
        "tools: [mail",
    ),
    "a glass for a hard tool": ("idempotent: true", "hard: true", "'mail/send', which is hard", "tools: [mail"),
    "a glass without reviewers": ("  reviewers: audit\n", "", "the key 'reviewers'", "break_glass:"),
    "reviewers that are no group": ("reviewers: audit", "reviewers: auditors", "a group of this file", "reviewers"),
    "a reviewer who is a holder": ("reviewers: audit", "reviewers: leads", "other than who breaks", "reviewers"),
    "a glass that nobody may break": ("per_person: 2", "per_person: 0", "greater than or equal to 1", "per_person"),
    "a glass for ever": ("period: 14d", "period: 400d", "at most 90d", "period"),
    "an unknown key of a glass": ("per_person: 2", "per_day: 2", "'per_day'", "per_person"),
    "operators that are no group": ("operators: leads", "operators: lead", "a group of this file", "operators"),
    "operators as a list": ("operators: leads", "operators: [leads]", "got a sequence", "operators"),
    "a queue of nothing": ("per_tenant: 20", "per_tenant: 0", "greater than or equal to 1", "queue"),
    "an unknown bound of a queue": ("per_tenant: 20", "per_group: 20", "'per_group'", "queue"),
    "a principal that fills a group": ("per_principal: 10", "per_principal: 50", "less than 50, the capacity", "queue"),
    "a group in the name of the holders": ("  audit: {ext", "  break_glass: {ext", "another name", "audit: {"),
    "a question that is asked again at once": ("ask_again_after: 5m", "ask_again_after: 0m", "a duration", "queue"),
    "a group of nobody": ("[lea@example.com]", "[]", "at least one member", "leads: {"),
    "a member twice": ("[lea@example.com]", "[lea@example.com, lea@example.com]", "each name once", "leads: {"),
    "an escalation too late": ("escalate_within: 30m", "escalate_within: 4h", "escalation before", "escalate_within"),
    "an id twice": ("id: refund-over-50", "id: EX-7", "unique at exceptions.0.id", "id: EX-7"),
    "an id of a default": ("id: refund-over-50", "id: permit:mail/send", "unique", "mail/send"),
    "the reserved id": ("id: refund\n", "id: default-deny\n", "unique", "id: refund\n"),
    "an id of a deny rule twice": ("id: no-test-orders", "id: refund", "unique", "no-test-orders"),
    "an exception for an unknown tool": (
        "allows: payments/refund",
        "allows: payments/Refund",
        "a tool of this file",
        "allows",
    ),
    "an exception for a hard tool": ("    atomic: true", "    hard: true", "that is not hard", "allows"),
    "an exception from nothing": ("allows: payments/refund", "allows: mail/send", "a tool with a condition", "allows"),
    "an exception without end": ("    until: 2027-01-31\n", "", "the key 'until'", "- id: EX-7"),
    "an end that is null": ("until: 2027-01-31", "until: null", "ISO 8601", "until"),
    "an end in words": ("until: 2027-01-31", "until: never", "ISO 8601", "until"),
    "an end that is a number": ("until: 2027-01-31", "until: 20270131", "ISO 8601", "until"),
    "an end without zone": ("until: 2027-01-31", "until: 2027-01-31T00:00:00", "ISO 8601", "until"),
    "an end in another zone": ("until: 2027-01-31", "until: 2027-01-31T00:00:00+02:00", "ISO 8601", "until"),
    "an end on no day": ("until: 2027-01-31", "until: 2027-02-31", "day", "until"),
    "an exception granted by nobody": ("[ana@example.com]\n", "[]\n", "at least 1 item", "granted_by"),
    "a natural key that is no target": (
        "{use: amount}",
        "{use: amount, natural_key: true}",
        "use: target",
        "{use: amount}",
    ),
    "a content rule without content": (
        "{use: amount}",
        "{use: amount, content: free}",
        "use: content",
        "{use: amount}",
    ),
    "an effect recorded late": ("    atomic: true", "    record: buffered", "recorded before it is sent", "atomic"),
    "an irreversible read": (
        "effect: read, record",
        "effect: read, irreversible: true, record",
        "what is irreversible",
        "get_order",
    ),
    "a schema that fetches": (
        "{type: integer}",
        "{$ref: 'http://example.com/x'}",
        "at tools.payments/refund.schema",
        "schema",
    ),
    "a schema that is text": ("schema: {type: object", "schema: x\n    #", "an object", "schema"),
    "a label in capitals": ("confidentiality: internal", "confidentiality: Internal", "'internal'", "get_order"),
    "tools as a list": ("tools:", "tools: []\nprincipals_of: ", "object", "tools:"),
}


@pytest.mark.requirement("policy:closed")
@pytest.mark.parametrize(("old", "new", "words", "anchor"), BROKEN.values(), ids=BROKEN)
def test_a_broken_policy_is_refused_with_its_place(old: str, new: str, words: str, anchor: str) -> None:
    whole = WHOLE.decode()
    assert old in whole
    with pytest.raises(PolicyError) as caught:
        load_policy(whole.replace(old, new, 1).encode(), source="policy.yaml")
    assert words in str(caught.value)
    assert caught.value.column is not None
    if old.endswith("\n") and not new:
        assert caught.value.line is not None
    else:
        assert caught.value.line in {line_of(anchor), line_of(anchor) + 1}


def test_an_error_names_file_line_and_column() -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(b"version: 1\ntools:\n  a/b: {scope: x, effekt: read}\n", source="p.yaml")
    assert str(caught.value) == (
        "p.yaml:3:19: expected a key of this section at tools.a/b.effekt, got 'effekt'; correct the policy file"
    )


def test_the_topmost_of_several_errors_is_told() -> None:
    with pytest.raises(PolicyError, match=r"^p:1:10:"):
        load_policy(b"version: 3\ntools: {a/b: {scope: x, effect: y}}\n", source="p")


def test_a_policy_made_by_hand_is_checked_too() -> None:
    policy = load_policy(WHOLE, source="p")
    broken = Policy(version=1, tools=policy.tools, digest="", source="by hand")
    with pytest.raises(PolicyError, match="by hand: expected a group of this file") as caught:
        RulePolicy(broken)
    assert caught.value.line is None


def test_ten_thousand_tools_with_conditions_are_checked_by_their_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from guarded_agents.policy import _condition

    compiled: list[str] = []
    compile_ = _condition.cel.compile
    monkeypatch.setattr(_condition.cel, "compile", lambda text: compiled.append(text) or compile_(text))
    tools = "".join(
        f"  s/t{i}: {{scope: x, effect: read, permit_when: args.unheard_of < {i + 1}}}\n" for i in range(10_000)
    )
    policy = load_policy(f"version: 1\ntools:\n{tools}".encode(), source="p")
    assert len(policy.tools) == 10_000
    assert len(compiled) == 1


PARTS = """\
version: 1
principals:
  ana: {scopes: [pay]}
  desk: {scopes: [pay]}
approvers:
  finance: {members: [ana, raj], backup: leads}
  leads: {members: [lea]}
tools:
  bank/pay:
    scope: pay
    effect: write
    approval: {approvers: finance, quorum: 2, decide_within: 4h, execute_within: 15m, escalate_within: 1h}
"""
ESCALATION = ", escalate_within: 1h"
DESK = "  desk: {scopes: [pay]}\n"
# what is taken away from PARTS or put in its place, and whether the file can still be used
SEPARATED = {
    "another principal can be approved": ({ESCALATION: ""}, True),
    "the backup approves in its place": ({DESK: ""}, True),
    "the principal itself would be needed": ({DESK: "", ESCALATION: ""}, False),
    "in another spelling too": ({DESK: "", ESCALATION: "", "ana: {scopes": "\uff21NA: {scopes"}, False),
    "nobody may ask": ({DESK: "", ESCALATION: "", "scopes: [pay]": "scopes: [see]"}, True),
    "the group may have others": (
        {DESK: "", ESCALATION: "", "members: [ana, raj], backup: leads": "external: true"},
        True,
    ),
    "the backup may have others": ({DESK: "", "members: [lea]": "external: true", "quorum: 2": "quorum: 2"}, True),
    "the backup is the principal too": ({DESK: "", "members: [lea]": "members: [raj]"}, False),
    "one is enough": ({DESK: "", ESCALATION: "", "quorum: 2": "quorum: 1"}, True),
    "a quorum beyond an external group cannot be seen": (
        {ESCALATION: "", "members: [ana, raj], backup: leads": "external: true", "quorum: 2": "quorum: 20"},
        True,
    ),
}


@pytest.mark.requirement("B9")
@pytest.mark.parametrize(("changes", "usable"), SEPARATED.values(), ids=SEPARATED)
def test_an_approval_that_certainly_only_the_requester_could_give_is_refused(
    changes: dict[str, str], *, usable: bool
) -> None:
    text = PARTS
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    if usable:
        assert load_policy(text.encode(), source="p").tools
        return
    with pytest.raises(PolicyError, match="expected enough approvers other than who asks"):
        load_policy(text.encode(), source="p")


REVIEWED = {
    "the only reviewer is a holder": (["lea", "max"], ["lea"], False),
    "in another spelling": (["lea"], ["LEA"], False),
    "two spellings of one holder": (["lea"], ["LEA", "Lea"], False),
    "the holders review one another": (["lea", "max"], ["lea", "max"], True),
    "somebody else": (["lea"], ["ana"], True),
    "a holder and somebody else": (["lea"], ["ana", "lea"], True),
}


@pytest.mark.parametrize(("holders", "reviewers", "usable"), REVIEWED.values(), ids=REVIEWED)
def test_for_each_who_may_break_the_glass_there_is_somebody_else_who_can_review_it(
    holders: list[str], reviewers: list[str], *, usable: bool
) -> None:
    text = (
        PARTS.replace("tools:", f"  audit: {{members: [{', '.join(reviewers)}]}}\ntools:")
        + f"break_glass: {{holders: [{', '.join(holders)}], tools: [bank/pay], reviewers: audit}}\n"
    )
    if usable:
        assert load_policy(text.encode(), source="p").glass is not None
        return
    with pytest.raises(PolicyError, match="expected a reviewer other than who breaks the glass"):
        load_policy(text.encode(), source="p")


@pytest.mark.requirement("I12")
@pytest.mark.parametrize("by_hand", [False, True], ids=["in a file", "by hand"])
def test_the_glass_over_a_hard_tool_cannot_be_broken(*, by_hand: bool) -> None:
    text = PARTS + "break_glass: {holders: [max], tools: [bank/pay], reviewers: leads}\n"
    soft = load_policy(text.encode(), source="p")
    assert soft.glass is not None
    assert soft.glass.tools == {"bank/pay"}
    hard = soft.model_copy(update={"tools": {"bank/pay": soft.tools["bank/pay"].model_copy(update={"hard": True})}})
    written = text.replace("effect: write", "effect: write\n    hard: true").encode()
    with pytest.raises(
        PolicyError, match=r"expected a tool with an approval that is not hard at break_glass\.tools\.0"
    ):
        _ = RulePolicy(hard) if by_hand else load_policy(written, source="p")


A, AND_B, ANY = "ana: {scopes: [pay], tenants: [a]}", "desk: {scopes: [pay], tenants: [a, b]}", "desk: {scopes: [pay]}"
SEE_B = "desk: {scopes: [see], tenants: [b]}"
# capacity, queue, who may ask, and what stands in the error; "" where the file can be used
FILLED = {
    "below the capacity": ("capacity: 3", "{per_principal: 2, per_tenant: 2}", (A, AND_B), ""),
    "a principal that fills it": (
        "capacity: 3",
        "{per_principal: 3}",
        (A,),
        "less than 3, the capacity of finance at queue.per_principal",
    ),
    "a tenant that fills it for another": (
        "capacity: 3",
        "{per_tenant: 3}",
        (A, AND_B),
        "less than 3, the capacity of finance at queue.per_tenant",
    ),
    "the only tenant that asks": ("capacity: 3", "{per_tenant: 3}", (A, SEE_B), ""),
    "perhaps the only tenant": ("capacity: 3", "{per_tenant: 3}", (A, ANY), ""),
    "by default": ("capacity: 3", "{ask_again_after: 1m}", (A, AND_B), ""),
    "the capacity by default": ("backup: leads", "{per_principal: 200, per_tenant: 200}", (A, AND_B), ""),
}


@pytest.mark.requirement("I11")
@pytest.mark.parametrize(("capacity", "queue", "askers", "words"), FILLED.values(), ids=FILLED)
def test_bounds_by_which_one_fills_a_group_for_all_are_refused(
    capacity: str, queue: str, askers: tuple[str, ...], words: str
) -> None:
    text = PARTS.replace("backup: leads", f"backup: leads, {capacity}" if "capacity" in capacity else capacity)
    text = (
        text.replace("  ana: {scopes: [pay]}\n" + DESK, "".join(f"  {asker}\n" for asker in askers))
        + f"queue: {queue}\n"
    )
    if not words:
        load_policy(text.encode(), source="p")
        return
    with pytest.raises(PolicyError) as caught:
        load_policy(text.encode(), source="p")
    assert words in str(caught.value)


def test_by_default_nobody_fills_a_group_alone() -> None:
    limits = QueueLimits()
    assert limits.per_principal < limits.per_tenant < limits.per_group
