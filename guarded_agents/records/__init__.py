"""Every record, in the order they arise on the way of a call.

Two kinds. A ``Record`` crosses a door between JSON and Python (files, state, votes): pydantic,
frozen, closed and strict. A plain frozen dataclass lives only inside one call, where validating
again what was just validated would be paid on every turn.
"""

from guarded_agents.records._approval import Answer, ApprovalRequest, RequestStatus, SignedVote, StandingRequest, Vote
from guarded_agents.records._base import Record
from guarded_agents.records._call import AccessRequest, BoundCall, CallKey, Proposal, ThreadFacts, ToolEffect, ToolRef
from guarded_agents.records._claim import AuditHead, Claim, ClaimStatus, Outcome, Permit
from guarded_agents.records._decision import NO_LIMITS, ApprovalObligation, Decision, Effect, Limits, Reason
from guarded_agents.records._origin import UNEXPOSED, Confidentiality, Integrity, Labels, Principal

__all__ = [
    "NO_LIMITS",
    "UNEXPOSED",
    "AccessRequest",
    "Answer",
    "ApprovalObligation",
    "ApprovalRequest",
    "AuditHead",
    "BoundCall",
    "CallKey",
    "Claim",
    "ClaimStatus",
    "Confidentiality",
    "Decision",
    "Effect",
    "Integrity",
    "Labels",
    "Limits",
    "Outcome",
    "Permit",
    "Principal",
    "Proposal",
    "Reason",
    "Record",
    "RequestStatus",
    "SignedVote",
    "StandingRequest",
    "ThreadFacts",
    "ToolEffect",
    "ToolRef",
    "Vote",
]
