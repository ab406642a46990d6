"""What a policy says of values: its checks, and the terms that it comes to."""

import pytest

from guarded_agents.errors import PolicyError
from guarded_agents.policy import RulePolicy, authority_terms, load_policy
from guarded_agents.records import (
    ArgumentTerms,
    ArgumentUse,
    AuthorityTerms,
    Confidentiality,
    ContentRule,
    Integrity,
    Labels,
    ResultTerms,
    ToolEffect,
)

WHOLE = """\
version: 1
tools:
  orders/find:
    scope: orders:read
    effect: read
    result: {integrity: untrusted, confidentiality: internal}
    fields: {/id: {integrity: trusted, confidentiality: internal}}
    records: {at: /orders, keys: [/number, /id], every: [each order, all orders]}
  payments/refund:
    scope: refunds:write
    effect: write
    verbs: [refund, "give the money back"]
    readers: {any: public, "@example.com": confidential}
    arguments:
      order_id: {use: selector, natural_key: true}
      amount_cents: {use: amount, minor_units: 2, from_fields: [/total]}
      to: {use: target, keys: [name, mail]}
      note: {use: content, content: no_new_links}
      reason: {use: content}
"""


def test_the_terms_of_a_tool_are_what_its_entry_says() -> None:
    policy = load_policy(WHOLE.encode(), source="p")
    trusted = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.INTERNAL)
    find = authority_terms(policy, "orders/find")
    assert find == AuthorityTerms(
        "orders/find",
        ToolEffect.READ,
        result=ResultTerms(
            labels=Labels(confidentiality=Confidentiality.INTERNAL),
            fields={"/id": trusted},
            records="/orders",
            keys=("/id", "/number"),
            every=("all orders", "each order"),
        ),
    )
    assert authority_terms(policy, "payments/refund") == AuthorityTerms(
        "payments/refund",
        ToolEffect.WRITE,
        {
            "order_id": ArgumentTerms(use=ArgumentUse.SELECTOR, natural_key=True),
            "amount_cents": ArgumentTerms(use=ArgumentUse.AMOUNT, minor_units=2, from_fields=("/total",)),
            "to": ArgumentTerms(keys=frozenset({"name", "mail"})),
            "note": ArgumentTerms(use=ArgumentUse.CONTENT, content=ContentRule.NO_NEW_LINKS),
            "reason": ArgumentTerms(use=ArgumentUse.CONTENT, content=ContentRule.NO_NEW_TOKENS),
        },
        ("give the money back", "refund"),
        {"any": Confidentiality.PUBLIC, "@example.com": Confidentiality.CONFIDENTIAL},
    )


def test_a_tool_that_is_not_listed_has_no_terms() -> None:
    assert authority_terms(load_policy(WHOLE.encode(), source="p"), "orders/other") is None


def test_a_tool_that_says_nothing_of_values_has_the_strictest_terms() -> None:
    policy = load_policy(b"version: 1\ntools: {mail/send: {scope: mail, effect: egress}}\n", source="p")
    assert authority_terms(policy, "mail/send") == AuthorityTerms("mail/send")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[refund,", "[repay,"),
        ("any: public", "any: internal"),
        ("natural_key: true", "natural_key: false"),
        ("minor_units: 2", "minor_units: 3"),
    ],
)
def test_what_is_said_of_values_is_among_the_entries_that_decide(old: str, new: str) -> None:
    digests = {
        RulePolicy(load_policy(text.encode(), source="p")).entries_digest("payments/refund")
        for text in (WHOLE, WHOLE.replace(old, new))
    }
    assert len(digests) == 2


FAULTS = {
    "natural key of an amount": (
        "{use: amount, minor_units: 2,",
        "{use: amount, natural_key: true,",
        "use: target or selector",
    ),
    "rule for a target": ("{use: target,", "{use: target, content: free,", "use: content for a rule about content"),
    "minor units of a target": ("{use: target,", "{use: target, minor_units: 2,", "use: amount for minor units"),
    "fields of content": ("{use: content}", "{use: content, from_fields: [/a]}", "a value that a record may license"),
    "fields of a key": ("natural_key: true", "natural_key: true, from_fields: [/a]", "a value that a record may"),
    "verbs of a read": ("    effect: read\n", "    effect: read\n    verbs: [find]\n", "none for a read"),
    "readers of a read": ("    effect: read\n", "    effect: read\n    readers: {any: public}\n", "none for a read"),
    "no keys": ("keys: [/number, /id]", "keys: []", "at least 1"),
    "no pointer": ("keys: [/number, /id]", "keys: [number]", "match pattern"),
    "half an escape": ("at: /orders", "at: /a~2", "match pattern"),
    "no verb": ('"give the money back"', '" "', "match pattern"),
    "unknown level": ("any: public", "any: everybody", "'public', 'internal'"),
    "unknown use": ("use: selector", "use: choice", "'target', 'amount', 'selector' or 'content'"),
    "too many digits": ("minor_units: 2", "minor_units: 19", "less than or equal to 18"),
    "a plan of the caller with tools": (
        "version: 1\n",
        "version: 1\nplan: {from: caller, tools: [payments/refund]}\n",
        "none where the plan",
    ),
    "a plan with a read": ("version: 1\n", "version: 1\nplan: {tools: [orders/find]}\n", "that has an effect"),
    "a plan with an unknown tool": ("version: 1\n", "version: 1\nplan: {tools: [orders/lose]}\n", "that has an effect"),
    "a field twice": ("from_fields: [/total]", "from_fields: [/total, /total]", "each name once"),
}


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_meant_is_refused_when_the_file_is_loaded(old: str, new: str, expected: str) -> None:
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    with pytest.raises(PolicyError) as caught:
        load_policy(text.encode(), source="p")
    assert expected in str(caught.value)
    assert caught.value.line is not None
