"""Who may answer, until when, and where does the request stand?

A vote counts if and only if its voter's identity is proven, the voter may answer now, is not the requester,
and signed the digest of exactly this request in time (DESIGN section 8). Nothing here waits, and no time
that passes ever approves.
"""

from guarded_agents.approval._answer import ResumeAnswer, changed_payload, interrupt_payload, why_asked
from guarded_agents.approval._check import check_edit, check_vote, check_words
from guarded_agents.approval._delegation import check_delegation
from guarded_agents.approval._extension import check_extension
from guarded_agents.approval._glass import MIN_JUSTIFICATION_CHARS, check_glass, glass_left, glass_stands
from guarded_agents.approval._identity import Authenticator, Directory, Proof
from guarded_agents.approval._machine import (
    agreed_at,
    check_eligible,
    check_open,
    closed,
    execute_by,
    glass_breakers,
    glass_broken,
    groups_asked,
    is_answered,
    is_barred,
    may_answer,
    quorum_met,
    status_at,
    usable_until,
    votes_counted,
)
from guarded_agents.approval._request import (
    covers,
    edit_request,
    is_intact,
    open_request,
    request_digest,
    risk_of,
)
from guarded_agents.approval._resolution import check_look, check_resolution, doubt_id
from guarded_agents.approval._review import check_review
from guarded_agents.approval._shapes import (
    Answered,
    from_agent_inbox,
    from_hitl_response,
    to_agent_inbox,
    to_hitl_request,
)
from guarded_agents.approval._signers import (
    AllowedKey,
    Signers,
    allowed_signers_line,
    fingerprint,
    load_public_key,
    parse_allowed_signers,
)
from guarded_agents.approval._statement import (
    LOCKED_KEY,
    NAMESPACE,
    SignedStatement,
    Statement,
    commitment,
    load_private_key,
    nonce_for,
    proof_of,
    second_of,
    sign,
    statement,
)

__all__ = [
    "LOCKED_KEY",
    "MIN_JUSTIFICATION_CHARS",
    "NAMESPACE",
    "AllowedKey",
    "Answered",
    "Authenticator",
    "Directory",
    "Proof",
    "ResumeAnswer",
    "SignedStatement",
    "Signers",
    "Statement",
    "agreed_at",
    "allowed_signers_line",
    "changed_payload",
    "check_delegation",
    "check_edit",
    "check_eligible",
    "check_extension",
    "check_glass",
    "check_look",
    "check_open",
    "check_resolution",
    "check_review",
    "check_vote",
    "check_words",
    "closed",
    "commitment",
    "covers",
    "doubt_id",
    "edit_request",
    "execute_by",
    "fingerprint",
    "from_agent_inbox",
    "from_hitl_response",
    "glass_breakers",
    "glass_broken",
    "glass_left",
    "glass_stands",
    "groups_asked",
    "interrupt_payload",
    "is_answered",
    "is_barred",
    "is_intact",
    "load_private_key",
    "load_public_key",
    "may_answer",
    "nonce_for",
    "open_request",
    "parse_allowed_signers",
    "proof_of",
    "quorum_met",
    "request_digest",
    "risk_of",
    "second_of",
    "sign",
    "statement",
    "status_at",
    "to_agent_inbox",
    "to_hitl_request",
    "usable_until",
    "votes_counted",
    "why_asked",
]
