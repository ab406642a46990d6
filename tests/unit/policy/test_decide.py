"""Deny by default, and what turns it into a permit."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import JsonValue

from guarded_agents.policy import PolicyDecisionPoint, RulePolicy, explain, load_policy
from guarded_agents.records import (
    UNEXPOSED,
    AccessRequest,
    Confidentiality,
    Decision,
    Effect,
    Integrity,
    Labels,
    Limits,
    Principal,
    Reason,
    ToolEffect,
    ToolRef,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = datetime(2027, 1, 31, tzinfo=UTC)
TEXT = """\
version: 1
principals:
  desk: {scopes: [read, write, drop]}
  clerk: {scopes: [read], tenants: [acme]}
  nobody: {}
approvers:
  finance: {members: [ana, raj], backup: leads}
  leads: {members: [lea]}
  others: {members: [zoe]}
  cloud: {external: true}
  desks: {members: [tom], backup: cloud}
break_glass: {holders: [max, lea], tools: [db/urgent, db/mail], per_person: 2, review_within: 2d, reviewers: others}
tools:
  db/get: {scope: read, effect: read, record: durable, result: {integrity: trusted, confidentiality: public}}
  db/drop: {scope: drop, effect: write, permit_when: "false"}
  db/bash: {scope: write, effect: write}
  db/refund:
    scope: write
    effect: write
    irreversible: true
    idempotent: true
    atomic: true
    permit_when: args.amount <= 100
    deny_when:
      - {id: soft, when: args.to == 'x'}
      - {id: hard, when: args.to == 'y', hard: true}
    approval:
      {id: over-50, when: args.amount > 50, approvers: finance, quorum: 2, decide_within: 4h, execute_within: 15m,
       editor_may_approve: true}
    limits: {per_thread: 3, per_hour: 20}
  db/mail: {scope: write, effect: egress, approval: {approvers: leads, decide_within: 1m, execute_within: 1m}}
  db/note: {scope: write, effect: write, approval: {approvers: leads, decide_within: 1m, execute_within: 1m}}
  db/wipe: {scope: write, effect: write, hard: true, permit_when: args.sure}
  db/burn:
    scope: write
    effect: write
    hard: true
    permit_when: args.sure
    approval: {approvers: finance, decide_within: 4h, execute_within: 2m, escalate_within: 1h}
  db/urgent:
    {scope: write, effect: write,
     approval: {approvers: finance, decide_within: 4h, execute_within: 10m, escalate_within: 1h}}
  db/far: {scope: write, effect: write, approval: {approvers: cloud, decide_within: 4h, execute_within: 1m}}
  db/farther:
    {scope: write, effect: write,
     approval: {approvers: desks, decide_within: 4h, execute_within: 1m, escalate_within: 30m}}
  db/strict: {scope: write, effect: write, schema: {type: object, required: [num], properties: {num: {maximum: 5}}}}
exceptions:
  - {id: EX-1, allows: db/refund, when: args.amount <= 200, until: 2027-01-31, reason: r, granted_by: [ana]}
  - {id: EX-0, allows: db/refund, when: args.amount <= 900, until: 2026-01-31, reason: old, granted_by: [ana]}
