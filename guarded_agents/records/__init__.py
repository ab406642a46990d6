"""Every record, in the order they arise on the way of a call.

Two kinds. A ``Record`` crosses a door between JSON and Python (files, state, votes): pydantic,
frozen, closed and strict. A plain frozen dataclass lives only inside one call, where validating
again what was just validated would be paid on every turn.
"""

from guarded_agents.records._approval import (
    REFUSES,
    ApprovalRequest,
    BrokenGlass,
    Electorate,
    Notice,
    NoticeKind,
    RequestStatus,
    RequestSummary,
    Risk,
    StandingRequest,
)
from guarded_agents.records._authority import ArgumentTerms, ArgumentUse, AuthorityTerms, ContentRule, ResultTerms
from guarded_agents.records._base import Record
from guarded_agents.records._call import AccessRequest, BoundCall, CallKey, Proposal, ThreadFacts, ToolEffect, ToolRef
from guarded_agents.records._claim import Answered, AuditHead, Claim, ClaimStatus, Execution, Outcome, Permit
from guarded_agents.records._decision import (
    HOLDERS,
    ApprovalObligation,
    BreakGlassTerms,
    Decision,
    Effect,
    Limits,
    QueueLimits,
    Reason,
)
from guarded_agents.records._miss import Endorsement, Lack, Licence, Miss, Origin
from guarded_agents.records._origin import QUOTED, UNEXPOSED, Confidentiality, Integrity, Labels, Principal
from guarded_agents.records._statement import (
    Answer,
    Resolution,
    Review,
    ReviewFinding,
    Scheme,
    SignedResolution,
    SignedReview,
    SignedVote,
    Verdict,
    Vote,
)

__all__ = [
    "HOLDERS",
    "QUOTED",
    "REFUSES",
    "UNEXPOSED",
    "AccessRequest",
    "Answer",
    "Answered",
    "ApprovalObligation",
    "ApprovalRequest",
    "ArgumentTerms",
    "ArgumentUse",
    "AuditHead",
    "AuthorityTerms",
    "BoundCall",
    "BreakGlassTerms",
    "BrokenGlass",
    "CallKey",
    "Claim",
    "ClaimStatus",
    "Confidentiality",
    "ContentRule",
    "Decision",
    "Effect",
    "Electorate",
    "Endorsement",
    "Execution",
    "Integrity",
    "Labels",
    "Lack",
    "Licence",
    "Limits",
    "Miss",
    "Notice",
    "NoticeKind",
    "Origin",
    "Outcome",
    "Permit",
    "Principal",
    "Proposal",
    "QueueLimits",
    "Reason",
    "Record",
    "RequestStatus",
    "RequestSummary",
    "Resolution",
    "ResultTerms",
    "Review",
    "ReviewFinding",
    "Risk",
    "Scheme",
    "SignedResolution",
    "SignedReview",
    "SignedVote",
    "StandingRequest",
    "ThreadFacts",
    "ToolEffect",
    "ToolRef",
    "Verdict",
    "Vote",
]
