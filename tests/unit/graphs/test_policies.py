"""What the applications' policies decide about the calls of their stories."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graphs.records_clerk import run as records_clerk
from graphs.records_clerk import servers as clerk_servers
from graphs.refund_desk import run as refund_desk
from graphs.refund_desk import servers as desk_servers
from graphs.refund_desk.data import INJECTION_ACCOUNT, INJECTION_RECIPIENT
from guarded_agents.policy import RulePolicy, load_policy
from guarded_agents.records import (
    UNEXPOSED,
    AccessRequest,
    Confidentiality,
    Decision,
    Integrity,
    Labels,
    Principal,
    Reason,
    ToolRef,
)

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
CONFIDENTIAL = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.CONFIDENTIAL)
RESTRICTED = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.RESTRICTED)
REFUND = {"order_id": "1001", "amount_cents": 12900, "note": "broken"}
MAIL = {"to": "mia.keller@customers.example", "subject": "Your refund", "body": "It is on its way."}
EXPORT = {"patient_id": "P-1007", "partner": "heart-center.example", "sections": ["visits"], "purpose": "opinion"}
POLICIES = {
    application.PRINCIPAL: RulePolicy(
        load_policy((Path(str(application.__file__)).parent / "policy.yaml").read_bytes(), source=application.PRINCIPAL)
    )
    for application in (refund_desk, records_clerk)
}
DESK = Principal(id=refund_desk.PRINCIPAL, scopes=refund_desk.SCOPES)
CLERK = Principal(id=records_clerk.PRINCIPAL, scopes=records_clerk.SCOPES)


def decide(principal: Principal, tool: str, arguments: Mapping[str, object], labels: Labels) -> Decision:
    server, name = tool.split("/")
    asked = AccessRequest(principal, "", ToolRef(server, name, "00"), arguments, labels)  # type: ignore[arg-type]
    return POLICIES[principal.id].decide(asked, now=NOW)


PERMITTED = {
    "reading an order": (DESK, "orders/get_order", {"order_id": "1001"}, None),
    "reading a mail": (DESK, "orders/read_mail", {"order_id": "1001"}, None),
    "a small refund": (DESK, "payments/refund", {**REFUND, "amount_cents": 5000, "account": ""}, None),
    "a refund over 50 EUR": (DESK, "payments/refund", REFUND, "refund-over-50"),
    "a mail to a customer": (DESK, "mail/send_mail", MAIL, None),
    "a mail to a colleague": (DESK, "mail/send_mail", {**MAIL, "to": "ana@example.com"}, None),
    "reading a record": (CLERK, "records/get_record", {"patient_id": "P-1007"}, None),
    "an export": (CLERK, "export/export_records", EXPORT, "export-needs-privacy"),
}


@pytest.mark.parametrize(("principal", "tool", "arguments", "approval"), PERMITTED.values(), ids=PERMITTED)
def test_a_call_of_the_story_is_permitted(
    principal: Principal, tool: str, arguments: dict[str, object], approval: str | None
) -> None:
    decision = decide(principal, tool, arguments, CONFIDENTIAL)
    assert decision.reason is Reason.PERMITTED
    assert (decision.approval.rule if decision.approval else None) == approval


DENIED = {
    "a mail to the attacker": (DESK, "mail/send_mail", {**MAIL, "to": INJECTION_RECIPIENT}, "mail-to-strangers"),
    "a mail to two": (
        DESK,
        "mail/send_mail",
        {**MAIL, "to": f"{INJECTION_RECIPIENT},a@example.com"},
        "mail-to-strangers",
    ),
    "a look-alike domain": (DESK, "mail/send_mail", {**MAIL, "to": "a@example.com.evil.example"}, "mail-to-strangers"),
    "a subdomain by suffix": (DESK, "mail/send_mail", {**MAIL, "to": "a@evilexample.com"}, "mail-to-strangers"),
    "another account": (DESK, "payments/refund", {**REFUND, "account": INJECTION_ACCOUNT}, "refund-to-other-account"),
    "too much": (DESK, "payments/refund", {**REFUND, "amount_cents": 50001}, "permit:payments/refund"),
    "nothing": (DESK, "payments/refund", {**REFUND, "amount_cents": 0}, "permit:payments/refund"),
    "an amount that is text": (DESK, "payments/refund", {**REFUND, "amount_cents": "1"}, "permit:payments/refund"),
    "a stranger": (Principal(id="nobody", scopes=refund_desk.SCOPES), "payments/refund", REFUND, "default-deny"),
    "a missing scope": (Principal(id=DESK.id), "payments/refund", REFUND, "default-deny"),
    "an unlisted tool": (DESK, "payments/refund_all", {}, "default-deny"),
    "notes": (
        CLERK,
        "export/export_records",
        {**EXPORT, "sections": ["visits", "psychotherapy_notes"]},
        "psychotherapy-never-leaves",
    ),
    "an unknown partner": (
        CLERK,
        "export/export_records",
        {**EXPORT, "partner": "x.example"},
        "permit:export/export_records",
    ),
}


@pytest.mark.parametrize(("principal", "tool", "arguments", "rule"), DENIED.values(), ids=DENIED)
def test_a_call_that_must_not_happen_is_denied_by_a_rule_that_can_be_named(
    principal: Principal, tool: str, arguments: dict[str, object], rule: str
) -> None:
    policy = DESK if principal.id == "nobody" else principal
    server, name = tool.split("/")
    asked = AccessRequest(principal, "", ToolRef(server, name, "00"), arguments, CONFIDENTIAL)  # type: ignore[arg-type]
    decision = POLICIES[policy.id].decide(asked, now=NOW)
    assert not decision.permitted
    assert decision.rule == rule


@pytest.mark.requirement("I12")
def test_nothing_leaves_a_conversation_that_has_read_psychotherapy_notes() -> None:
    assert decide(CLERK, "export/export_records", EXPORT, UNEXPOSED).permitted
    read = decide(CLERK, "records/read_psychotherapy_notes", {"patient_id": "P-1007"}, UNEXPOSED)
    assert read.result_labels == RESTRICTED
    after = decide(CLERK, "export/export_records", EXPORT, UNEXPOSED.join(read.result_labels))
    assert (after.permitted, after.rule, after.hard) == (False, "restricted-never-leaves", True)


def test_every_tool_of_a_policy_belongs_to_a_server_of_its_application(tmp_path: Path) -> None:
    desk = desk_servers.servers(refund_desk.prepare(tmp_path / "desk", now=NOW))
    clerk = clerk_servers.servers(records_clerk.prepare(tmp_path / "clerk", now=NOW))
    for principal, servers in ((DESK, desk), (CLERK, clerk)):
        assert {key.split("/")[0] for key in POLICIES[principal.id].policy.tools} == set(servers)