"""
POLICY = load_policy(TEXT.encode(), source="p")
RULES = RulePolicy(POLICY)
EVERY = ("drop", "read", "write")


def ask(
    tool: str,
    arguments: dict[str, JsonValue] | None = None,
    *,
    principal: str = "desk",
    scopes: tuple[str, ...] = EVERY,
    tenant: str = "acme",
) -> AccessRequest:
    server, _, name = tool.partition("/")
    return AccessRequest(
        Principal(id=principal, scopes=scopes), tenant, ToolRef(server, name, "d"), arguments or {}, UNEXPOSED
    )


def decide(tool: str, arguments: dict[str, JsonValue] | None = None, *, now: datetime = NOW, **who: object) -> Decision:
    request = ask(tool, arguments, **who)  # type: ignore[arg-type]
    decision = RULES.decide(request, now=now)
    told = explain(POLICY, request, now=now)  # whoever asks why is told of the same decision
    assert (told.effect, told.rule, told.reason, told.detail) == (
        decision.effect,
        decision.rule,
        decision.reason,
        decision.detail,
    )
    assert decision.policy == RULES.entries_digest(tool) == told.policy
    return decision


def refund(amount: JsonValue, to: JsonValue = "z") -> dict[str, JsonValue]:
    return {"amount": amount, "to": to}


DENIED: dict[str, tuple[str, dict[str, JsonValue], dict[str, object], Reason, str]] = {
    "an unknown tool": ("db/other", {}, {}, Reason.UNKNOWN_TOOL, "default-deny"),
    "an unknown server": ("bd/get", {}, {}, Reason.UNKNOWN_TOOL, "default-deny"),
    "a principal that is not listed": ("db/get", {}, {"principal": "eve"}, Reason.UNKNOWN_PRINCIPAL, "default-deny"),
    "a principal in capitals": ("db/get", {}, {"principal": "Desk"}, Reason.UNKNOWN_PRINCIPAL, "default-deny"),
    "a tenant that is not listed": (
        "db/get",
        {},
        {"principal": "clerk", "tenant": "umbrella"},
        Reason.UNKNOWN_PRINCIPAL,
        "default-deny",
    ),
    "a scope that the policy lacks": ("db/bash", {}, {"principal": "clerk"}, Reason.MISSING_SCOPE, "default-deny"),
    "a scope that the token lacks": ("db/bash", {}, {"scopes": ("read",)}, Reason.MISSING_SCOPE, "default-deny"),
    "no scopes at all": ("db/get", {}, {"scopes": ()}, Reason.MISSING_SCOPE, "default-deny"),
    "a principal without scopes": ("db/get", {}, {"principal": "nobody"}, Reason.MISSING_SCOPE, "default-deny"),
    "a scope of like name": (
        "db/get",
        {},
        {"scopes": ("READ", "read:all", "rea")},
        Reason.MISSING_SCOPE,
        "default-deny",
    ),
    "a condition that is false": ("db/refund", refund(201), {}, Reason.CONDITION_NOT_MET, "permit:db/refund"),
    "a condition that fails": ("db/refund", {"to": "z"}, {}, Reason.CONDITION_FAILED, "permit:db/refund"),
    "a wrong type": ("db/refund", refund("7"), {}, Reason.CONDITION_FAILED, "permit:db/refund"),
    "a condition that is no boolean": ("db/wipe", {"sure": "true"}, {}, Reason.CONDITION_FAILED, "permit:db/wipe"),
    "a deny rule that fails": ("db/refund", {"amount": 1}, {}, Reason.CONDITION_FAILED, "soft"),
    "a soft deny rule without an exception": ("db/refund", refund(201, "x"), {}, Reason.CONDITION_NOT_MET, "soft"),
    "a hard deny rule": ("db/refund", refund(1, "y"), {}, Reason.CONDITION_NOT_MET, "hard"),
    "a schema mismatch": ("db/strict", {"num": 6}, {}, Reason.SCHEMA_MISMATCH, "permit:db/strict"),
    "a schema mismatch of nothing": ("db/strict", {}, {}, Reason.SCHEMA_MISMATCH, "permit:db/strict"),
}


@pytest.mark.requirement("policy:default-deny")
@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("tool", "arguments", "who", "reason", "rule"), DENIED.values(), ids=DENIED)
def test_a_call_is_denied_unless_a_rule_permits_it(
    tool: str, arguments: dict[str, JsonValue], who: dict[str, object], reason: Reason, rule: str
) -> None:
    decision = decide(tool, arguments, **who)
    assert (decision.effect, decision.reason, decision.rule) == (Effect.DENY, reason, rule)
    assert not decision.permitted
    assert decision.approval is None


@pytest.mark.requirement("B11")
@pytest.mark.parametrize(
    "name",
    ["DROP", " drop", "drop ", "drop_table", "dro", "bash_session", "BASH", "bash\x00", "ｂash", "*", "b.sh", ""],
)
def test_a_name_is_matched_whole_and_as_it_is_written(name: str) -> None:
    assert decide(f"db/{name}").reason is Reason.UNKNOWN_TOOL


@pytest.mark.requirement("B11")
def test_a_server_does_not_run_into_its_tool() -> None:
    rules = RulePolicy(
        load_policy(
            b"version: 1\nprincipals: {desk: {scopes: [x]}}\ntools: {a/b/c: {scope: x, effect: read}}", source="p"
        )
    )

    def answer(server: str, name: str) -> bool:
        request = AccessRequest(Principal(id="desk", scopes=("x",)), "t", ToolRef(server, name, "d"), {}, UNEXPOSED)
        return rules.decide(request, now=NOW).permitted

    assert answer("a", "b/c")
    assert not answer("a/b", "c")
    assert not answer("", "a/b/c")


def test_a_tool_without_conditions_is_permitted_by_its_scope() -> None:
    decision = decide("db/get", {"anything": 1})
    assert decision == Decision(
        effect=Effect.PERMIT,
        rule="permit:db/get",
        reason=Reason.PERMITTED,
        policy=RULES.entries_digest("db/get"),
        tool_effect=ToolEffect.READ,
        durable=True,
        result_labels=Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.PUBLIC),
    )
    assert decide("db/get", principal="clerk").permitted


def test_a_permit_says_all_that_the_policy_declares() -> None:
    decision = decide("db/refund", refund(50))
    assert decision.permitted
    assert (decision.tool_effect, decision.irreversible) == (ToolEffect.WRITE, True)
    assert (decision.idempotent, decision.atomic, decision.durable) == (True, True, False)
    assert decision.limits == Limits(per_thread=3, per_hour=20)
    assert decision.result_labels == Labels()  # the strictest, where the policy says nothing
    assert decision.approval is None


def test_an_approval_is_an_obligation_of_the_permit() -> None:
    obligation = decide("db/refund", refund(51)).approval
    assert obligation is not None
    assert (obligation.rule, obligation.group, obligation.members) == ("over-50", "finance", ("ana", "raj"))
    assert (obligation.quorum, obligation.editor_may_approve) == (2, True)
    assert (obligation.decide_within_s, obligation.execute_within_s) == (14_400, 900)
    assert (obligation.backup, obligation.escalate_within_s) == (None, None)  # the rule asks nobody next


def test_an_approval_that_escalates_names_the_backup_of_its_group() -> None:
    obligation = decide("db/urgent").approval
    assert obligation is not None
    assert (obligation.backup, obligation.escalate_within_s) == ("leads", 3_600)


def test_an_approval_without_condition_is_always_asked_for() -> None:
    obligation = decide("db/mail").approval
    assert obligation is not None
    assert (obligation.rule, obligation.members) == ("approval:db/mail", ("lea",))


@pytest.mark.requirement("B12")
@pytest.mark.parametrize("when", ["args.missing > 1", "args.amount", "args.text > 1"])
def test_an_approval_whose_condition_is_in_doubt_denies(when: str) -> None:
    text = TEXT.replace("when: args.amount > 50", f"when: {when}")
    decision = RulePolicy(load_policy(text.encode(), source="p")).decide(
        ask("db/refund", {**refund(1), "text": "t"}), now=NOW
    )
    assert (decision.effect, decision.reason, decision.rule) == (Effect.DENY, Reason.CONDITION_FAILED, "over-50")


def test_an_exception_permits_what_the_condition_did_not_and_keeps_the_approval() -> None:
    decision = decide("db/refund", refund(150))
    assert (decision.effect, decision.rule, decision.detail) == (Effect.PERMIT, "EX-1", "permitted by an exception")
    assert decision.approval is not None
    assert decide("db/refund", refund(10, "x")).rule == "EX-1"  # a soft deny rule


@pytest.mark.requirement("policy:exceptions-end")
def test_an_exception_ends_at_its_date_and_nothing_renews_it() -> None:
    assert decide("db/refund", refund(150), now=END - timedelta(microseconds=1)).permitted
    assert not decide("db/refund", refund(150), now=END).permitted
    assert not decide("db/refund", refund(500)).permitted  # EX-0 has ended


@pytest.mark.requirement("I12")
def test_no_exception_turns_a_hard_rule_round() -> None:
    decision = decide("db/refund", refund(150, "y"))
    assert (decision.effect, decision.rule, decision.hard) == (Effect.DENY, "hard", True)
    decision = decide("db/wipe", {"sure": False})
    assert (decision.effect, decision.hard) == (Effect.DENY, True)


def test_an_exception_gives_no_scope() -> None:
    assert decide("db/refund", refund(150), scopes=("read",)).reason is Reason.MISSING_SCOPE


def test_a_soft_deny_rule_does_not_hide_a_condition_that_fails() -> None:
    decision = decide("db/refund", {"amount": "7", "to": "x"})
    assert (decision.reason, decision.rule) == (Reason.CONDITION_FAILED, "permit:db/refund")


def test_no_detail_quotes_an_argument() -> None:
    secret = "hunter2"
    for tool in ("db/refund", "db/strict", "db/wipe", "db/drop"):
        request = ask(tool, {"amount": secret, "to": secret, "num": secret, "sure": secret, secret: secret})
        assert secret not in explain(POLICY, request, now=NOW).model_dump_json()


def test_a_rule_policy_is_a_policy_decision_point() -> None:
    assert isinstance(RULES, PolicyDecisionPoint)
    assert not isinstance(POLICY, PolicyDecisionPoint)


def test_the_same_question_has_the_same_answer() -> None:
    first = RULES.decide(ask("db/get"), now=NOW)
    assert RULES.decide(ask("db/get"), now=NOW) is first


def digests(text: str) -> dict[str, str]:
    rules = RulePolicy(load_policy(text.encode(), source="p"))
    return {key: rules.entries_digest(key) for key in (*POLICY.tools, "db/unknown")}


CHANGES = {
    "its entry": ("permit_when: args.amount <= 100", "permit_when: args.amount <= 101", {"db/refund"}),
    "its exception": ("args.amount <= 200, until", "args.amount <= 201, until", {"db/refund"}),
    "its group": ("members: [ana, raj]", "members: [ana, raj, eve]", {"db/refund", "db/burn", "db/urgent"}),
    "a group that is a backup too": (
        "members: [lea]",
        "members: [lea, eve]",
        {"db/refund", "db/mail", "db/note", "db/burn", "db/urgent"},
    ),
    "where the members come from": ("members: [tom]", "external: true", {"db/farther"}),
    "who may break the glass": ("[max, lea]", "[max]", {"db/mail", "db/urgent"}),
    "another tool under the glass": ("[db/urgent, db/mail]", "[db/urgent, db/mail, db/note]", {"db/note"}),
    "a tool no longer under the glass": ("[db/urgent, db/mail]", "[db/urgent]", {"db/mail"}),
    "who reviews the glass": ("reviewers: others", "reviewers: finance", {"db/mail", "db/urgent"}),
    "how much may wait for a group": ("members: [lea]", "members: [lea], capacity: 3", set()),
    "how much may wait at all": ("version: 1", "version: 1\nqueue: {per_tenant: 3}", set()),
    "who settles doubts": ("version: 1", "version: 1\noperators: others", set()),
    "another group": ("members: [zoe]", "members: [eve]", set()),
    "who has its scope": ("nobody: {}", "nobody: {scopes: [drop]}", {"db/drop"}),
    "a tenant": ("tenants: [acme]", "tenants: [acme, umbrella]", {"db/get"}),
    "another scope": ("nobody: {}", "nobody: {scopes: [fly]}", set()),
    "a comment": ("version: 1", "version: 1  # one", set()),
}


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(("old", "new", "touched"), CHANGES.values(), ids=CHANGES)
def test_the_entries_digest_changes_with_what_decides_the_tool_and_nothing_else(
    old: str, new: str, touched: set[str]
) -> None:
    before, after = digests(TEXT), digests(TEXT.replace(old, new))
    assert {key for key in before if before[key] != after[key]} == touched


def test_each_unknown_tool_has_a_digest_of_its_own_that_is_not_kept() -> None:
    rules = RulePolicy(POLICY)
    assert rules.entries_digest("db/x") != rules.entries_digest("db/y")
    assert rules._digests._made == {}


def test_an_explanation_is_told_in_text_and_in_json() -> None:
    told = explain(POLICY, ask("db/refund", refund(150)), now=NOW)
    assert told.text() == (
        "PERMIT db/refund for desk by rule EX-1\n"
        "  after 2 of ana, raj agree within 4 h (rule over-50, group finance); then 15 min to execute\n"
        "  ok  tool: the policy lists the tool [permit:db/refund]\n"
        "  ok  principal: the policy lists the principal [default-deny]\n"
        "  ok  scope: policy and caller both grant write [default-deny]\n"
        "  ok  deny_when: its condition is false [soft]\n"
        "  ok  deny_when: its condition is false [hard]\n"
        "  NO  permit_when: its condition is false [permit:db/refund]\n"
        "  ok  exception: its condition is true [EX-1]\n"
        "  ok  approval: its condition is true: a person decides [over-50]"
    )
    assert type(told).model_validate_json(told.model_dump_json()) == told


def test_an_explanation_of_a_deny_says_why() -> None:
    told = explain(POLICY, ask("db/refund", refund(500)), now=NOW).text().splitlines()
    assert told[0] == "DENY db/refund for desk by rule permit:db/refund (condition_not_met: permit_when is false)"
    assert told[-2:] == [
        "  NO  exception: its condition is false [EX-1]",
        "  NO  exception: its end has passed [EX-0]",
    ]


def test_an_explanation_says_who_is_asked_next_and_who_may_break_the_glass() -> None:
    told = explain(POLICY, ask("db/urgent"), now=NOW)
    lines = told.text().splitlines()
    assert lines[1:3] == [
        "  after 1 of ana, raj agree within 4 h (rule approval:db/urgent, group finance); then 10 min to execute",
        "  after 1 h group leads may answer as well: lea",
    ]
    assert lines[3] == (
        "  in an emergency lea or max may approve alone, each at most 2 in 7 d; then 10 min to execute,"
        " and a review by group others within 2 d"
    )
    assert type(told).model_validate_json(told.model_dump_json()) == told
    assert explain(POLICY, ask("db/mail"), now=NOW).break_glass is not None
    assert explain(POLICY, ask("db/urgent", scopes=()), now=NOW).break_glass is None  # a deny has no glass
    assert explain(POLICY, ask("db/note"), now=NOW).break_glass is None


def test_an_explanation_leaves_the_members_of_an_external_group_to_the_directory() -> None:
    assert "after 1 of whom the directory knows agree" in explain(POLICY, ask("db/far"), now=NOW).text()
    farther = explain(POLICY, ask("db/farther"), now=NOW).text()
    assert "after 1 of tom agree" in farther
    assert "  after 30 min group cloud may answer as well: whom the directory knows\n" in farther


@pytest.mark.requirement("I12")
def test_a_hard_tool_that_is_held_is_known_to_be_hard_and_shows_no_glass() -> None:
    decision = decide("db/burn", {"sure": True})
    assert (decision.permitted, decision.hard) == (True, True)
    assert decision.approval is not None
    assert explain(POLICY, ask("db/burn", {"sure": True}), now=NOW).break_glass is None
    assert not decide("db/urgent").hard


def test_an_explanation_names_a_schema_an_open_and_a_failed_condition() -> None:
    assert "ok  schema: the arguments fit" in explain(POLICY, ask("db/strict", {"num": 5}), now=NOW).text()
    assert "NO  schema: " in explain(POLICY, ask("db/strict", {"num": 6}), now=NOW).text()
    assert "ok  approval: always required [approval:db/mail]" in explain(POLICY, ask("db/mail"), now=NOW).text()
    assert "nobody needs to be asked" in explain(POLICY, ask("db/refund", refund(1)), now=NOW).text()
    assert "NO  deny_when: its condition failed [soft]" in explain(POLICY, ask("db/refund"), now=NOW).text()
