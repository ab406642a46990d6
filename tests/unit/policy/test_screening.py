"""What a policy may say of texts."""

import pytest

from guarded_agents.errors import PolicyError
from guarded_agents.policy import Policy, ScreeningEntry, Spotlighting, load_policy

TOOL = "tools:\n  bank/see: {scope: read, effect: read, receives: [password, iban]}\n"


def read(section: str, tool: str = TOOL) -> Policy:
    return load_policy(f"version: 1\n{tool}{section}".encode(), source="policy.yaml")


def test_left_out_it_sets_untrusted_results_apart_and_asks_after_an_injection() -> None:
    entry = read("").screening
    assert entry == ScreeningEntry()
    assert (entry.spotlight, entry.injection.value, entry.redact) == (Spotlighting.DELIMITERS, "ask", ())
    assert (entry.hosts, entry.redact_response, entry.classifier) == ((), False, False)


def test_names_are_sorted_and_hosts_in_lower_case() -> None:
    entry = read("screening: {redact: [iban, card], hosts: [Docs.Example.com, 'a.example:8443']}\n").screening
    assert (entry.redact, entry.hosts) == (("card", "iban"), ("a.example:8443", "docs.example.com"))
    assert read("").tools["bank/see"].receives == ("iban", "password")


REFUSED = {
    "a host with a path": "screening: {hosts: [docs.example.com/a]}",
    "a host twice": "screening: {hosts: [a.example, A.example]}",
    "a kind twice": "screening: {redact: [iban, iban]}",
    "a secret among personal data": "screening: {redact: [password]}",
    "an unknown kind": "screening: {redact: [name]}",
    "another presentation": "screening: {spotlight: loud}",
    "another requirement": "screening: {injection: permit}",
    "an unknown key": "screening: {filter: true}",
}


@pytest.mark.parametrize("section", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(section: str) -> None:
    with pytest.raises(PolicyError):
        read(section)
