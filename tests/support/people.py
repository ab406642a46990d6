"""A directory and an authenticator that a test turns off, and a policy with what many people need."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from guarded_agents.approval import Proof
from guarded_agents.errors import ProofError
from guarded_agents.records import Scheme
from tests.support.bank import ANA, EVE, POLICY, RAJ

ZOE = "zoe@example.com"  # has no key on file
EXTERNAL = POLICY.replace("finance: {members: [ana@example.com, raj@example.com]}", "finance: {external: true}")
TWO = POLICY.replace("quorum: 1", "quorum: 2").replace("raj@example.com]}", "raj@example.com, eve@example.com]}")
ESCALATES = POLICY.replace(
    "finance: {members: [ana@example.com, raj@example.com]}",
    "finance: {members: [ana@example.com], backup: leads}\n  leads: {members: [raj@example.com]}",
).replace("decide_within: 4h,", "decide_within: 4h, escalate_within: 30m,")
GLASS = (
    POLICY.replace("  finance:", "  leads: {members: [raj@example.com, eve@example.com]}\n  finance:")
    + """\
break_glass:
  holders: [ana@example.com, eve@example.com]
  tools: [bank/wire]
  reviewers: leads
  per_person: 2
  period: 1d
  execute_within: 5m
  review_within: 1h
"""
)
OPERATED = POLICY.replace("  finance:", "  ops: {members: [eve@example.com]}\n  finance:") + "operators: ops\n"


@dataclass
class Phonebook:
    """A directory: ``groups`` is who belongs where, ``fails`` what it raises instead."""

    groups: dict[str, Any] = field(default_factory=lambda: {"finance": frozenset({ANA, RAJ, EVE})})
    fails: Exception | None = None

    async def members(self, group: str) -> frozenset[str]:
        if self.fails is not None:
            raise self.fails
        found: frozenset[str] = self.groups.get(group, frozenset())
        return found


@dataclass
class Passwords:
    """An authenticator of the application's own: the signature is the word that is on file."""

    words: dict[str, str] = field(default_factory=lambda: {ANA: "sesame", RAJ: "swordfish"})
    accounts: dict[str, str] = field(default_factory=dict)  # ids of credentials that are not one's own alone
    fails: Exception | None = None
    asked: list[tuple[str, str, bool]] = field(default_factory=list)

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        self.asked.append((proof.who, group, is_fresh))
        if self.fails is not None:
            raise self.fails
        if proof.scheme is Scheme.OIDC and self.words.get(proof.who) == proof.signature:
            return self.accounts.get(proof.who, f"word of {proof.who}")
        raise ProofError("word", expected="the one on file", got="another", action="try another")
