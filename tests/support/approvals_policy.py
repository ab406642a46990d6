"""The policy file that ``approvals_facts.terms_of`` says in plain words, the reviewed tools, and everybody's keys."""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guarded_agents.approval import AllowedKey, Signers
from guarded_agents.catalog import dump_lockfile, load_lockfile, make_lock, of_observed
from guarded_agents.policy import Policy, load_policy
from guarded_agents.transport import ObservedTool
from tests.support.approvals_facts import (
    AGENT,
    ASK_AGAIN_S,
    CAPACITY,
    GLASS_S,
    HOLDERS,
    MAX_CENTS,
    MAY_HOLD,
    PEOPLE,
    PER_PERSON,
    REVIEW_S,
    UNATTENDED_CENTS,
)

KEYS = {
    (name, number): Ed25519PrivateKey.from_private_bytes(bytes([place + 100 * number]) * 32)
    for place, name in enumerate(PEOPLE, 1)
    for number in (0, 1)
}

POLICY = """\
version: 1
principals:
  {agent}: {{scopes: [bank:write]}}
approvers:
  finance: {{external: true, backup: leads, capacity: {capacity}}}
  leads: {{external: true}}
  audit: {{external: true}}
  ops: {{external: true}}
operators: ops
queue: {{ask_again_after: {again}s}}
tools:
{wire}
  bank/pay:
    scope: bank:write
    effect: write
    result: {{integrity: trusted, confidentiality: public}}
    idempotent: true
    permit_when: 0 < args.cents && args.cents <= {max}
    approval: {{approvers: finance, quorum: 1, editor_may_approve: true, decide_within: 60m, execute_within: 10m}}
  bank/seal:
    scope: bank:write
    effect: write
    result: {{integrity: trusted, confidentiality: public}}
    hard: true
    permit_when: 0 < args.cents && args.cents <= {max}
    approval: {{approvers: finance, quorum: 1, decide_within: 60m, execute_within: 10m}}
  bank/topup:
    scope: bank:write
    effect: write
    result: {{integrity: trusted, confidentiality: public}}
    permit_when: 0 < args.cents && args.cents <= {max}
    approval:
      {{when: args.cents > {unattended}, approvers: finance, quorum: 1, decide_within: 60m, execute_within: 10m}}
break_glass:
  holders: [{holders}]
  tools: [{glassed}]
  reviewers: audit
  per_person: {per_person}
  period: 90d
  execute_within: {glass_s}s
  review_within: {review_s}s
"""
WIRE = """\
  bank/wire:
    scope: bank:write
    effect: write
    result: {{integrity: trusted, confidentiality: public}}
    permit_when: 0 < args.cents && args.cents <= {max}
"""
HELD = """\
    approval:
      approvers: finance
      quorum: {quorum}
      decide_within: 60m
      execute_within: 10m
      escalate_within: 20m
"""


@cache
def policy_of(variant: str) -> Policy:
    """Return the policy file that `approvals_facts.terms_of` says in plain words."""
    wire = "" if variant == "gone" else WIRE.format(max=MAX_CENTS)
    if variant not in ("gone", "open"):
        wire += HELD.format(quorum={"strict": 3}.get(variant, 2))
    text = POLICY.format(
        agent=AGENT,
        wire=wire,
        max=MAX_CENTS,
        unattended=UNATTENDED_CENTS,
        capacity=CAPACITY,
        again=ASK_AGAIN_S,
        holders=", ".join(sorted(MAY_HOLD.get(variant, HOLDERS))),
        glassed="bank/pay" if variant in ("gone", "open") else "bank/pay, bank/wire",
        per_person=PER_PERSON,
        glass_s=GLASS_S,
        review_s=REVIEW_S,
    )
    return load_policy(text.encode(), source=variant)


def tools(description: str) -> tuple[ObservedTool, ...]:
    schema: dict[str, Any] = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}
    return tuple(
        ObservedTool("bank", name, None, f"{description} {name}.", schema, None, {})
        for name in ("pay", "seal", "topup", "wire")
    )


LOCK = load_lockfile(dump_lockfile(make_lock([of_observed(tool) for tool in tools("Reviewed:")])), source="tools.lock")


@cache
def signers_of(live: frozenset[tuple[str, int]]) -> Signers:
    return Signers(
        {name: tuple(AllowedKey(KEYS[key].public_key()) for key in sorted(live) if key[0] == name) for name in PEOPLE}
    )
