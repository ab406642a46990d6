"""Who may answer, until when, and where does the request stand?

A vote counts if and only if its voter's identity is proven by a signature, the voter may answer
now, is not the requester, and signed the digest of exactly this request in time (DESIGN section 8).
Nothing here waits, and no time that passes ever approves.
"""

from guarded_agents.approval._answer import ResumeAnswer, changed_payload, interrupt_payload
from guarded_agents.approval._check import check_vote
from guarded_agents.approval._machine import is_barred, quorum_met, status_at, votes_counted
from guarded_agents.approval._request import covers, edit_request, is_intact, open_request, request_digest
from guarded_agents.approval._signers import AllowedKey, Signers, allowed_signers_line, parse_allowed_signers
from guarded_agents.approval._statement import NAMESPACE, load_private_key, sign, statement

__all__ = [
    "NAMESPACE",
    "AllowedKey",
    "ResumeAnswer",
    "Signers",
    "allowed_signers_line",
    "changed_payload",
    "check_vote",
    "covers",
    "edit_request",
    "interrupt_payload",
    "is_barred",
    "is_intact",
    "load_private_key",
    "open_request",
    "parse_allowed_signers",
    "quorum_met",
    "request_digest",
    "sign",
    "statement",
    "status_at",
    "votes_counted",
]
